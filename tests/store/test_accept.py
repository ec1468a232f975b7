"""What accepting does to baselines: numbers, occasions, the reason that explains them; and what results offer."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
import reports
from builders import FP32, INT8, MACHINE, measurement
from gated import NOON, recorded

from harness import ConfigError, Gate, Verdict
from harness.store import anchors, baselines
from harness.store.accept import Offer, has_recording, offer, phases, plan_change
from harness.store.baselines import BaselineFile
from harness.store.results import CellResult

GATES = (Gate("latency", max_rise=0.05),)


def accept(root: Path, measured, phase="accuracy", reason=""):
    change = plan_change(file(root, phase), measured, GATES, reason)
    return change, change.write()


def file(root: Path, phase="accuracy") -> BaselineFile:
    return BaselineFile(root, "made", phase, "kind", INT8.id)


def stored(root: Path, phase="accuracy") -> str:
    return baselines.reason(file(root, phase))


def timed(after: timedelta = timedelta(), shift: float = 0.0):
    made = recorded(NOON + after, shift)
    return dataclasses.replace(made, metrics={"latency_p50_ms": 4.0})


def test_a_plan_writes_nothing_and_knows_what_it_replaces(tmp_path: Path) -> None:
    change = plan_change(file(tmp_path), measurement(), GATES)
    assert (change.old, change.needed, change.file.path.exists()) == (None, True, False)
    change.write()
    again = plan_change(file(tmp_path), measurement(map=0.4), GATES)
    assert (again.old.metrics, again.needed) == (measurement().metrics, True)
    assert not plan_change(file(tmp_path), measurement(), GATES).needed


def test_provenance_of_the_other_phase_stays_out(tmp_path: Path) -> None:
    both = measurement(latency_p50_ms=4.0)
    both = dataclasses.replace(both, provenance={**both.provenance, "threads": 2, "detections": "d"})
    accept(tmp_path, both)
    accept(tmp_path, both, "latency")
    for phase, known, unknown in (("accuracy", "detections", "threads"), ("latency", "threads", "detections")):
        kept = baselines.load_baseline(file(tmp_path, phase)).provenance
        assert known in kept and unknown not in kept


def test_a_reason_stays_with_the_numbers_that_it_explains(tmp_path: Path) -> None:
    accept(tmp_path, measurement(map=0.4), reason="new data, #12")
    assert accept(tmp_path, measurement(map=0.4))[1] is False
    assert accept(tmp_path, measurement(map=0.4), reason="another")[1] is False, "nothing new, nothing to explain"
    assert stored(tmp_path) == "new data, #12"
    accept(tmp_path, measurement(map=0.41))
    assert stored(tmp_path) == ""


def test_a_reason_stays_with_the_level_of_a_latency(tmp_path: Path) -> None:
    accept(tmp_path, timed(), "latency", "new kernel")
    change, written = accept(tmp_path, timed(timedelta(hours=1)), "latency")
    assert (change.happened, written, stored(tmp_path, "latency")) == ("occasion 2, 10 processes", True, "new kernel")
    change, _ = accept(tmp_path, timed(timedelta(hours=2), shift=0.3), "latency")
    assert (change.happened[:26], stored(tmp_path, "latency")) == ("occasion 1 of a new level:", "")


def test_the_same_occasion_is_not_added_twice(tmp_path: Path) -> None:
    accept(tmp_path, timed(), "latency")
    before = file(tmp_path, "latency").path.read_bytes()
    change, written = accept(tmp_path, timed(), "latency")
    assert change.happened.startswith("no occasion added")
    assert (written, change.file.path.read_bytes()) == (False, before)


def test_a_damaged_accuracy_is_written_anew_and_damaged_occasions_are_not(tmp_path: Path) -> None:
    for phase, measured in (("accuracy", measurement()), ("latency", timed())):
        accept(tmp_path, measured, phase)[0].file.path.write_text("{")
    assert accept(tmp_path, measurement())[1] is True
    with pytest.raises(ConfigError, match="is damaged"):
        accept(tmp_path, timed(), "latency")


def test_a_damaged_accuracy_may_be_no_text_at_all(tmp_path: Path) -> None:
    accept(tmp_path, measurement())[0].file.path.write_bytes(b"\xff\xfe\x00")
    assert plan_change(file(tmp_path), measurement(), GATES).needed
    assert accept(tmp_path, measurement())[1] is True


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"map": 0.4}, ("accuracy",)),
        ({"latency_p50_ms": 4.0}, ("latency",)),
        ({"map": 0.4, "latency_p50_ms": 4.0}, ("accuracy", "latency")),
        ({}, ()),
    ],
)
def test_a_phase_that_was_measured_can_be_accepted(metrics: dict[str, float], expected: tuple[str, ...]) -> None:
    measured = dataclasses.replace(measurement(), metrics=metrics)
    assert phases(CellResult("made", INT8.id, INT8, "regressed", None, measured)) == expected
    assert phases(CellResult("made", INT8.id, INT8, "error", "it crashed", measured)) == (), "of a cell that failed"


def test_a_latency_that_a_gate_judges_needs_the_processes_of_both_references() -> None:
    one_reference = dataclasses.replace(timed(), samples={"log_ratio_network": [0.0]})
    assert has_recording(timed(), GATES)
    assert not has_recording(one_reference, GATES)
    assert not has_recording(measurement(), GATES)
    assert has_recording(measurement(), ()), "no gate judges it"
    assert has_recording(measurement(), [Gate("latency", max_rise=0.05, precisions="fp16")]), "no gate of this cell"


# What a results.json offers


def offered(tmp_path: Path, *cells: CellResult, only: str = "", **environment: str) -> Offer:
    gates = (Gate("map", max_drop=0.005), *GATES)
    made = reports.write(tmp_path / "results", cells, gates, **environment)
    return offer(made, tmp_path / "baselines", lambda result: only in result.id, "new boxes, #12")


def test_a_results_json_offers_the_files_that_an_update_would_write(tmp_path: Path) -> None:
    made = offered(tmp_path, reports.result(FP32), reports.result(INT8))
    assert [change.file for change in made.changes] == [
        BaselineFile(tmp_path / "baselines", "demo", "accuracy", MACHINE.isa, cell.id) for cell in (FP32, INT8)
    ]
    assert {change.reason for change in made.changes} == {"new boxes, #12"}
    assert all(change.needed and change.old is None for change in made.changes)
    assert made.warnings == ()


def test_a_folder_of_results_is_as_good_as_its_file(tmp_path: Path) -> None:
    made = reports.write(tmp_path, [reports.result(FP32)])
    by_file, by_folder = (
        offer(place, tmp_path / "baselines", lambda result: True, "because") for place in (made, tmp_path)
    )
    assert by_file == by_folder


def test_a_recorded_latency_is_offered_for_its_machine_class(tmp_path: Path) -> None:
    made = offered(tmp_path, reports.result(INT8, measured=timed(), baseline=None))
    assert [(change.file.shelf, change.file.kind) for change in made.changes] == [("latency", MACHINE.machine_class)]
    assert made.changes[0].happened == "occasion 1"
    assert made.left == ()


def test_what_is_not_accepted_has_a_line_with_the_reason(tmp_path: Path) -> None:
    absent = CellResult("demo", FP32.id, FP32, "unavailable", "no runtime", None)
    made = offered(tmp_path, absent, reports.result(INT8))
    assert made.left == (
        f"{FP32}: unavailable: no runtime",
        f"{INT8}: latency: this run did not record the processes that judge it; accept the results of a run with "
        f"--qg-baseline-update",
    )
    assert [change.file.cell for change in made.changes] == [INT8.id]


def test_a_cell_that_failed_is_refused_and_the_message_says_how_to_leave_it_out(tmp_path: Path) -> None:
    failed = dataclasses.replace(reports.result(INT8, "error"), reason="it crashed")
    with pytest.raises(ConfigError, match=rf"failed \({INT8}: it crashed\); leave it out: -k 'not \({INT8}\)'"):
        offered(tmp_path, reports.result(FP32), failed)
    assert offered(tmp_path, reports.result(FP32), failed, only="fp32").changes


def test_no_chosen_cell_is_an_error_that_names_all_cells(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"has no such cell; it has {FP32}, {INT8}$"):
        offered(tmp_path, reports.result(INT8), reports.result(FP32), only="int4")


def test_results_on_other_data_need_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = reports.write(tmp_path, [reports.result(FP32)], command="pytest --qg-dataset=other suites")
    with pytest.raises(ConfigError, match="was measured with --qg-dataset"):
        offer(made, Path("baselines"), lambda result: True, "because")
    assert offer(made, Path("others"), lambda result: True, "because").changes


@pytest.mark.parametrize("name", ["..", ".hidden", "", "a/b", "a\\b"])
def test_a_name_that_could_lead_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a suite, cell or machine; was it tampered with"):
        offered(tmp_path, reports.result(FP32), isa=name)


def test_what_accepting_loses_is_a_warning(tmp_path: Path) -> None:
    accepted = BaselineFile(tmp_path / "baselines", "demo", "accuracy", MACHINE.isa, FP32.id)
    before = dataclasses.replace(
        reports.scored(FP32), metrics={"map": 0.4, "map_large": 0.3},
        provenance={**reports.scored(FP32).provenance, "dataset": "another"},
    )  # fmt: skip
    baselines.save_baseline(accepted, before)
    made = offered(tmp_path, reports.result(FP32))
    assert made.warnings == (
        f"{FP32}: not comparable with what it replaces: dataset differs: the baseline has another, this run dd22",
        f"{FP32}: map_large will be gone: this run has no value",
    )


def test_what_accepting_does_not_cure_is_a_warning(tmp_path: Path) -> None:
    limit = Verdict("map", "limit", "missed", 0.4, None, "≥ 0.5")
    made = offered(tmp_path, reports.result(FP32, "missed", limit))
    assert made.warnings == (f"{FP32}: fails on, whatever the baseline: map missed: observed 0.4, expected ≥ 0.5",)


def test_an_anchor_that_stays_is_a_warning(tmp_path: Path) -> None:
    latency = BaselineFile(tmp_path / "baselines", "demo", "latency", MACHINE.machine_class, INT8.id)
    baselines.save_baseline(latency, timed())
    anchors.anchor_of(latency).path.parent.mkdir(parents=True)
    anchors.anchor_of(latency).path.write_text("{}")
    made = offered(tmp_path, reports.result(INT8, measured=timed(timedelta(hours=1)), baseline=None))
    assert made.warnings == (
        f"{INT8}: its anchor stays, and latency_creep is judged against it: quantgate anchor show",
    )
