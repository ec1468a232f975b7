"""The recipes of the null backend copy a script, and refuse what is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import null_weights

from harness import ConfigError
from harness.recipes import BuildInputs
from harness.recipes.null import copy


def given(weights: Path) -> BuildInputs:
    return BuildInputs(weights, weights, (32, 32), 1, False, None)


def test_the_artifact_is_the_script_and_knows_its_class_names(tmp_path: Path) -> None:
    script = null_weights(tmp_path / "weights.json", names=["cat", 7])
    assert copy(given(script), tmp_path) == {"names": ["cat", "7"]}
    assert (tmp_path / "model.json").read_bytes() == script.read_bytes()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "JSONDecodeError"),
        ("[1]", "TypeError"),
        ("{}", "KeyError 'names'"),
        ('{"names": 5}', "TypeError"),
    ],
)
def test_what_is_no_script_is_one_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "wrong.json").write_text(text)
    with pytest.raises(ConfigError, match=rf"wrong\.json are not a null script: {why}") as raised:
        copy(given(tmp_path / "wrong.json"), tmp_path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "model.json").exists()
