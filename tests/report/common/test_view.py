"""Which cells are shown, in which order, and which of them no other beats."""

from __future__ import annotations

import dataclasses

import pytest
from shown import FP32, result, unavailable

from harness.core.cell import Cell
from harness.core.errors import ConfigError
from harness.core.metrics import METRICS
from harness.core.verdict import Verdict
from harness.report.common.view import (
    MEASURED,
    View,
    chosen,
    fp32_siblings,
    in_vain,
    is_fp32,
    latency_change,
    pareto_front,
    scored_images,
    sibling_groups,
)
from harness.store.results import CellResult

INT8 = FP32.sibling("int8")
MINMAX = FP32.sibling("int8:minmax")
FAST = result(INT8, "regressed", map=0.7, latency_p50_ms=2.0)
SLOW = result(FP32, "unchanged", map=0.75, latency_p50_ms=5.0)
WORSE = result(MINMAX, "met", map=0.69, latency_p50_ms=3.0)
GONE = unavailable(Cell("yolo26n", "fp32", "tensorrt", "cuda"))
ALL = [SLOW, GONE, WORSE, FAST]


def ids(view: View) -> list[str]:
    return [one.id for one in chosen(ALL, view)]


def test_the_worst_comes_first_and_what_cannot_run_last():
    assert ids(View()) == [FAST.id, SLOW.id, WORSE.id, GONE.id]


def test_by_cell_is_as_the_suite_declares_them():
    assert ids(View("cell")) == [one.id for one in ALL]


@pytest.mark.parametrize(
    ("metric", "order"), [("map", [SLOW, FAST, WORSE, GONE]), ("latency_p50_ms", [FAST, WORSE, SLOW, GONE])]
)
def test_by_a_metric_the_best_comes_first_and_cells_without_it_last(metric, order):
    assert ids(View(metric)) == [one.id for one in order]


def test_every_metric_that_is_measured_is_an_order():
    assert {View(name).sort for name in MEASURED} == METRICS.keys() - {
        "latency", "latency_wall", "latency_creep", "class_ap",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("latency", "latency_"), ("latency_p50", "latency_p50_ms"), ("map50", "map_50"), ("stat", "status")],
)
def test_an_unknown_order_is_one_line_with_the_nearest_one(wrong, hint):
    with pytest.raises(ConfigError, match=f"'{wrong}' is neither status, cell nor a metric; did you mean '{hint}"):
        View(wrong)


@pytest.mark.parametrize(
    ("show", "found"),
    [
        ("", ALL),
        ("regressed", [FAST]),
        ("int8", [FAST, WORSE]),
        ("int8:minmax", [WORSE]),
        ("*-int8-onnx*", [FAST]),
        ("tensorrt, regressed", [FAST, GONE]),
        ("nothing", []),
    ],
)
def test_words_are_statuses_parts_of_ids_or_patterns(show, found):
    assert sorted(ids(View(show=show))) == sorted(one.id for one in found)


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (View(show="opnxruntime"), ["--qg-show: no cell matches 'opnxruntime'; did you mean 'onnxruntime'?"]),
        (View(show="regresed"), ["--qg-show: no cell matches 'regresed'; did you mean 'regressed'?"]),
        (View("energy_mj"), ["--qg-sort: this run measured no energy_mj"]),
        (View(show="missed"), []),  # that there is none is the answer
        (View("map", "int8"), []),
    ],
)
def test_what_finds_nothing_is_said(view, said):
    assert list(in_vain(ALL, view)) == said


def test_siblings_stand_together_and_fp32_before_them():
    assert [[one.id for one in group] for group in sibling_groups(chosen(ALL, View()))] == [
        [SLOW.id, FAST.id, WORSE.id],
        [GONE.id],
    ]


def test_the_fp32_sibling_has_the_same_model_backend_device_and_tag():
    others = [result(Cell("yolo11n", "fp32", "onnxruntime")), result(Cell("yolo26n", "fp32", "openvino"))]
    tagged = result(dataclasses.replace(FP32, tag="320"))
    find = fp32_siblings([*others, tagged, *ALL])
    assert find(FAST) is SLOW
    assert find(WORSE) is SLOW
    assert find(result(dataclasses.replace(INT8, tag="320"))) is tagged


def test_a_cell_has_no_fp32_sibling_where_it_is_fp32_itself_or_the_results_have_none():
    find = fp32_siblings(ALL)
    assert find(SLOW) is None
    assert find(result(INT8.sibling("fp16"))) is SLOW
    assert find(result(Cell("yolo26n", "int8", "litert"))) is None
    assert fp32_siblings([FAST, WORSE])(FAST) is None


def test_the_fp32_sibling_is_of_the_same_suite():
    other = dataclasses.replace(SLOW, suite="other")
    assert fp32_siblings([other, SLOW])(FAST) is SLOW
    assert fp32_siblings([other])(FAST) is None


def test_a_cell_that_only_has_its_name_left_is_nobodys_sibling():
    missing = CellResult("demo", "old-cell", None, "missing", "gone", None)
    assert fp32_siblings([SLOW, missing])(missing) is None
    assert [is_fp32(one) for one in (missing, SLOW, FAST)] == [False, True, False]


def test_the_front_has_what_no_other_cell_beats_in_both():
    assert pareto_front(ALL) == {FAST.id, SLOW.id}


def test_one_cell_alone_beats_nobody():
    assert pareto_front([FAST, GONE]) == frozenset()


def test_equally_good_cells_are_all_on_the_front():
    assert pareto_front([FAST, dataclasses.replace(FAST, id="twin")]) == {FAST.id, "twin"}


@pytest.mark.parametrize(
    ("cell", "provenance"), [(dataclasses.replace(INT8, device="cuda"), {}), (INT8, {"dataset": "masks"})]
)
def test_devices_and_tasks_have_fronts_of_their_own(cell, provenance):
    slower = dataclasses.replace(result(cell, provenance=provenance, map=0.6, latency_p50_ms=9.0), id="slower")
    assert "slower" in pareto_front([*ALL, slower])


def test_without_times_the_front_is_of_size_and_map():
    small, large, bad = (
        result(cell, map=score, size_bytes=size)
        for cell, score, size in [(INT8, 0.7, 10), (FP32, 0.75, 30), (MINMAX, 0.69, 20)]
    )
    assert pareto_front([small, large, bad]) == {small.id, large.id}


def test_the_change_of_latency_is_told_by_the_verdict_on_gated_cpu_time():
    wall = Verdict("latency_wall", "baseline", "met", 1.5, 1.0, "≤ 1.1 × baseline")
    ratio = Verdict("latency", "fp32", "met", 0.4, 1.0, "≤ 0.9 × fp32")
    slower = Verdict("latency", "baseline", "regressed", 1.25, 1.0, "≤ 1.05 × baseline")
    unknown = dataclasses.replace(slower, observed=None)
    assert latency_change(result(INT8, verdicts=[wall, ratio, unknown, slower])) == 0.25
    assert latency_change(result(INT8, verdicts=[wall, ratio, unknown])) is None


def test_the_number_of_images_is_told_by_any_cell_that_was_scored():
    assert scored_images([GONE, FAST]) == 128
    assert scored_images([GONE]) == 0
