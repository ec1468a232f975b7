"""`quantgate selfcheck KIND`: what its options mean, and what it prints and keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.commands.cli import main
from harness.commands.selfcheck import parallel_runs, rates
from harness.commands.selfcheck.rates import SelfcheckOptions


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[SelfcheckOptions]:
    """What the trials are asked for, which here take no time."""
    found: list[SelfcheckOptions] = []
    monkeypatch.setattr(rates, "run_selfcheck", lambda wanted, cache, say: found.append(wanted) or [])
    monkeypatch.setattr(rates, "rates", lambda done, wanted: [])
    return found


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["aa"], SelfcheckOptions("aa", 300, 0.05)),
        (["aa", "--inject", "20", "--sleep"], SelfcheckOptions("aa", 300, 0.05)),  # they are options of power
        (["aa", "--quick", "--wall", "--limit", "3"], SelfcheckOptions("aa", 6, 0.03, wall=True)),
        (["power"], SelfcheckOptions("power", 300, 0.05, inject=0.1)),
        (["power", "--sleep"], SelfcheckOptions("power", 300, 0.05, inject=0.1, asleep=True, wall=True)),
        (
            [
                "aa",
                "--trials",
                "9",
                "--neighbours",
                "2",
                "--jobs",
                "3",
                "--backends",
                "litert,",
                "--baselines",
                "a.json",
            ],
            SelfcheckOptions("aa", 9, 0.05, 2, 3, backends=("litert",), baselines=Path("a.json")),
        ),
    ],
)
def test_options_reach_the_trials_as_shares(
    asked: list[SelfcheckOptions], capsys, arguments: list[str], wanted: SelfcheckOptions
) -> None:
    assert main(["selfcheck", *arguments]) == 0
    assert asked == [wanted]
    assert capsys.readouterr().out.endswith("everything: selfcheck.json\n")


def test_overhead_is_told_by_clock_and_kept(here: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(rates, "overhead", lambda: {"reported latency": 0.4, "gated latency": 1.25})
    assert main(["selfcheck", "overhead", "--out", "o.json"]) == 0
    lines = ["reported latency: 0.40 µs per call", "gated latency: 1.25 µs per call"]
    assert capsys.readouterr().out.splitlines()[1:] == lines
    kept = json.loads((here / "o.json").read_text())
    assert (kept["schema"], kept["kind"], kept["lines"]) == (1, "overhead", lines)
    assert kept["found"]["gated latency"] == 1.25


@pytest.mark.parametrize(("options", "rounds"), [([], 3), (["--quick"], 1)])
def test_interference_is_told_by_cell_with_the_overlaps(here: Path, capsys, monkeypatch, options, rounds) -> None:
    asked: list[Any] = []

    def shifts(*arguments):
        asked.append(arguments[:2])
        return {"a cell": -0.0123}, 2

    monkeypatch.setattr(parallel_runs, "shifts", shifts)
    assert main(["selfcheck", "interference", *options]) == 0
    assert asked == [(("onnxruntime", "openvino"), rounds)]
    assert capsys.readouterr().out.splitlines()[1:] == ["a cell: -1.23%", "timed sections that met anything else: 2"]


def test_a_quick_check_runs_real_processes_and_keeps_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "aa.json"
    assert main(["selfcheck", "aa", "--quick", "--backends", "litert", "--jobs", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "quantgate: false alarms" in printed and "of 6" in printed
    content = json.loads(out.read_text())
    assert [len(one["baseline"]) for one in content["trials"]] == [10] * 6
    assert all(len(one["candidate"]) in (3, 5, 7) for one in content["trials"])
    assert [len(old) for _, old in rates.read_baselines(out)] == [10] * 6


def test_baselines_of_something_else_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "no.json").write_text("[]")
    assert main(["selfcheck", "power", "--quick", "--baselines", str(tmp_path / "no.json")]) == 2
    assert "is not the JSON of a selfcheck" in capsys.readouterr().err
