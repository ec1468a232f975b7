"""The kinds of errors, the hint for a misspelt name, and the telling line of a library's error."""

from __future__ import annotations

import pytest

from harness.core.errors import (
    KINDS,
    CellError,
    ConfigError,
    QuantgateError,
    Unavailable,
    Unsupported,
    first_line,
    kind_of,
    nearest,
)


@pytest.mark.parametrize(
    ("kind", "exit_code", "status"),
    [
        (ConfigError, 2, "error"),
        (Unavailable, 3, "unavailable"),
        (Unsupported, 3, "unavailable"),
        (CellError, 3, "error"),
    ],
)
def test_a_kind_of_error_ends_a_command_and_a_cell(kind, exit_code, status):
    assert (kind.exit_code, kind.status) == (exit_code, status)


def test_what_cannot_be_installed_is_unavailable_too():
    assert issubclass(Unsupported, Unavailable)


def test_wrong_input_is_a_value_error_to_code_that_knows_no_quantgate():
    with pytest.raises(ValueError, match="calls=1"):
        raise ConfigError("calls=1")


def subclasses(kind):
    return {kind, *(below for one in kind.__subclasses__() for below in subclasses(one))}


def test_every_kind_is_known_by_its_name():
    own = {kind.__name__: kind for kind in subclasses(QuantgateError) if kind.__module__ == QuantgateError.__module__}
    del own["QuantgateError"]
    assert own == KINDS


def test_an_error_is_of_its_own_kind_or_of_the_nearest_kind_above():
    class NoDongle(Unsupported):
        """Of another package."""

    assert [kind_of(kind("x")) for kind in KINDS.values()] == list(KINDS)
    assert kind_of(NoDongle("x")) == "Unsupported"
    assert kind_of(QuantgateError("x")) == "CellError"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("onnxruntim", "did you mean 'onnxruntime'?"),
        ("ONNXRuntime", "did you mean 'onnxruntime'?"),
        ("tourch", "did you mean 'Torch'?"),
        ("zzz", "known: Torch, onnxruntime, openvino"),
        ("", "known: Torch, onnxruntime, openvino"),
    ],
)
def test_a_misspelt_name_is_told_the_most_similar_or_all(word, hint):
    assert nearest(word, ["openvino", "onnxruntime", "Torch"]) == hint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cannot open the file\nmore about it", "cannot open the file"),
        ("\n\n  - cannot open the file -\n", "cannot open the file"),
        ("Exception from src/core.cpp:93:\nCheck 'a == b' failed at src/node.cpp:1:\nshapes differ", "shapes differ"),
        ("Errors:\nshapes differ", "shapes differ"),
        ("Exception from src/core.cpp:93:", "Exception from src/core.cpp:93:"),
    ],
)
def test_the_first_line_that_tells_something_is_taken(text, line):
    assert first_line(RuntimeError(text)) == line


def test_an_error_without_text_is_named_by_its_class():
    assert first_line(MemoryError()) == "MemoryError"
    assert first_line(RuntimeError(" \n ")) == "RuntimeError"


def test_a_long_line_ends_after_300_characters():
    assert first_line(RuntimeError("x" * 1000)) == "x" * 300
