"""Suites, gates and calibrations refuse nonsense with one line, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import FP32, INT8

from harness import Calibration, ConfigError, Gate, Suite, matrix


def suite(**changes):
    return Suite(**{"name": "made", "dataset": "coco8", "cells": (FP32, INT8), **changes})


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
        ({"metric": "latency", "max_rise": 0.0}, r"against the baseline it takes max_rise= above 0"),
        ({"metric": "latency", "max_ratio": 1.1}, r"against the baseline it takes max_rise= above 0"),
        ({"metric": "latency", "max_rise": 0.05, "relative": False}, r"a share: 0.05 is 5 %"),
        ({"metric": "latency_wall", "max_rise": 0.05}, r"the wall clock resolves 10 %, not 5%; use 'latency'"),
        ({"metric": "class_ap", "min": 0.1}, r"it takes max_drop=, in points of AP: 0.1"),
        ({"metric": "class_ap", "max_drop": 0.1, "relative": True}, r"it takes max_drop=, in points of AP: 0.1"),
        ({"metric": "agreement", "max_drop": 0.1}, r"held against the fp32 sibling already; give min= or max="),
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
    assert not Gate("agreement", min=0.9).applies(FP32)


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
        ({"operating_conf": 1.0}, "operating_conf=1.0; a score lies between 0 and 1"),
        ({"cells": (INT8, INT8)}, "two cells are named yolo26n-int8-onnxruntime-cpu"),
        (
            {"cells": (INT8,), "gates": (Gate("map", max_drop=0.1, against="fp32"),)},
            "needs yolo26n-fp32-onnxruntime-cpu; add fp32",
        ),
        (
            {"cells": (INT8.sibling("ready"),), "gates": (Gate("map", max_drop=0.1, against="fp32"),)},
            r"needs yolo26n-fp32-onnxruntime-cpu; declare Model\(…, float='….pt'\)",
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
    assert suite(dataset=Path("data/mine.yaml")).datasets == ("data/mine.yaml",)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"images": 0}, "calibrate on one image or more"),
        ({"order": "shuffled"}, "order is 'id' or 'random'"),
    ],
)
def test_a_calibration_that_cannot_be_is_one_line(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Calibration(**wrong)
