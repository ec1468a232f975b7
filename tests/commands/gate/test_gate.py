"""`quantgate gate` as it is typed: what its options mean, and how an interruption ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands.base import Exit
from harness.commands.cli import main
from harness.commands.gate import against_base
from harness.commands.gate.against_base import GateOptions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[GateOptions]:
    """What the gate is asked to do, which here takes no time."""
    found: list[GateOptions] = []

    def run_gate(wanted: GateOptions) -> Exit:
        found.append(wanted)
        return Exit.INCONCLUSIVE

    monkeypatch.setattr(against_base, "run_gate", run_gate)
    return found


def test_the_suites_folder_is_judged_where_none_is_named(asked: list[GateOptions]) -> None:
    assert main(["gate", "--base", "main"]) == Exit.INCONCLUSIVE
    assert asked == [GateOptions("main", ("suites",))]


def test_every_option_reaches_the_gate_and_those_of_pytest_are_split_as_a_shell_does(asked: list[GateOptions]) -> None:
    main(
        ["gate", "--base", "HEAD~1", "a.py", "b.py::test_accuracy[c]", "--pytest=-n auto -k 'int8 and not torch'",
         "--pytest=-x", "--inconclusive=fail", "--allow-removed", "--base-python=env/bin/python", "--results-dir=out"]
    )  # fmt: skip
    assert asked == [
        GateOptions(
            "HEAD~1", ("a.py", "b.py::test_accuracy[c]"), ("-n", "auto", "-k", "int8 and not torch", "-x"), Path("out"),
            inconclusive_fails=True, allow_removed=True, python=Path("env/bin/python"),
        )
    ]  # fmt: skip
    main(["gate", "--base", "main", "--base-requirements", "requirements.txt"])
    assert asked[1].requirements == "requirements.txt"


@pytest.mark.parametrize(
    "arguments", [[], ["--base", "main", "--base-python", "p", "--base-requirements", "r"], ["--inconclusive", "maybe"]]
)
def test_wrong_usage_is_2(asked: list[GateOptions], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["gate", *arguments])
    assert ended.value.code == Exit.USAGE
    assert not asked


def test_an_interruption_says_that_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def interrupted(wanted: GateOptions) -> Exit:
        raise KeyboardInterrupt

    monkeypatch.setattr(against_base, "run_gate", interrupted)
    assert main(["gate", "--base", "main"]) == 130
    assert capsys.readouterr().err == "quantgate: interrupted; the base's worktree is removed\n"
