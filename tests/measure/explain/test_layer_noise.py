"""Noise of layers, from what two networks say of the same tensors."""

from __future__ import annotations

import numpy as np
import pytest

from harness.measure.explain.layer_noise import rank

SIGNAL = np.ones((1, 2, 4, 4), np.float32)
LAYERS = {"first": ("image", "a"), "second": ("a", "b")}
BATCHES = [np.zeros((1, 3, 4, 4), np.float32)]


def tap(**tensors):
    return lambda batch: tensors


def test_a_layer_is_charged_with_what_it_adds_and_not_with_what_it_was_given():
    exact = tap(a=SIGNAL, b=SIGNAL)
    noisy = tap(a=SIGNAL * 1.1, b=SIGNAL * 1.11)  # noise 1 % and 1.21 % of the power
    first, second = rank(LAYERS, exact, noisy, BATCHES)
    assert (first.name, second.name) == ("first", "second")
    assert first.snr_db == pytest.approx(20, abs=0.01)
    assert first.own_noise == pytest.approx(0.01, rel=1e-3)
    assert second.own_noise == pytest.approx(0.0021, rel=1e-2)


def test_equal_tensors_have_no_noise():
    (layer,) = rank({"first": ("image", "a")}, tap(a=SIGNAL), tap(a=SIGNAL), BATCHES)
    assert (layer.snr_db, layer.own_noise) == (None, 0.0)


def test_scores_are_judged_apart_from_boxes_which_would_drown_them():
    output = np.concatenate([np.full((1, 4, 9), 300.0), np.full((1, 2, 9), 0.5)], axis=1).astype(np.float32)
    rounded = np.concatenate([output[:, :4], np.zeros((1, 2, 9), np.float32)], axis=1)
    worst, boxes = rank({}, tap(out=output), tap(out=rounded), BATCHES)
    assert worst.name == "out (scores)"
    assert worst.snr_db == pytest.approx(0)
    assert boxes.own_noise == 0


def test_key_points_are_judged_apart_from_scores_too():
    output = np.concatenate([np.full((1, 6, 19), 0.5), np.full((1, 6, 19), 300.0)], axis=1).astype(np.float32)
    rounded = output.copy()
    rounded[:, 4:6] = 0
    worst, *others = rank({}, tap(out=output), tap(out=rounded), BATCHES, extra=6)
    assert (worst.name, worst.snr_db) == ("out (scores)", pytest.approx(0))
    assert {one.name: one.own_noise for one in others} == {"out (boxes)": 0, "out (masks or key points)": 0}


def test_tensors_that_one_network_does_not_have_are_left_out():
    assert [layer.name for layer in rank(LAYERS, tap(a=SIGNAL, b=SIGNAL), tap(a=SIGNAL), BATCHES)] == ["first"]


def test_end_to_end_detections_are_not_cut_in_boxes_and_scores():
    rows = np.ones((1, 300, 6), np.float32)
    (layer,) = rank({}, tap(out=rows), tap(out=rows), BATCHES)
    assert layer.name == "out"
