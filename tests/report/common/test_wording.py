"""Words and sentences that several media say."""

from __future__ import annotations

import dataclasses
import shlex
from datetime import timedelta

import pytest
from reports import explained
from runs import NOW
from shown import FP32, result, unavailable

from harness.core.cell import Cell
from harness.measure.explain.explain import from_json
from harness.measure.explain.stage_swap import Stage
from harness.report.common.wording import (
    STAGE_NAMES,
    commit_name,
    dotted,
    explanation_line,
    level_words,
    precision_label,
    repeat_command,
    status_counts,
)
from harness.store.history_db import CPU_RATIO
from harness.store.results import CellResult
from harness.store.trends import LevelChange, Point, Trend

INT8, HALF = FP32.sibling("int8"), FP32.sibling("fp16")
EXPLAINED = from_json(explained())


def test_the_command_that_repeats_a_cell_names_its_test_and_the_options():
    cell = Cell("yolo26n:e2e", "int8:entropy", "onnxruntime")
    command = repeat_command(result(cell), ["accuracy"], ["pytest", "--qg-cache-dir=/a b"])
    wanted = "'test_demo.py::test_accuracy[yolo26n~e2e-int8~entropy-onnxruntime-cpu]'"
    assert command == f"pytest '--qg-cache-dir=/a b' {wanted}"


def test_a_command_for_two_phases_names_two_tests():
    assert shlex.split(repeat_command(result(FP32), ["accuracy", "latency"], ["pytest"])) == [
        "pytest", f"test_demo.py::test_accuracy[{FP32.id}]", f"test_demo.py::test_latency[{FP32.id}]",
    ]  # fmt: skip


def test_statuses_are_counted_worst_first_and_what_cannot_run_last():
    found = [result(FP32, status) for status in ("unavailable", "unchanged", "error", "unchanged")]
    assert status_counts(found) == "1 error, 2 unchanged, 1 unavailable"
    assert status_counts([]) == ""


def test_nested_provenance_has_dotted_names_and_keeps_its_values_and_order():
    tree = {"versions": {"onnx": "1.2", "deep": {"er": None}}, "images": 4, "empty": {}}
    assert list(dotted(tree)) == [("versions.onnx", "1.2"), ("versions.deep.er", None), ("images", 4)]


# Precisions


@pytest.mark.parametrize(
    ("precision", "executed", "label"),
    [
        ("fp32", {"f32": 100}, "fp32"),
        ("fp16", {"f32": 100}, "fp16 (f32)"),
        ("int8", {"i8": 90, "f32": 10}, "int8"),
        ("int8", {"i8": 10, "f32": 90}, "int8 (f32)"),
        ("int8:entropy", {"i8": 1}, "int8:entropy"),  # a recipe promises what its family promises
        ("int8-dynamic", {}, "int8-dynamic"),  # nothing is known
        ("new-kind", {"f32": 1}, "new-kind (f32)"),  # promises nothing that could be kept
    ],
)
def test_what_executed_follows_the_precision_only_where_the_precision_promises_something_else(
    precision, executed, label
):
    assert precision_label(result(FP32.sibling(precision), executed=executed)) == label


def test_a_ready_file_is_labelled_by_what_was_found_in_it():
    ready = result(FP32.sibling("ready"), provenance={"precision": "int8"}, executed={"i8": 1})
    assert precision_label(ready) == "ready: int8"
    other = result(FP32.sibling("ready"), provenance={"precision": "fp16"}, executed={"f32": 1})
    assert precision_label(other) == "ready: fp16 (f32)"


def test_a_cell_that_was_not_measured_has_its_precision_and_a_missing_one_its_id():
    assert precision_label(unavailable(HALF)) == "fp16"
    assert precision_label(CellResult("demo", "old-cell", None, "missing", "gone", None)) == "old-cell"


# Explanations


