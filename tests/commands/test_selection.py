"""`-k` of quantgate's own commands."""

from __future__ import annotations

import pytest

from harness import ConfigError
from harness.commands.selection import selector

CELLS = ("yolo26n-int8-onnxruntime-cpu", "yolo26n-int8-dynamic-litert-cpu", "yolo26n~e2e-fp32-torch-cpu")


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("", (0, 1, 2)),
        ("int8", (0, 1)),
        ("INT8 and not dynamic", (0,)),
        ("int8-dynamic or ~e2e", (1, 2)),
        ("not (torch or litert)", (0,)),
        ("nothing", ()),
    ],
)
def test_words_and_operators(expression: str, chosen: tuple[int, ...]) -> None:
    assert tuple(n for n, cell in enumerate(CELLS) if selector(expression)(cell)) == chosen


@pytest.mark.parametrize("expression", ["and", "int8 or", "(int8", "int8 fp32", "not"])
def test_what_is_no_expression_is_one_line(expression: str) -> None:
    with pytest.raises(ConfigError, match="is no expression; for example"):
        selector(expression)
