"""One phase of one cell: what is measured first, what it is held against, and what the record says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import FP32 as FLOAT
from builders import INT8 as QUANTIZED
from builders import MACHINE, measurement
from demoproject import EXACT, FP32, INT8, LOOSE, Demo, output, repeat_command, section, write_coco
from gated import IDENTITY, processes

from harness import Gate, Measurement, Suite
from harness.core.cell import Cell
from harness.core.errors import CellError
from harness.core.measurement import Artifact
from harness.core.metrics import Phase
from harness.core.processes import REFERENCES, Replicate, Target, Turn
from harness.judge.latency import OCCASION
from harness.plugin import cell_run
from harness.plugin.cell_run import CellRun
from harness.plugin.session import RunState, Selected
from harness.store import baselines
from harness.store.base_revision import Base
from harness.store.baselines import BaselineFile
from harness.store.records import Record

HOME = Path("suites")
DROP, RISE = Gate("map", max_drop=0.01), Gate("latency", max_rise=0.05)
TIMED = Measurement(FLOAT, metrics={"latency_p50_ms": 4.0}, machine=MACHINE)


class Scripted:
    """A place that measures nothing: it answers from its fields, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []  # what, and the cell's id
        self.scored = dataclasses.replace(measurement(FLOAT), machine=MACHINE)
        self.timed = TIMED
        self.siblings: Sequence[Cell] = ()  # selected for timing
        self.broken: CellError | None = None  # what building the target raises

    def accuracy(self, suite: Suite, home: Path, cell: Cell) -> Measurement:
        self.asked.append(("accuracy", cell.id))
        return dataclasses.replace(self.scored, cell=cell)

    def help_with_accuracy(self, suite: Suite, home: Path, cell: Cell) -> None:
        self.asked.append(("help", cell.id))

    def latency(self, suite: Suite, home: Path, cell: Cell, selected: Sequence[Cell]) -> Measurement:
        self.asked.append(("latency", cell.id))
        self.siblings = selected
        return dataclasses.replace(self.timed, cell=cell)

    def target(self, suite: Suite, home: Path, cell: Cell) -> Target:
        if self.broken:
            raise self.broken
        return Target(cell, Artifact("model.onnx", "artifact", 1), "pixels.npy", IDENTITY.references)

    def replicates(
        self, turns: Sequence[Turn], references: Sequence[str], repeats: Mapping[str, int]
    ) -> list[Replicate]:
        self.asked += [("process", target.cell.id) for target, _ in turns]
        return processes(count=len(turns))


@pytest.fixture
def place() -> Scripted:
    return Scripted()


@pytest.fixture
def run(make_state: Callable[..., RunState], place: Scripted) -> Callable[..., Record]:
    """A function that runs one test of fp32 and returns its record; keywords replace fields of the state."""

    def run(
        phase: Phase, gates: Sequence[Gate] = (DROP, RISE), cells: Sequence[Cell] = (FLOAT,), cell: Cell = FLOAT,
        **changes: Any,
    ) -> Record:  # fmt: skip
        suite = Suite("made", "coco8", cells, gates)
        state = make_state(**changes)
        state.place = place  # type: ignore[misc]  # instead of this machine
        state.selected = [Selected(suite, one, each, HOME) for each in ("accuracy", "latency") for one in cells]
        return CellRun(state, suite, HOME, cell, phase).record()

    return run


def baseline(state: RunState, shelf: Phase = "accuracy", kind: str = MACHINE.isa, cell: Cell = FLOAT) -> BaselineFile:
    return BaselineFile(state.baselines, "made", shelf, kind, cell.id)


def statuses(record: Record) -> dict[str, str]:
    return {verdict.metric: verdict.status for verdict in record.verdicts}


# A baseline


def test_the_record_has_measurement_verdicts_and_the_metrics_that_judged(run, make_state) -> None:
    baselines.save_baseline(baseline(make_state()), measurement(FLOAT, map=0.5))
    record = run("accuracy")
    assert (record.suite, record.phase, record.measured.cell) == ("made", "accuracy", FLOAT)
    assert statuses(record) == {"map": "regressed"}
    assert record.baseline == {"map": 0.5, "map_50": 0.6, "size_bytes": 1000}


def test_where_there_is_no_baseline_the_machines_that_have_one_are_named(run, make_state) -> None:
    for kind in ("neon", "avx512"):
        baselines.save_baseline(baseline(make_state(), kind=kind), measurement(FLOAT))
    (verdict,) = run("accuracy").verdicts
    assert verdict.status == "no-baseline"
    assert verdict.detail.endswith(f" ({MACHINE.isa} has none, avx512, neon has)")


