"""The list of commands."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from harness import commands
from harness.commands import NAMES
from harness.commands.cli import parser


def test_every_module_that_registers_a_command_is_named_once() -> None:
    modules = [
        importlib.import_module(f"harness.commands.{one.name}") for one in pkgutil.iter_modules(commands.__path__)
    ]
    registering = {module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "add")}
    assert sorted(NAMES) == sorted(registering)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_registers_the_command_of_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: quantgate {name} ")


def test_the_help_lists_the_commands_in_their_order() -> None:
    lines = [line.split()[0] for line in parser().format_help().splitlines() if line.startswith("    ")]
    assert tuple(word for word in lines if word in NAMES) == NAMES
