"""Every metric says what it is, in a line that stands by itself; what is stored, gated and relative exists."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.core.metrics import GATED, METRICS, RELATIVE, STORED, TRACED


@pytest.mark.parametrize("name", METRICS)
def test_a_title_refers_to_no_other_metric(name):
    title = METRICS[name].title
    for reference in ("the same", "such a", "as above", "see above", "likewise", "former", "latter"):
        assert reference not in title.lower()


@pytest.mark.parametrize("name", METRICS)
def test_a_title_is_one_line_without_a_full_stop(name):
    title = METRICS[name].title
    assert title == title.strip()
    assert title
    assert "\n" not in title
    assert not title.endswith(".")


def test_no_two_metrics_have_one_title():
    assert [title for title, count in Counter(one.title for one in METRICS.values()).items() if count > 1] == []


@pytest.mark.parametrize("name", METRICS)
def test_the_end_of_a_name_is_its_unit(name):
    units = {"ms": "ms", "bytes": "B", "mj": "mJ", "ips": "images/s", "calls": "calls"}
    assert METRICS[name].unit == units.get(name.rpartition("_")[2], "")


def test_time_memory_and_energy_are_costs():
    costs = {name for name, metric in METRICS.items() if metric.unit in ("ms", "B", "mJ")}
    assert {name for name in costs if METRICS[name].higher_is_better} == set()
    assert METRICS["map"].higher_is_better
    assert METRICS["throughput_ips"].higher_is_better
    assert not METRICS["collapsed_classes"].higher_is_better


def test_gated_metrics_are_ratios_of_the_latency_phase():
    assert {(METRICS[name].phase, METRICS[name].unit, METRICS[name].higher_is_better) for name in GATED} == {
        ("latency", "", False)
    }


def test_relative_metrics_are_of_the_accuracy_phase():
    assert {METRICS[name].phase for name in RELATIVE} == {"accuracy"}


@pytest.mark.parametrize("phase", ["accuracy", "latency"])
def test_a_baseline_keeps_metrics_of_its_own_phase(phase):
    assert {METRICS[name].phase for name in STORED[phase]} == {phase}


def test_a_baseline_keeps_every_accuracy_that_needs_no_sibling():
    own = {name for name, metric in METRICS.items() if metric.phase == "accuracy"}
    assert set(STORED["accuracy"]) == own - {*RELATIVE, "class_ap"}


def test_a_baseline_keeps_no_gated_ratio():
    """Gated latency is judged by the processes in a baseline's samples and not by one number."""
    assert set(STORED["latency"]) & set(GATED) == set()


def test_no_entry_of_the_provenance_belongs_to_both_phases():
    assert set(TRACED["accuracy"]) & set(TRACED["latency"]) == set()