def test_a_damaged_baseline_costs_the_verdict_and_not_the_measurement(run, make_state) -> None:
    file = baseline(make_state())
    baselines.save_baseline(file, measurement(FLOAT))
    file.path.write_text("{")
    record = run("accuracy")
    status, reason = record.measured.failure
    assert (status, record.verdicts, record.baseline) == ("error", (), None)
    assert f"baseline {file.path} is damaged" in reason
    assert record.measured.metrics["map"] == 0.4185


@pytest.mark.parametrize("phase", ["accuracy", "latency"])
def test_a_cell_that_failed_is_not_judged(run, place: Scripted, phase: Phase) -> None:
    place.scored = place.timed = Measurement(FLOAT, failure=("unavailable", "no runtime"))
    record = run(phase, update=True)
    assert record.measured.failure == ("unavailable", "no runtime")
    assert (record.verdicts, record.baseline) == ((), None)
    assert ("process", FLOAT.id) not in place.asked


def test_an_update_holds_the_measurement_against_itself(run, make_state) -> None:
    baselines.save_baseline(baseline(make_state()), measurement(FLOAT, map=0.9))
    record = run("accuracy", update=True)
    assert statuses(record) == {"map": "unchanged"}
    assert record.baseline["map"] == 0.4185


def test_a_required_baseline_is_missed_though_no_gate_asks_for_one(run) -> None:
    limit = (Gate("map", min=0.1),)
    assert statuses(run("accuracy", limit)) == {"map": "met"}
    strict = run("accuracy", limit, require_baseline=True)
    assert [verdict.status for verdict in strict.verdicts] == ["met", "no-baseline"]


def test_every_cell_with_an_fp32_sibling_has_gates_that_the_suite_does_not_declare(run) -> None:
    assert statuses(run("accuracy", (), (FLOAT, QUANTIZED), QUANTIZED)).keys() == {"agreement", "collapsed_classes"}
    assert statuses(run("accuracy", (), (FLOAT, QUANTIZED), FLOAT)) == {}
    assert statuses(run("accuracy", (), (QUANTIZED,), QUANTIZED)) == {}


