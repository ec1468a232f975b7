"""An observation merges with the other phase of its cell, knows its machine's baselines, and survives JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest
from builders import FP32, INT8, MACHINE, measurement

from harness import Cell, ConfigError, Measurement, Qat, Unavailable
from harness.core.measurement import cell_from_json, failure, measurement_from_json, measurement_to_json


@pytest.mark.parametrize(
    "measured",
    [
        dataclasses.replace(measurement(), samples={"latency_ms": [1.5]}, executed={"i8": 3}, notes=["note"]),
        dataclasses.replace(measurement(), machine=MACHINE, timings={"build_s": 1.5}, notes=[]),
        Measurement(FP32, failure=("unavailable", "no runtime"), notes=[]),
        Measurement(dataclasses.replace(INT8, precision="int8-qat", qat=Qat(epochs=2), weights="a/m.pt"), notes=[]),
    ],
)
def test_a_measurement_survives_json(measured):
    read = measurement_from_json(json.loads(json.dumps(measurement_to_json(measured))))
    assert read == measured
    assert dataclasses.asdict(read.cell) == dataclasses.asdict(measured.cell)  # weights and QAT, which == leaves out


def test_a_cell_of_an_older_quantgate_has_no_training():
    written = dataclasses.asdict(INT8)
    del written["qat"]
    assert cell_from_json(written).qat is None


def test_phases_of_a_cell_merge_and_the_worse_failure_wins():
    one = measurement(map=0.1)
    skipped = measurement(latency_p50_ms=9.0).merged(one)
    assert skipped.metrics == {**one.metrics, "latency_p50_ms": 9.0}
    unavailable = Cell("m", "fp32", "torch")
    broken = [type(one)(unavailable, failure=failure) for failure in (("unavailable", "no torch"), ("error", "crash"))]
    assert broken[0].merged(broken[1]).failure == broken[1].merged(broken[0]).failure == ("error", "crash")


def test_times_add_up_and_a_note_is_told_once():
    accuracy = Measurement(INT8, timings={"build_s": 2.0, "accuracy_s": 3.0}, notes=("calibrated on 64", "reused"))
    latency = Measurement(INT8, timings={"build_s": 0.5, "latency_s": 4.0}, notes=("reused", "busy"))
    both = accuracy.merged(latency)
    assert both.timings == {"build_s": 2.5, "accuracy_s": 3.0, "latency_s": 4.0}
    assert both.notes == ("calibrated on 64", "reused", "busy")


def test_the_machine_is_known_where_one_phase_knows_it():
    unknown, known = Measurement(INT8), Measurement(INT8, machine=MACHINE)
    assert unknown.merged(known).machine == known.merged(unknown).machine == MACHINE
    assert unknown.merged(unknown).machine is None


def test_a_phase_that_succeeded_does_not_hide_that_the_other_failed():
    fine, broken = measurement(), Measurement(INT8, failure=("error", "crash"))
    assert fine.merged(broken).failure == broken.merged(fine).failure == ("error", "crash")


def test_accuracy_is_kept_by_instruction_set_and_latency_by_machine_class():
    assert (MACHINE.kind("accuracy"), MACHINE.kind("latency")) == ("avx2", "made-avx2-2c")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable("no torch: pip install torch"), ("unavailable", "no torch: pip install torch")),
        (ConfigError("a.pt is no file"), ("error", "a.pt is no file")),
    ],
)
def test_a_cell_that_could_not_be_measured_says_why(error, expected):
    measured = failure(INT8, error)
    assert (measured.cell, measured.failure, measured.metrics) == (INT8, expected, {})
