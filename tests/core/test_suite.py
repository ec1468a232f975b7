"""Suites, gates and cells refuse nonsense with one line, before anything runs."""

from __future__ import annotations

import pytest
from builders import FP32, INT8, measurement

from harness import Cell, ConfigError, Gate, Suite, matrix
from harness.core.status import FAILING, SEVERITY, worst


def suite(**changes):
    return Suite(**{"name": "made", "dataset": "coco8", "cells": (FP32, INT8), **changes})


def test_a_cell_is_named_by_its_parts_and_a_colon_becomes_a_tilde():
    assert str(INT8) == "yolo26n-int8-onnxruntime-cpu"
    tagged = Cell("yolo26n:e2e", "int8:entropy", "torch", "cuda", tag="640px-b2")
    assert tagged.id == "yolo26n~e2e-int8~entropy-torch-cuda-640px-b2"


def test_a_sibling_differs_in_precision_only():
    assert Cell("m", "int8:entropy", "torch", "cuda", 320, 4).sibling("fp32") == Cell(
        "m", "fp32", "torch", "cuda", 320, 4
    )


def test_the_family_of_a_precision_leaves_its_recipe_out():
    assert Cell("m", "int8:entropy", "torch").family == "int8"
    assert Cell("m", "int8-dynamic", "torch").family == "int8-dynamic"


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"metric": "mAP", "max_drop": 0.1}, r"unknown metric; did you mean 'map"),
        ({"metric": "map"}, r"Gate\('map'\) has no limit: give one of max_drop"),
        ({"metric": "map", "max_drop": -0.1}, r"max_drop=-0.1 is not a number ≥ 0"),
        ({"metric": "map", "max_drop": float("nan")}, r"max_drop=nan is not a number"),
        ({"metric": "map", "max_drop": "2%"}, r"max_drop='2%' is not a number"),
        ({"metric": "map", "max_drop": 0.1, "against": "fp16"}, r"against='fp16' is not one of baseline, fp32, limit"),
        ({"metric": "map", "max_drop": 0.1, "min": 0.4}, r"a gate of their own"),
        ({"metric": "map", "max_drop": 0.1, "against": "limit"}, r"against='limit' takes min= or max="),
        ({"metric": "latency_p50_ms", "max_rise": 0.1}, r"shown, not gated; gate 'latency'"),
        ({"metric": "latency", "max_rise": 0.1, "against": "fp32"}, r"it is a ratio already.*max_ratio="),
    ],
)
def test_a_gate_without_sense_is_one_line(gate, message):
    with pytest.raises(ConfigError, match=message) as raised:
        Gate(**gate)
    assert "\n" not in str(raised.value)


def test_fixed_limits_are_held_against_no_reference():
    assert Gate("map", min=0.4).against == "limit"
    assert Gate("latency_p50_ms", max=20).against == "limit"


def test_a_gate_applies_to_the_precisions_and_backends_it_names():
    entropy = INT8.sibling("int8:entropy")
    by_family, by_recipe = (
        Gate("map", max_drop=0, precisions=["int8"]),
        Gate("map", max_drop=0, precisions=["int8:entropy"]),
    )
    assert [by_family.applies(cell) for cell in (FP32, INT8, entropy, INT8.sibling("int8-dynamic"))] == [
        False,
        True,
        True,
        False,
    ]
    assert [by_recipe.applies(cell) for cell in (INT8, entropy)] == [False, True]
    assert not Gate("map", max_drop=0, backends=["torch"]).applies(INT8)
    assert Gate("map", max_drop=0).applies(FP32)


def test_a_single_precision_or_backend_needs_no_list():
    gate = Gate("map", max_drop=0, precisions="int8-dynamic", backends="onnxruntime")
    assert not gate.applies(INT8)
    assert gate.applies(INT8.sibling("int8-dynamic"))


def test_fp32_is_never_held_against_itself():
    assert not Gate("map", max_drop=0, against="fp32").applies(FP32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "a name is made of letters"),
        ({"name": "a/b"}, "a name is made of letters"),
        ({"name": ".."}, "a name is made of letters"),
        ({"cells": ()}, "suite 'made' has an empty matrix"),
        ({"calls": 99}, "calls=99; percentiles need at least 100"),
        ({"threads": -1}, "threads and warmup must be ≥ 0"),
        ({"calibration": 64}, r"calibration=64; give Calibration\(images=…\)"),
        ({"warmup": -1}, "threads and warmup must be ≥ 0"),
        (
            {"cells": (INT8,), "gates": (Gate("map", max_drop=0.1, against="fp32"),)},
            "needs yolo26n-fp32-onnxruntime-cpu; add fp32",
        ),
    ],
)
def test_a_suite_without_sense_is_one_line(changes, message):
    with pytest.raises(ConfigError, match=message) as raised:
        suite(**changes)
    assert "\n" not in str(raised.value)


def test_a_suite_without_fp32_is_fine_where_no_gate_asks_for_it():
    gates = (Gate("map", max_drop=0.1, against="fp32", backends=["torch"]),)
    cells = (INT8, *matrix("yolo26n", ["fp32", "int8"], "torch"))
    assert suite(cells=cells, gates=gates).cells == cells


def test_a_gate_for_a_precision_or_backend_that_no_cell_has_is_an_error():
    with pytest.raises(ConfigError, match=r"no cell of the suite has precision 'in8'; did you mean 'int8'\?"):
        suite(cells=(INT8,), gates=(Gate("map", min=0.1, precisions=["in8"]),))
    with pytest.raises(ConfigError, match="no cell of the suite has backend 'torch'"):
        suite(cells=(INT8,), gates=(Gate("map", min=0.1, backends=["torch"]),))


def test_one_data_set_or_several_to_look_for():
    assert suite().datasets == ("coco8",)
    assert suite(dataset=["coco256", "coco128"]).datasets == ("coco256", "coco128")


def test_the_worst_status_counts_and_nothing_to_miss_is_met():
    assert worst(["unchanged", "missed", "regressed", "improved"]) == "regressed"
    assert worst([]) == "met"
    assert SEVERITY[0] == "error"
    assert {"error", "regressed", "missed", "missing"} == FAILING


def test_phases_of_a_cell_merge_and_the_worse_failure_wins():
    one = measurement(map=0.1)
    skipped = measurement(latency_p50_ms=9.0).merged(one)
    assert skipped.metrics == {**one.metrics, "latency_p50_ms": 9.0}
    unavailable = Cell("m", "fp32", "torch")
    broken = [type(one)(unavailable, failure=failure) for failure in (("unavailable", "no torch"), ("error", "crash"))]
    assert broken[0].merged(broken[1]).failure == broken[1].merged(broken[0]).failure == ("error", "crash")