def test_what_cannot_be_explained_is_a_note(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(*_: object) -> None:
        raise CellError("its process was killed by SIGKILL")

    monkeypatch.setattr(cell_run, "explain", explain)
    record = run("accuracy", (Gate("map", min=0.9),), explain=True)
    assert statuses(record) == {"map": "missed"}
    assert record.explanation is None
    assert record.measured.notes == ("not explained: its process was killed by SIGKILL",)


# Timing


def test_all_accuracy_is_measured_before_anything_is_timed(run, place: Scripted) -> None:
    run("latency", (), (FLOAT, QUANTIZED))
    ids = (FLOAT.id, QUANTIZED.id)
    assert place.asked == [*(("help", id) for id in ids), *(("accuracy", id) for id in ids), ("latency", FLOAT.id)]
    assert list(place.siblings) == [FLOAT, QUANTIZED]


def test_latency_is_not_measured_by_fresh_processes_unless_a_gate_asks(run, place: Scripted) -> None:
    run("latency", (DROP, Gate("latency", max_rise=0.05, precisions="int8")), (FLOAT, QUANTIZED))
    assert ("process", FLOAT.id) not in place.asked


def test_an_update_records_an_occasion_with_both_references(run, place: Scripted) -> None:
    record = run("latency", update=True)
    assert place.asked.count(("process", FLOAT.id)) == OCCASION
    assert {len(record.measured.samples[f"log_ratio_{name}"]) for name in REFERENCES} == {OCCASION}
    assert record.measured.metrics == TIMED.metrics
    (verdict,) = record.verdicts
    assert (verdict.metric, verdict.status, verdict.detail) == ("latency", "unchanged", "accepted")


def test_without_a_baseline_of_latency_no_process_is_started_in_vain(run, place: Scripted, make_state) -> None:
    baselines.save_baseline(baseline(make_state(), "latency", "graviton"), TIMED)
    place.broken = CellError("the target was built in vain")
    (verdict,) = run("latency").verdicts
    assert (verdict.status, verdict.metric) == ("no-baseline", "latency")
    assert verdict.detail.startswith("accept this one with --qg-baseline-update")
    assert verdict.detail.endswith(f" ({MACHINE.machine_class} has none, graviton has)")
    assert ("process", FLOAT.id) not in place.asked


def test_a_process_that_fails_is_the_cell_s_failure(run, place: Scripted, make_state) -> None:
    baselines.save_baseline(baseline(make_state(), "latency", MACHINE.machine_class), TIMED)
    place.broken = CellError("it crashed")
    record = run("latency")
    assert record.measured.failure == ("error", "it crashed")
    assert record.measured.metrics == TIMED.metrics, "what was measured before is not lost"
    assert record.verdicts == ()


# A base instead of baselines


@pytest.fixture
def base(tmp_path: Path, place: Scripted) -> Base:
    """A base whose run has left the target of fp32, in another interpreter."""
    theirs = dataclasses.replace(place.target(Suite("made", "coco8", (FLOAT,)), HOME, FLOAT), python="/base/python")
    theirs.publish(tmp_path / "base" / "runs" / "one", "made")
    content = {
        "schema": 1, "environment": {}, "suites": [{"name": "made", "file": "test_made.py", "gates": []}], "cells": [],
    }  # fmt: skip
    (tmp_path / "base" / "results.json").write_text(json.dumps(content))
    return Base("HEAD~1", ("quantgate", "gate"), "/base/python", "", str(tmp_path / "base"))


def test_processes_of_the_base_and_of_the_cell_take_turns_without_an_anchor(run, place: Scripted, base: Base) -> None:
    record = run("latency", base=base)
    assert statuses(record) == {"latency": "unchanged", "latency_wall": "unchanged"}
    assert place.asked.count(("process", FLOAT.id)) % 2 == 0


@pytest.mark.parametrize("phase", ["accuracy", "latency"])
def test_a_cell_that_the_base_lacks_is_new(run, place: Scripted, base: Base, phase: Phase) -> None:
    record = run(phase, (DROP, RISE), (QUANTIZED,), QUANTIZED, base=base)
    (verdict,) = record.verdicts
    assert (verdict.status, verdict.detail) == ("no-baseline", "new: the base HEAD~1 has no such cell")


def test_versions_that_differ_from_the_base_s_are_noted(run, place: Scripted, base: Base, make_state) -> None:
    def at(version: str) -> Measurement:
        made = measurement(FLOAT)
        traced = {**made.provenance, "versions": {"onnxruntime": version}}
        return dataclasses.replace(made, provenance=traced, machine=MACHINE)

    baselines.save_baseline(baseline(make_state()), at("1.20"))
    place.scored = at("1.21")
    assert run("accuracy", base=base).measured.notes == ("onnxruntime 1.20 on the base, 1.21 here",)
    assert run("accuracy").measured.notes == (), "a stored baseline may be of any version"


# In a real run: against a baseline


def test_without_a_baseline_a_run_passes_with_a_loud_line(demo: Demo) -> None:
    result = demo.run("-m", "accuracy")
    assert result.ret == 0
    assert f"NO-BASELINE: 1 cell ({FP32}): accept this one with --qg-baseline-update" in output(result)
    assert demo.statuses() == {FP32: "no-baseline"}


def test_without_a_baseline_a_run_fails_where_one_is_required(demo: Demo) -> None:
    result = demo.run("-m", "accuracy", "--qg-require-baseline")
    result.assert_outcomes(failed=1)
    assert section(result, " FAILURES ")[0].startswith(f"{FP32}: map no-baseline: observed 1, expected")
    assert repeat_command(result) == ["--qg-require-baseline", f"test_demo.py::test_accuracy[{FP32}]"]


def test_an_accepted_run_is_unchanged_the_next_time(accepted: Demo) -> None:
    result = accepted.run("-m", "accuracy", "--qg-require-baseline")
    assert result.ret == 0
    assert accepted.statuses() == {FP32: "unchanged"}


def test_a_lower_map_is_regressed_fails_and_is_repeated_by_the_printed_command(accepted: Demo) -> None:
    accepted.model("model", LOOSE)
    failed = accepted.run()
    failed.assert_outcomes(failed=1, passed=2)
    assert accepted.statuses() == {FP32: "regressed"}
    line = (
        f"{FP32}: map regressed: observed 0.7, expected ≥ 0.99 (baseline 1): −0.3000, 99% interval −0.3000…−0.3000; "
        f"4 images prove drops above 0.0000"
    )
    assert section(failed, " FAILURES ") == [line]
    assert f"demo: {line}\n  repeat: pytest" in output(failed)

    command = repeat_command(failed)
    repeated = accepted.pytester.runpytest_subprocess(*command)
    repeated.assert_outcomes(failed=1)
    assert section(repeated, " FAILURES ") == section(failed, " FAILURES ")
    assert repeat_command(repeated) == command


def test_a_higher_map_is_improved_and_passes(demo: Demo) -> None:
    demo.model("model", LOOSE)
    demo.run("-m", "accuracy", "--qg-baseline-update")
    demo.model("model", EXACT)
    result = demo.run("-m", "accuracy")
    assert result.ret == 0
    assert demo.statuses() == {FP32: "improved"}


def test_other_scored_images_make_the_baseline_incomparable(accepted: Demo) -> None:
    other = write_coco(accepted.path / "other" / "val.json", images=3)
    args = ["-m", "accuracy", f"--qg-dataset={other}"]
    assert accepted.run(*args).ret == 0
    assert accepted.statuses() == {FP32: "incomparable"}
    strict = accepted.run(*args, "--qg-require-baseline")
    assert "incomparable: observed 1, expected ≥ baseline − 0.01: dataset differs" in output(strict)
    assert strict.ret == 1


def test_a_metric_that_only_the_baseline_has_fails(accepted: Demo) -> None:
    (file,) = accepted.baselines("accuracy")
    file.write_text(file.read_text().replace('"map_large": null', '"map_large": 0.5'))
    result = accepted.run("-m", "accuracy")
    result.assert_outcomes(failed=1)
    assert "map_large missing: observed nothing, expected present (baseline 0.5)" in output(result)
    assert accepted.statuses() == {FP32: "missing"}


# In a real run: against the fp32 sibling


def test_gates_hold_a_cell_against_its_fp32_sibling(demo: Demo) -> None:
    demo.suite(
        precisions=["fp32", "int8"],
        gates='Gate("map", max_drop=0, against="fp32"), Gate("size_bytes", max_ratio=0.5, against="fp32")',
    )
    size = (demo.path / "model.json").stat().st_size
    result = demo.run("-m", "accuracy")
    result.assert_outcomes(passed=1, failed=1)
    assert section(result, " FAILURES ") == [
        f"{INT8}: size_bytes missed: observed {size}, expected ≤ {size / 2:g} (fp32 {size})"
    ]
    assert demo.statuses() == {FP32: "met", INT8: "missed"}
    judged = {(v["metric"], v["against"]): v["status"] for v in demo.cells()[INT8]["verdicts"]}
    assert judged == {
        ("map", "fp32"): "met",
        ("size_bytes", "fp32"): "missed",
        ("agreement", "limit"): "met",  # of every cell with an fp32 sibling, though the suite does not ask
        ("collapsed_classes", "limit"): "met",
    }


def test_a_ready_file_is_held_against_its_float_model_whatever_the_files_are_called(demo: Demo) -> None:
    demo.model("theirs_q", LOOSE)
    (demo.path / "test_demo.py").write_text(
        "from harness import Gate, Model, Suite, matrix\n"
        "CELLS = matrix(Model('theirs_q.json', float='model.json'), 'ready', 'null', imgsz=64)\n"
        "SUITE = Suite('demo', 'data/val.json', CELLS, [Gate('map', max_drop=0.1, against='fp32')])\n"
    )
    demo.run("-m", "accuracy")
    assert demo.statuses() == {FP32: "met", "theirs_q-ready-null-cpu": "missed"}
    ready = demo.cells()["theirs_q-ready-null-cpu"]
    judged = {verdict["metric"]: (verdict["observed"], verdict["reference"]) for verdict in ready["verdicts"]}
    assert judged["map"] == pytest.approx((0.7, 1.0))
    assert ready["metrics"]["agreement"] == 1  # of the boxes: the loose one overlaps enough


def test_a_failing_cell_is_explained_where_asked_for(demo: Demo) -> None:
    demo.suite(precisions=["fp32"], gates='Gate("map", min=1.1)')
    result = demo.run("-m", "accuracy", "--qg-explain")
    result.assert_outcomes(failed=1)
    explained = demo.cells()[FP32]["explanation"]
    assert explained["cell"] == FP32
    assert explained["stages"][0]["name"] == "reference"
    assert "kinds of error of the boxes, in the manner of TIDE" in output(result)
    assert "no stage lost anything on 4 images" in output(result)
    demo.run("-m", "accuracy")
    assert demo.cells()[FP32]["explanation"] is None


def test_int8_that_ran_in_float_is_noted_and_caught_by_a_gate(demo: Demo) -> None:
    demo.model("model", executed={"f32": 900, "i8": 100})
    demo.suite(precisions=["fp32", "int8"], gates='Gate("attested_share", min=0.65, precisions=["int8"])')
    result = demo.run("-m", "accuracy")
    result.assert_outcomes(passed=1, failed=1)
    assert section(result, " FAILURES ") == [f"{INT8}: attested_share missed: observed 0.1, expected ≥ 0.65"]
    assert demo.cells()[INT8]["executed"] == {"f32": 900, "i8": 100}
    assert "note: model-int8-null-cpu: int8 should run in i8; its multiply-accumulates ran 90% in f32, 10% in i8" in (
        output(result)
    )


def test_a_latency_gate_measures_the_sibling_though_it_is_not_selected(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "int8"], gates='Gate("latency", max_ratio=0.001, against="fp32")')
    result = demo.run(f"test_demo.py::test_latency[{INT8}]")
    result.assert_outcomes(failed=1)
    assert f"{INT8}: latency missed: observed " in output(result)
    assert "expected ≤ 0.001 (fp32 1)" in output(result)
    assert list(demo.cells()) == [INT8]
