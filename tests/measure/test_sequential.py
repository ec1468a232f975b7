"""Gated latency: which processes run, and real pytest runs of a scripted model whose work is real CPU time."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import INT8
from demoproject import FP32, Demo, output, write_coco
from gated import BUSY, IDENTITY, NOON, QUIET, processes, recorded

from harness.commands.cli import main
from harness.core.errors import CellError
from harness.core.measurement import Artifact, Measurement
from harness.core.processes import Identity, Interference, Replicate, Side, Target
from harness.judge import latency
from harness.judge.latency import OCCASION
from harness.measure.sequential import against_base, against_baseline, alternating, record, without

# With a stand-in for the place where processes run

OWN = Target(INT8, Artifact("own.onnx", IDENTITY.artifact, 1), "pixels.npy", IDENTITY.references)
BASE = Target(INT8, Artifact("base.onnx", "base", 1), "pixels.npy", IDENTITY.references)
BASE_SIDE = Side("base", "/base/python")
RULES = {"latency": 0.05}


def by(references, one: Replicate) -> Replicate:
    """A process that measures by these references alone."""
    return replace(
        one,
        cpu={name: one.cpu[name] for name in references},
        wall={name: one.wall[name] for name in references},
        levels={name: one.levels[name] for name in references},
    )


class Place:
    """Starts no process: each turn gets the next of `processes`. The candidate is slower by `shift`, a logarithm."""

    def __init__(self, shift: float = 0.0, meanwhile: Interference = QUIET, base: Target = BASE) -> None:
        self._own, self._base = iter(processes(shift, meanwhile=meanwhile, count=7)), iter(processes(count=7))
        self._targets = {"o": OWN, "b": base}
        self.asked: list[tuple[str, list[str], dict[str, int]]] = []

    def replicates(self, turns, references, repeats) -> list[Replicate]:
        whose = "".join("b" if side == BASE_SIDE else "o" for _, side in turns)
        assert [target for target, _ in turns] == [self._targets[turn] for turn in whose]
        self.asked.append((whose, list(references), dict(repeats)))
        return [by(references, next(self._base if turn == "b" else self._own)) for turn in whose]


@pytest.fixture
def mature() -> Measurement:
    """A baseline of two occasions."""
    both, _ = latency.extended(recorded(), recorded(NOON + timedelta(minutes=10)), 0.05)
    return both


def status(judged) -> dict[str, str]:
    return {verdict.metric: verdict.status for verdict in judged[1]}


def test_a_recording_is_one_occasion_with_both_references_whose_repeats_the_first_process_fits() -> None:
    place = Place()
    made = record(place, OWN, None)
    both = ["network", "numpy"]
    assert place.asked == [("o", both, {}), ("oooo", both, {"network": 7})]
    assert len(made.samples["log_ratio_network"]) == OCCASION
    assert latency.gated(made)["repeats"] == {"network": 7}


def test_a_recording_repeats_the_references_as_a_baseline_of_the_same_artifact_does() -> None:
    known, other = Place(), Place()
    record(known, OWN, recorded(network=9))
    assert known.asked[0][2] == {"network": 9}
    record(other, OWN, recorded(identity=Identity("another", IDENTITY.references), network=9))
    assert other.asked[0][2] == {}


@pytest.mark.parametrize(
    ("accepted", "said", "why"),
    [
        (Measurement(INT8), "no-baseline", "no gated processes"),
        (recorded(identity=Identity("a", {"network": "x", "numpy": "y"})), "incomparable", "network reference"),
        (recorded(), "inconclusive", "needs 10 of 2"),
    ],
)
def test_nothing_is_measured_that_could_not_be_judged(accepted, said, why) -> None:
    place = Place()
    measured, (verdict,) = against_baseline(place, OWN, RULES, accepted, None, 1)
    assert place.asked == []
    assert measured == Measurement(INT8)
    assert (verdict.status, verdict.metric) == (said, "latency")
    assert why in verdict.detail


def test_an_unchanged_cell_is_passed_at_the_first_look(mature) -> None:
    place = Place()
    judged = against_baseline(place, OWN, RULES, mature, None, 1)
    assert status(judged) == {"latency": "unchanged"}
    assert place.asked == [("ooo", ["network"], {"network": 7})]


def test_a_slower_cell_is_convicted_at_the_last_look_and_every_look_adds_two_processes(mature) -> None:
    place = Place(shift=0.2)
    judged = against_baseline(place, OWN, RULES, mature, None, 1)
    assert status(judged) == {"latency": "regressed"}
    assert [whose for whose, _, _ in place.asked] == ["ooo", "oo", "oo"]
    assert len(judged[0].samples["log_ratio_network"]) == 7


def test_the_creep_since_the_anchor_is_judged_by_the_anchor_s_own_reference(mature) -> None:
    rules = {**RULES, "latency_creep": 0.1}
    upgraded = Identity("old", {"network": "n on ort 0", "numpy": "p"})
    place = Place()
    judged = against_baseline(place, OWN, rules, mature, recorded(shift=-0.5, identity=upgraded), 1)
    assert status(judged) == {"latency": "unchanged", "latency_creep": "regressed"}
    assert place.asked[0][1] == ["network", "numpy"]


@pytest.mark.parametrize(
    ("anchor", "why"),
    [
        (recorded(identity=Identity("a", {"network": "x", "numpy": "y"})), "anchor: network reference"),
        (recorded(network=9), "anchor: repeats of the references differ"),
    ],
)
def test_an_anchor_that_cannot_be_used_is_incomparable_and_the_baseline_judges_all_the_same(
    mature, anchor, why
) -> None:
    rules = {**RULES, "latency_creep": 0.1}
    judged = against_baseline(Place(), OWN, rules, mature, anchor, 1)
    assert status(judged) == {"latency": "unchanged", "latency_creep": "incomparable"}
    assert judged[1][-1].detail.startswith(why)
    assert "quantgate anchor set RELEASE" in judged[1][-1].detail


def test_without_an_anchor_there_is_no_creep(mature) -> None:
    judged = against_baseline(Place(), OWN, {**RULES, "latency_creep": 0.1}, mature, None, 1)
    assert status(judged) == {"latency": "unchanged"}


def test_a_busy_machine_is_noted(mature) -> None:
    measured, _ = against_baseline(Place(meanwhile=BUSY), OWN, RULES, mature, None, 1)
    assert measured.notes[0].startswith("busy while latency was gated: CPU pressure 40%")
    assert against_baseline(Place(), OWN, RULES, mature, None, 1)[0].notes == ()


def test_a_process_that_fails_is_raised(mature) -> None:
    class Broken(Place):
        def replicates(self, turns, references, repeats):
            raise CellError("its process died")

    with pytest.raises(CellError):
        against_baseline(Broken(), OWN, RULES, mature, None, 1)


def test_the_base_alternates_with_the_candidate_and_fits_the_repeats() -> None:
    place = Place(shift=0.2)
    judged = against_base(place, OWN, BASE, BASE_SIDE, RULES, 1)
    assert status(judged) == {"latency": "regressed"}
    assert [whose for whose, _, _ in place.asked] == ["b", "oobbo", "obbo", "obbo"]
    assert [repeats for _, _, repeats in place.asked] == [{}, *[{"network": 7}] * 3]
    assert len(judged[0].samples["log_ratio_network"]) == 7, "the candidate's own processes"


def test_an_unchanged_candidate_is_passed_after_three_processes_of_each_side() -> None:
    place = Place()
    assert status(against_base(place, OWN, BASE, BASE_SIDE, RULES, 1)) == {"latency": "unchanged"}
    assert "".join(whose for whose, _, _ in place.asked) == "boobbo"


def test_the_same_artifact_in_the_same_environment_needs_no_measurement() -> None:
    place = Place()
    judged = against_base(place, OWN, OWN, BASE_SIDE, {**RULES, "latency_wall": 0.1}, 1)
    assert place.asked == []
    assert status(judged) == {"latency": "unchanged", "latency_wall": "unchanged"}


def test_two_environments_without_a_common_reference_are_judged_by_the_time_itself() -> None:
    other = replace(BASE, references={"network": "n on ort 2", "numpy": "q"})
    place = Place(shift=0.2, base=other)
    judged = against_base(place, OWN, other, BASE_SIDE, RULES, 1)
    assert status(judged) == {"latency": "regressed"}
    assert place.asked[0][1] == ["numpy"]
    assert "network: n on ort 2 on the base, n on ort 1 here" in judged[1][0].detail


def test_the_base_goes_first_in_every_other_pair() -> None:
    assert alternating(3) == [True, False, False, True, True, False]
    assert alternating(0) == []
    assert alternating(7)[:6] == alternating(3)
    assert sum(alternating(7)) == 7


def test_where_nothing_was_measured_the_first_rule_gets_the_verdict() -> None:
    verdict = without("no-baseline", {"latency": 0.05, "latency_wall": 0.1}, "why")
    assert (verdict.metric, verdict.expected, verdict.detail) == ("latency", "≤ 1.05 × baseline", "why")
    assert verdict.observed is None


# From the outside

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