def test_an_explanation_in_one_line_names_the_stage_and_what_it_lost_since_the_stage_before():
    stages = (
        Stage("reference", "", 0.75, 1.0, 0.0),
        Stage("quantization", "export", 0.74, 0.98, -0.001),
        Stage("NMS", "head", skipped="the network ends in its detections"),
        Stage("head", "quantization", 0.73, 0.40, -0.4),
    )
    assert explanation_line(dataclasses.replace(EXPLAINED, blamed="head", stages=stages)) == (
        f"{INT8.id}: most was lost in head (mAP 0.7400 → 0.7300, agreement 0.9800 → 0.4000) on 64 images; "
        "noisiest layer: /model.23/cv3.0/Conv"
    )


def test_without_layers_the_line_ends_after_the_images():
    assert explanation_line(dataclasses.replace(EXPLAINED, layers=())).endswith(" on 64 images")


def test_where_nothing_was_lost_the_line_says_so():
    nothing = dataclasses.replace(EXPLAINED, blamed="")
    assert explanation_line(nothing) == f"{INT8.id}: no stage lost anything on 64 images"


def test_every_stage_of_an_explanation_has_a_name():
    assert {stage.name for stage in EXPLAINED.stages} <= STAGE_NAMES.keys()


# History


def point(day: int, value: float, revision: str = "c0ffee1234", dirty: bool = False, **versions: str) -> Point:
    return Point(f"r{day}", NOW + timedelta(days=day), revision, dirty, value, "unchanged", versions)


def trend(metric: str, before: Point, after: Point) -> Trend:
    change = LevelChange(1, before.value, after.value)
    return Trend("demo", INT8.id, metric, "avx2", (before, after), (change,))


def said(metric: str, before: Point, after: Point) -> str:
    shown = trend(metric, before, after)
    return str(level_words(shown, shown.changes[0]))


def test_a_new_level_says_when_it_began_by_how_much_it_differs_and_what_else_changed():
    before, after = point(0, 0.5, "aaaaaaaaaa", onnx="1.2", numpy="2"), point(1, 0.4, "bbbbbbbbbb", True, onnx="1.3")
    assert said("map", before, after) == (
        "2026-11-26 12:00: 0.5000 → 0.4000, −0.1000: aaaaaaaa → bbbbbbbb+; numpy 2 → –; onnx 1.2 → 1.3"
    )


def test_where_nothing_else_changed_the_sentence_says_so():
    assert said("map", point(0, 0.4), point(1, 0.5)).endswith(", +0.1000: same commit, same versions")


@pytest.mark.parametrize(
    ("metric", "after", "levels", "by"),
    [
        ("size_bytes", 3e6, "2.00 MB → 3.00 MB", "+50.0%"),
        ("latency_p50_ms", 1e6, "2000000.000 ms → 1000000.000 ms", "−50.0%"),
        (CPU_RATIO, 2.2e6, "2000000.0000 → 2200000.0000", "+10.0%"),
        ("score_shift", 1e6, "2000000.0000 → 1000000.0000", "−1000000.0000"),
    ],
)
def test_a_metric_with_a_unit_and_a_ratio_change_by_a_share_and_other_metrics_by_a_difference(
    metric, after, levels, by
):
    shown = trend(metric, point(0, 2e6), point(1, after))
    words = level_words(shown, shown.changes[0])
    assert words.levels.endswith(f": {levels}")
    assert words.by == by


def test_a_level_that_was_zero_changes_by_a_difference():
    assert ", +1.0000: " in said("energy_mj", point(0, 0.0), point(1, 1.0))


@pytest.mark.parametrize(
    ("metric", "better"), [("map", True), ("size_bytes", False), ("throughput_ips", True), (CPU_RATIO, False)]
)
def test_a_rise_is_better_where_higher_is_better(metric, better):
    up, down = (trend(metric, point(0, 1.0), point(1, value)) for value in (2.0, 0.5))
    assert level_words(up, up.changes[0]).better is better
    assert level_words(down, down.changes[0]).better is not better


@pytest.mark.parametrize(
    ("revision", "dirty", "name"),
    [("c0ffee1234", False, "c0ffee12"), ("c0ffee1234", True, "c0ffee12+"), ("", True, "–")],
)
def test_a_commit_is_short_marked_where_files_differed_and_a_dash_where_there_is_none(revision, dirty, name):
    assert commit_name(point(0, 1.0, revision, dirty)) == name
