"""Exit codes, the parser that every command registers, and the cells that shells complete."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from harness.commands.base import EXITS, Commands, Exit, add_cell, command, completed_cells
from harness.core.errors import KINDS, ConfigError, QuantgateError

FP32, INT8 = "yolo26n-fp32-torch-cpu", "yolo26n-int8-onnxruntime-cpu"


def nothing(options: argparse.Namespace) -> Exit:
    return Exit.FINE


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser("quantgate")


@pytest.fixture
def commands(parser: argparse.ArgumentParser) -> Commands:
    return parser.add_subparsers()


def test_every_exit_code_is_documented_in_the_help() -> None:
    documented = [line.split(":")[0].split() for line in EXITS.splitlines()[1:]]
    assert documented == [[str(code.value), code.name.lower()] for code in Exit]


@pytest.mark.parametrize("kind", [QuantgateError, *KINDS.values()])
def test_wrong_input_is_usage_and_every_other_error_is_infrastructure(kind: type[QuantgateError]) -> None:
    assert kind.exit_code == (Exit.USAGE if issubclass(kind, ConfigError) else Exit.INFRASTRUCTURE)


def test_the_help_wraps_prose_and_keeps_the_lines_of_examples(commands: Commands, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    example = f"quantgate made {'word ' * 20}".rstrip()
    made = command(commands, "made", nothing, summary="", description="prose " * 30, examples=[example])
    text = made.format_help()
    assert text.endswith(f"Examples:\n  {example}\n")
    assert max(len(line) for line in text.partition("Examples:")[0].splitlines()) <= 60


def test_a_command_is_listed_by_its_summary_and_runs_its_function(parser, commands: Commands) -> None:
    command(commands, "made", nothing, summary="what it is for", description="", examples=[])
    assert "what it is for" in parser.format_help()
    assert parser.parse_args(["made"]).run is nothing


def test_an_argument_that_names_a_cell_completes_cells(parser) -> None:
    add_cell(parser, "what", help="another text")
    (argument,) = [action for action in parser._actions if action.dest == "what"]
    assert argument.completer is completed_cells
    assert (argument.metavar, argument.help) == ("CELL", "another text")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the baseline of one cell."""
    file = tmp_path / "baselines" / "made" / "accuracy" / "avx2" / f"{INT8}.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    (tmp_path / ".quantgate").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_cells_are_those_of_the_baselines_and_of_the_last_results(project: Path) -> None:
    (project / ".quantgate" / "results.json").write_text(json.dumps({"cells": [{"id": FP32}, {"id": INT8}]}))
    assert completed_cells() == [FP32, INT8]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"cells": [{}]}', '{"cells": 1}'])
def test_cells_of_broken_results_are_none_and_no_error(project: Path, content: str) -> None:
    (project / ".quantgate" / "results.json").write_text(content)
    assert completed_cells() == [INT8]


def test_a_folder_without_results_and_baselines_has_no_cells(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert completed_cells() == []
