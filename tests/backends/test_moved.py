"""A backend that imports from a module of quantgate 0.1 is told in one line where the module is now."""

from __future__ import annotations

import importlib
import importlib.util

import pytest

from harness.backends.moved import MOVED, RENAMED, hint

SINGLE = [old for old in MOVED if old.rpartition(".")[0] in ("harness.backends", "harness.machine")]
"""Names that moved out of modules that are folders today. Everything else in the table is a module that is gone."""


def failed(statement: str) -> Exception:
    """The error that an import raises."""
    with pytest.raises(ImportError) as raised:
        exec(statement)
    return raised.value


def imported(old: str) -> str:
    """A statement that imports an old name, as code of quantgate 0.1 has it."""
    package, _, name = old.rpartition(".")
    return f"from {package} import {name}" if old in SINGLE else f"from {old} import anything"


def test_no_old_name_imports_any_longer_and_its_line_is_about_it() -> None:
    lines = {old: hint(failed(imported(old))) for old in MOVED}
    assert {old: line for old, line in lines.items() if not line.startswith(f"{old} moved to ")} == {}


def test_every_new_place_is_a_module_of_today() -> None:
    places = {place: importlib.util.find_spec(place) for new in MOVED.values() for place in new}
    assert [place for place, spec in places.items() if spec is None or spec.origin is None] == []


def test_a_single_name_is_in_its_new_place() -> None:
    assert len(SINGLE) > 5
    for old in SINGLE:
        (place,) = MOVED[old]
        assert hasattr(importlib.import_module(place), old.rpartition(".")[2]), old


def test_what_was_renamed_is_of_a_module_that_moved() -> None:
    assert RENAMED.keys() <= MOVED.keys()


@pytest.mark.parametrize(
    ("statement", "begins"),
    [
        ("from harness.latency import timed", "harness.latency moved to harness.measure.latency.wall_clock;"),
        ("from harness import geometry", "harness.geometry moved to harness.tasks.preprocess;"),
        ("import harness.datasets.coco", "harness.datasets moved to harness.core.dataset and harness.inputs.datasets;"),
        ("from harness.machine import isa", "harness.machine.isa moved to harness.machine.fingerprint;"),
    ],
)
def test_the_line_names_the_new_place_however_the_import_is_written(statement: str, begins: str) -> None:
    line = hint(failed(statement))
    assert line.startswith(begins)
    assert line.endswith("; the package needs a version for this quantgate")


def test_a_folder_that_left_byte_code_behind_is_told_too() -> None:
    """An old checkout has `harness/precision/__pycache__` still, which Python imports as an empty package."""
    said = "cannot import name 'Recipe' from 'harness.precision' (unknown location)"
    assert hint(ImportError(said, name="harness.precision")).startswith("harness.precision moved to harness.recipes ")


def test_a_new_spelling_is_told_with_the_new_place() -> None:
    assert "(Inputs is BuildInputs now)" in hint(failed("from harness.precision.base import Inputs"))


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'tflite'", name="tflite"),
        ModuleNotFoundError("No module named 'other.latency'", name="other.latency"),
        ImportError("cannot import name 'Sesion' from 'harness.backends' (/…/__init__.py)", name="harness.backends"),
        ImportError("libcuda.so.1: cannot open shared object file"),
        RuntimeError("harness.latency"),
    ],
)
def test_an_error_of_another_kind_has_no_hint(error: Exception) -> None:
    assert hint(error) == ""
