"""Gated latency from the outside: real pytest runs of a scripted model whose work is real CPU time."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from demoproject import FP32, Demo, output, write_coco

from harness.commands.cli import main
from harness.judge.latency import OCCASION

WORK = 600  # products of the model; its reference makes 100


@pytest.fixture
def demo(pytester: pytest.Pytester) -> Demo:
    made = Demo(pytester)
    write_coco(made.path / "data" / "val.json")
    pytester.makeini("[pytest]\n")
    made.model(work=WORK)
    made.suite(gates='Gate("latency", max_rise=0.2)')
    return made


def stored(demo: Demo) -> Path:
    (file,) = demo.baselines("latency")
    return file


def second_occasion(demo: Demo) -> None:
    """What another recording ten minutes later adds: here the same numbers, spread a little."""
    content = json.loads(stored(demo).read_text())
    (first,) = content["provenance"]["gated"]["occasions"]
    content["provenance"]["gated"]["occasions"].append({**first, "recorded": "2099-01-01T00:00Z"})
    for values in content["samples"].values():
        values += [value + 0.01 * (-1) ** n for n, value in enumerate(values)]
    stored(demo).write_text(json.dumps(content))


@pytest.fixture
def accepted(demo: Demo) -> Demo:
    result = demo.run("-m", "latency", "--qg-baseline-update")
    assert result.ret == 0, output(result)
    assert f"gated latency: occasion 1: {FP32}" in output(result)
    second_occasion(demo)
    return demo


def verdicts(demo: Demo) -> dict[str, dict[str, Any]]:
    return {verdict["metric"]: verdict for verdict in demo.cells()[FP32]["verdicts"]}


def test_a_recording_keeps_one_number_a_process_and_what_it_was_measured_with(demo: Demo) -> None:
    demo.run("-m", "latency", "--qg-baseline-update")
    content = json.loads(stored(demo).read_text())
    assert {name: len(values) for name, values in content["samples"].items()} == {
        "log_ratio_network": OCCASION, "log_ratio_numpy": OCCASION,
        "log_level_network": OCCASION, "log_level_numpy": OCCASION,
        "wall_log_ratio_network": OCCASION, "wall_log_ratio_numpy": OCCASION,
    }  # fmt: skip
    assert content["provenance"]["gated"].keys() == {"artifact", "occasions", "references", "repeats"}


def test_unchanged_code_is_not_called_slower(accepted: Demo) -> None:
    result = accepted.run("-m", "latency")
    assert result.ret == 0, output(result)
    assert verdicts(accepted)["latency"]["status"] in ("unchanged", "inconclusive")
    assert verdicts(accepted)["latency"]["observed"] == pytest.approx(1.0, abs=0.15)
    assert accepted.results()["intervals"]


def test_twice_the_work_is_a_regression_that_fails_and_says_how_much(accepted: Demo) -> None:
    accepted.model(work=2 * WORK)
    result = accepted.run("-m", "latency")
    assert result.ret == 1
    verdict = verdicts(accepted)["latency"]
    assert verdict["status"] == "regressed"
    assert verdict["observed"] == pytest.approx(2.0, rel=0.15)
    assert "by 7 processes against 10, network reference" in verdict["detail"]


def test_a_baseline_of_one_occasion_is_inconclusive_which_an_option_makes_fail(demo: Demo) -> None:
    demo.run("-m", "latency", "--qg-baseline-update")
    passing, failing = demo.run("-m", "latency"), demo.run("-m", "latency", "--qg-inconclusive=fail")
    assert (passing.ret, failing.ret) == (0, 1)
    assert "INCONCLUSIVE: 1 cell" in output(passing)
    assert "has 5 processes of 1 occasion and needs 10 of 2" in output(failing)


def test_without_a_baseline_nothing_is_measured_in_vain(demo: Demo) -> None:
    result = demo.run("-m", "latency")
    assert result.ret == 0
    assert verdicts(demo)["latency"]["status"] == "no-baseline"
    assert not any("log_ratio" in name for name in demo.cells()[FP32]["samples"])


def test_other_references_are_incomparable_and_named(accepted: Demo) -> None:
    content = json.loads(stored(accepted).read_text())
    content["provenance"]["gated"]["references"] = {"network": "another", "numpy": "older"}
    stored(accepted).write_text(json.dumps(content))
    result = accepted.run("-m", "latency", "--qg-require-baseline")
    assert result.ret == 1
    assert verdicts(accepted)["latency"]["status"] == "incomparable"
    assert "network reference: the baseline has another, this run " in output(result)


def test_an_anchor_catches_what_every_single_step_let_pass(accepted: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(accepted.path / "baselines")
    assert main(["anchor", "set", "v1", "--baselines", folder]) == 0
    crept = copy.deepcopy(json.loads(stored(accepted).read_text()))
    for name, values in crept["samples"].items():
        if "log_ratio" in name:  # twice as slow, accepted bit by bit
            crept["samples"][name] = [value + 0.69 for value in values]
    stored(accepted).write_text(json.dumps(crept))
    accepted.model(work=2 * WORK)
    result = accepted.run("-m", "latency")
    assert result.ret == 1
    assert verdicts(accepted)["latency"]["status"] in ("unchanged", "inconclusive")
    assert verdicts(accepted)["latency_creep"]["status"] == "regressed"
    capsys.readouterr()
    assert main(["anchor", "show", "--baselines", folder]) == 0
    shown = capsys.readouterr().out
    assert "v1" in shown and "+99.4%" in shown


def test_an_anchor_needs_a_name_and_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anchor", "set", "--baselines", str(tmp_path)]) == 2
    assert "needs a name" in capsys.readouterr().err
    assert main(["anchor", "show", "--baselines", str(tmp_path / "none")]) == 2
    assert "no folder of baselines" in capsys.readouterr().err
