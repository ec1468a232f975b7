"""What this machine can run, and why not."""

from __future__ import annotations

import importlib.metadata
import io
import itertools

import pytest
from rich.console import Console

from harness.backends.registry import own_backends
from harness.commands.doctor.tables import Ability, abilities, ability_table
from harness.recipes.registry import PRECISIONS


@pytest.fixture
def without(monkeypatch):
    """Pretend that a distribution is not installed."""
    installed = importlib.metadata.version

    def absent(missing):
        def version(name):
            if name == missing:
                raise importlib.metadata.PackageNotFoundError(name)
            return installed(name)

        monkeypatch.setattr(importlib.metadata, "version", version)

    return absent


def test_every_combination_that_a_suite_may_declare_has_a_line_with_a_reason():
    rows = abilities()
    declared = [name for name in own_backends() if name != "null"]
    assert [(row.backend, row.precision) for row in rows] == list(itertools.product(declared, PRECISIONS))
    assert all(row.reason and "\n" not in row.reason for row in rows)


def test_what_runs_says_what_is_stored_and_what_executes():
    (row,) = [row for row in abilities() if (row.backend, row.precision) == ("onnxruntime", "fp16")]
    assert row.version == importlib.metadata.version("onnxruntime")
    assert row.reason == "stored f16, executes f32"


def test_a_runtime_that_is_not_installed_comes_with_its_pip_command(without):
    without("openvino")
    (row,) = [row for row in abilities() if (row.backend, row.precision) == ("openvino", "fp32")]
    assert row.version is None
    assert row.reason == "openvino is not installed: pip install 'quantgate[openvino]'"


def test_the_extra_in_a_pip_command_survives_the_table():
    console = Console(width=200, file=io.StringIO())
    console.print(ability_table([Ability("openvino", "fp32", None, "pip install 'quantgate[openvino]'")]))
    assert "quantgate[openvino]" in console.file.getvalue()
