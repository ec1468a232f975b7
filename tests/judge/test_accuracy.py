"""What is said of an accuracy against its baseline: identical, equivalent, or statistically changed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from builders import measurement

from harness.judge import accuracy
from harness.judge.accuracy import is_resampled, judge_drop, paired_change, resampled_name, same_detections

LIMIT = 0.005


def of(value, wobble=0.0, digest="a", seed=0, images=128):
    """A measurement of mAP `value` whose resamples differ from those of another by `wobble`."""
    common = np.random.default_rng(9).normal(0, 0.02, 1000)
    own = np.random.default_rng(seed).normal(0, wobble, 1000)
    made = measurement(map=value)
    return dataclasses.replace(
        made,
        samples={"map_resampled": (value + common + own).tolist()},
        provenance={**made.provenance, "detections": digest, "images": images},
    )


def test_equal_detections_are_identical_whatever_else():
    assert judge_drop("map", LIMIT, of(0.4), of(0.4)) == ("unchanged", "identical detections")


@pytest.mark.parametrize("metric", ["attested_share", "size_bytes"])
def test_equal_detections_say_nothing_about_what_the_artifact_decides(metric):
    assert judge_drop(metric, LIMIT, of(0.4), of(0.4)) is None


def test_nearly_equal_detections_are_equivalent():
    new, old = of(0.4003, digest="b"), of(0.4)
    assert judge_drop("map", LIMIT, new, old, alike=0.9995) == (
        "unchanged", "equivalent: 99.95% of the detections match one to one"
    )  # fmt: skip
    assert "interval" in judge_drop("map", LIMIT, new, old, alike=0.998)[1]
    assert "interval" in judge_drop("map", LIMIT, of(0.401, digest="b"), old, alike=0.9999)[1]


@pytest.mark.parametrize(
    ("value", "wobble", "status"),
    [
        (0.38, 0.003, "regressed"),
        (0.38, 0.03, "inconclusive"),  # beyond the gate, and not proven
        (0.398, 0.0001, "unchanged"),  # proven, and within the gate
        (0.42, 0.003, "improved"),
        (0.42, 0.03, "unchanged"),
    ],
)
def test_a_change_is_judged_by_the_gate_and_by_what_is_proven(value, wobble, status):
    decision, said = judge_drop("map", LIMIT, of(value, wobble, "b"), of(0.4))
    assert decision == status
    assert "99% interval" in said
    assert "128 images prove drops above 0." in said


def test_without_resamples_on_both_sides_nothing_is_said():
    bare = dataclasses.replace(of(0.4), samples={})
    assert judge_drop("map", LIMIT, of(0.3, digest="b"), bare) is None
    fewer = dataclasses.replace(of(0.4), samples={"map_resampled": [0.4] * 10})
    assert judge_drop("map", LIMIT, of(0.3, digest="b"), fewer) is None


def test_the_detail_has_the_change_its_interval_and_what_could_be_proven():
    seen = paired_change(0.4, 0.388, [0.40, 0.41, 0.39], [0.388, 0.398, 0.379], 128)
    assert accuracy.change_line(seen, 128) == (
        "−0.0120, 99% interval −0.0135…−0.0105; 128 images prove drops above 0.0020"
    )  # standard deviation 0.00058, z 2.576 and 0.842


def test_without_hashes_of_detections_nothing_is_identical():
    unknown = measurement(map=0.4)
    assert not same_detections(unknown, unknown)
    assert same_detections(of(0.4), of(0.4))


def test_resamples_are_named_by_their_metric():
    assert resampled_name("map_50") == "map_50_resampled"
    assert [name for name in (resampled_name("map"), "map", "latency_ms", "log_ratio_numpy") if is_resampled(name)] == [
        "map_resampled"
    ]


# The interval of a change


Z99, Z80 = 2.5758, 0.8416  # from tables


def test_the_interval_is_centred_on_the_change_and_as_wide_as_the_resamples_scatter():
    olds = np.linspace(0.3, 0.5, 100)
    news = olds - 0.01 + np.resize([-0.004, 0.004], 100)
    error = 0.004 * math.sqrt(100 / 99) * math.sqrt(64 / 63)
    seen = paired_change(0.4, 0.39, olds, news, 64)
    assert seen.value == pytest.approx(-0.01)
    assert seen.low == pytest.approx(-0.01 - Z99 * error, abs=1e-6)
    assert seen.high == pytest.approx(-0.01 + Z99 * error, abs=1e-6)
    assert seen.provable == pytest.approx((Z99 + Z80) * error, abs=1e-6)
    assert not seen.proven_drop


def test_what_both_sides_share_does_not_widen_it():
    olds = np.linspace(0.1, 0.9, 100)
    assert paired_change(0.5, 0.49, olds, olds - 0.01, 64).proven_drop


def test_a_gain_is_proven_like_a_drop():
    olds = np.linspace(0.1, 0.9, 100)
    assert paired_change(0.5, 0.51, olds, olds + 0.01, 64).proven_gain


def test_resamples_without_ground_truth_do_not_count():
    assert paired_change(0.5, 0.4, [0.5, -1, 0.6], [0.4, -1, 0.5], 8).high == pytest.approx(-0.1)


def test_one_resample_proves_nothing():
    assert not paired_change(0.5, 0.1, [0.5], [0.1], 8).proven_drop
