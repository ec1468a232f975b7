"""A cell against its fp32 sibling: the metrics, and the gates that nobody has to ask for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import FP32, INT8, dataset, detections, measurement

from harness import Gate, Suite
from harness.judge import gates
from harness.judge.gates import judge_gates
from harness.measure.accuracy import fp32_sibling
from harness.measure.accuracy.detections_file import detections_digest, save_detections
from harness.measure.accuracy.score_cache import detections_file

CAT = (20, 10, 60, 40, 0.9, 0)
CELLS = [FP32, INT8]


@pytest.fixture
def stored(tmp_path):
    """Keeps detections as a run does; gives a measurement that names them."""

    def store(cell, *rows, per_class):
        found = [detections(*rows)]
        file = detections_file(tmp_path, detections_digest(found))
        file.parent.mkdir(exist_ok=True)
        save_detections(file, dataset(1), found, [])
        made = measurement(cell)
        return dataclasses.replace(
            made, per_class=per_class, provenance={**made.provenance, "detections": detections_digest(found)}
        )

    return store


def test_confidence_collapse_fails_though_map_is_the_same(stored, tmp_path):
    fp32 = stored(FP32, CAT, per_class={"cat": 0.5})
    weak = stored(INT8, (*CAT[:4], 0.2, 0), per_class={"cat": 0.5})
    seen = fp32_sibling.related(weak, fp32, tmp_path, 0.25)
    assert seen.metrics["agreement"] == 0.0
    assert seen.metrics["score_shift"] == pytest.approx(-0.7)
    verdicts = judge_gates(seen, None, fp32, gates.all_gates(Suite("s", "d", CELLS)), "accuracy")
    assert {v.metric: v.status for v in verdicts}["agreement"] == "missed"


def test_a_class_that_fell_to_nothing_fails_and_is_named(stored, tmp_path):
    fp32 = stored(FP32, CAT, per_class={"cat": 0.5, "dog": 0.5})
    seen = fp32_sibling.related(stored(INT8, CAT, per_class={"cat": 0.5, "dog": 0.0}), fp32, tmp_path, 0.25)
    assert seen.metrics["collapsed_classes"] == 1
    assert "AP of dog fell to 0" in seen.notes
    verdicts = judge_gates(seen, None, fp32, gates.all_gates(Suite("s", "d", CELLS)), "accuracy")
    assert {v.metric: v.status for v in verdicts} == {"agreement": "met", "collapsed_classes": "missed"}


def test_a_gate_of_the_suite_replaces_the_one_that_every_suite_has():
    strict = Suite("s", "d", CELLS, [Gate("agreement", min=0.99)])
    assert [gate.min for gate in gates.all_gates(strict) if gate.metric == "agreement"] == [0.99]


def test_without_anything_to_agree_with_the_answer_is_inconclusive(stored, tmp_path):
    fp32 = stored(FP32, (*CAT[:4], 0.1, 0), per_class={"cat": 0.5})  # below the operating threshold
    seen = fp32_sibling.related(stored(INT8, CAT, per_class={"cat": 0.5}), fp32, tmp_path, 0.25)
    unscored = fp32_sibling.related(measurement(INT8), measurement(FP32), tmp_path, 0.25)
    for one in (seen, unscored):
        verdicts = judge_gates(one, None, fp32, gates.all_gates(Suite("s", "d", CELLS)), "accuracy")
        assert {v.metric: v.status for v in verdicts}["agreement"] == "inconclusive"


def test_fp32_is_not_held_against_itself():
    assert judge_gates(measurement(FP32), None, None, gates.all_gates(Suite("s", "d", CELLS)), "accuracy") == ()


def test_the_baseline_s_detections_are_compared_where_the_cache_has_them(stored, tmp_path):
    old, new = stored(INT8, CAT, per_class={}), stored(INT8, (*CAT[:4], 0.9004, 0), per_class={})
    assert fp32_sibling.matched_share_with_baseline(new, old, tmp_path, tmp_path) == 1.0
    assert fp32_sibling.matched_share_with_baseline(new, old, tmp_path, tmp_path / "empty") is None
    assert fp32_sibling.matched_share_with_baseline(old, old, tmp_path, tmp_path) is None  # identical already


def test_the_detections_of_a_cell_are_read_once_for_both_questions(stored, tmp_path, monkeypatch):
    read, load = [], np.load
    monkeypatch.setattr(np, "load", lambda file: read.append(file) or load(file))
    fp32, old, new = (stored(cell, (*CAT[:4], score, 0), per_class={}) for cell, score in
                      [(FP32, 0.91), (INT8, 0.92), (INT8, 0.93)])  # fmt: skip
    fp32_sibling.related(new, fp32, tmp_path, 0.25)
    fp32_sibling.matched_share_with_baseline(new, old, tmp_path, tmp_path)
    assert len(read) == 3
    assert len({str(file) for file in read}) == 3
