"""What may judge a latency, what its processes say, and what a recording adds to a baseline."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import measurement
from gated import BUSY, IDENTITY, NOISE, NOON, processes, recorded

from harness.core.measurement import Measurement
from harness.core.processes import Identity, Replicate
from harness.core.suite import Gate
from harness.judge import latency


@pytest.fixture
def accepted() -> Measurement:
    both, _ = latency.extended(recorded(), recorded(NOON + timedelta(minutes=10)), 0.05)
    return both


def test_the_network_judges_while_the_runtime_is_the_same(accepted):
    assert latency.usable(accepted, IDENTITY) == ("network", "")


def test_numpy_judges_an_upgrade_of_the_runtime(accepted):
    upgraded = Identity("artifact", {"network": "n on ort 2", "numpy": "p"})
    assert latency.usable(accepted, upgraded) == ("numpy", "")


def test_where_both_references_differ_it_says_how(accepted):
    reference, why = latency.usable(accepted, Identity("artifact", {"network": "n on ort 2", "numpy": "q"}))
    assert reference == ""
    assert why == (
        "network reference: the baseline has n on ort 1, this run n on ort 2; "
        "numpy reference: the baseline has p, this run q"
    )


def test_a_baseline_without_processes_judges_nothing():
    reference, why = latency.usable(measurement(), IDENTITY)
    assert reference == ""
    assert "--qg-baseline-update" in why


def test_one_occasion_is_not_enough(accepted):
    assert "5 processes of 1 occasion and needs 10 of 2" in latency.immature(recorded())
    assert latency.immature(accepted) == ""


def test_a_second_occasion_is_added(accepted):
    kept = latency.gated(accepted)
    assert [one["recorded"] for one in kept["occasions"]] == ["2026-11-24T12:00Z", "2026-11-24T12:10Z"]
    assert len(accepted.samples["log_ratio_network"]) == 10


def test_an_occasion_too_soon_after_the_last_is_not_added():
    kept, happened = latency.extended(recorded(), recorded(NOON + timedelta(minutes=9)), 0.05)
    assert happened == "no occasion added: the last is 9 min old, two lie 10 min apart"
    assert latency.gated(kept) == latency.gated(recorded())
    assert kept.samples["log_ratio_network"] == recorded().samples["log_ratio_network"]


def test_only_the_last_occasions_are_kept(accepted):
    for number in range(2, 9):
        accepted, _ = latency.extended(accepted, recorded(NOON + timedelta(hours=number)), 0.05)
    assert len(latency.gated(accepted)["occasions"]) == latency.KEPT
    assert len(accepted.samples["wall_log_ratio_numpy"]) == latency.KEPT * latency.OCCASION


@pytest.mark.parametrize(
    ("new", "happened"),
    [
        (recorded(shift=0.2), "occasion 1 of a new level: regressed against the baseline"),
        (recorded(shift=-0.2), "occasion 1 of a new level: improved against the baseline"),
        (recorded(identity=Identity("other", IDENTITY.references)), "occasion 1: another artifact than the baseline's"),
        (
            recorded(identity=Identity("artifact", {"network": "x"})),
            "occasion 1: another reference than the baseline's",
        ),
        (recorded(network=8), "occasion 1: another repeat than the baseline's"),
    ],
)
def test_what_is_another_level_or_another_thing_begins_anew(accepted, new, happened):
    kept, said = latency.extended(accepted, new, 0.05)
    assert (kept, said) == (new, happened)


def test_the_wall_clock_and_the_creep_are_watched_wherever_latency_is_gated():
    assert latency.limits([Gate("map", max_drop=0.1)]) == {}
    assert latency.limits([Gate("latency", max_rise=0.05)]) == {
        "latency": 0.05, "latency_wall": 0.10, "latency_creep": 0.10
    }  # fmt: skip
    declared = [Gate("latency", max_rise=0.2), Gate("latency_creep", max_rise=0.3)]
    assert latency.limits(declared) == {"latency": 0.2, "latency_wall": 0.2, "latency_creep": 0.3}


def test_a_slower_cell_is_regressed_and_the_verdict_says_how_sure(accepted):
    verdict = latency.judge_latency("latency", processes(math.log(1.2), count=7), accepted, "network", 0.05, 1)
    assert verdict.status == "regressed"
    assert verdict.observed == pytest.approx(1.2, abs=0.01)
    assert verdict.expected == "≤ 1.05 × baseline"
    assert verdict.detail.startswith("+20.0% ± ")
    assert verdict.detail.endswith("by 7 processes against 10, network reference")


def test_nobody_is_convicted_before_the_last_look(accepted):
    assert latency.judge_latency("latency", processes(math.log(1.2), count=5), accepted, "network", 0.05, 1).status == (
        "inconclusive"
    )


def test_cpu_time_does_not_see_sleep_and_the_wall_clock_does(accepted):
    sleepy = processes(wall=math.log(1.2), count=7)
    assert latency.judge_latency("latency", sleepy, accepted, "network", 0.05, 1).status == "unchanged"
    assert latency.judge_latency("latency_wall", sleepy, accepted, "network", 0.10, 1).status == "regressed"


def test_the_wall_clock_convicts_nobody_on_a_busy_machine(accepted):
    sleepy = processes(wall=math.log(1.2), meanwhile=BUSY, count=7)
    verdict = latency.judge_latency("latency_wall", sleepy, accepted, "network", 0.10, 1)
    assert verdict.status == "inconclusive"
    assert "CPU pressure 40%, 90 involuntary context switches a second" in verdict.detail
    fine = processes(meanwhile=BUSY, count=3)
    assert latency.judge_latency("latency_wall", fine, accepted, "network", 0.10, 1).status == "unchanged"


@pytest.mark.parametrize(("level", "said"), [(15.15, "16% slower"), (14.85, "16% faster")])
def test_a_tenth_of_what_the_reference_has_slowed_or_gained_is_not_held_against_the_target(accepted, level, said):
    slightly = math.log(1.06)
    same, other = (processes(slightly, count=7, level=at) for at in (15.0, level))
    assert latency.judge_latency("latency", same, accepted, "network", 0.05, 1).status == "regressed"
    verdict = latency.judge_latency("latency", other, accepted, "network", 0.05, 1)
    assert verdict.status == "inconclusive"
    assert f"the machine is {said} than it was for the baseline" in verdict.detail
    clearly = processes(math.log(1.2), count=7, level=level)
    assert latency.judge_latency("latency", clearly, accepted, "network", 0.05, 1).status == "regressed"


@pytest.mark.parametrize("level", [14.2, 15.8])  # 2.2 times as fast, and as slow
def test_on_what_is_as_good_as_another_machine_a_quarter_of_it_is_not(accepted, level):
    def judged(ratio):
        found = processes(math.log(ratio), count=7, level=level)
        return latency.judge_latency("latency", found, accepted, "network", 0.05, 1).status

    assert (judged(1.18), judged(1.5)) == ("inconclusive", "regressed")


def test_what_cannot_be_resolved_says_what_would(accepted):
    verdict = latency.judge_latency("latency", processes(count=5), accepted, "network", 0.001, 1)
    assert verdict.status == "inconclusive"
    assert "quieten the machine, or gate at" in verdict.detail


def test_two_sides_of_a_run_are_judged_by_the_first_reference_that_they_share():
    assert latency.common(IDENTITY, IDENTITY) == ("network", "")
    upgraded = Identity("artifact", {"network": "n on ort 2", "numpy": "p"})
    assert latency.common(IDENTITY, upgraded) == ("numpy", "")
    apart = Identity("artifact", {"network": "n on ort 2", "numpy": "q"})
    name, why = latency.common(IDENTITY, apart)
    assert name == ""
    assert why == "network: n on ort 1 on the base, n on ort 2 here; numpy: p on the base, q here"


def test_without_a_common_reference_the_time_itself_is_judged():
    def bare(shift: float) -> list[Replicate]:
        alone = {"numpy": 15.0}
        ratios = [{"numpy": noise + shift} for noise in NOISE]
        return [latency.without_reference(replace(one, cpu=ratio, wall=ratio, levels=alone)) for one, ratio in
                zip(processes(count=7), ratios, strict=True)]  # fmt: skip

    first = bare(0.3)[2]
    assert (first.cpu, first.wall, first.levels) == ({"no": 15.3}, {"no": 15.3}, {"no": 0.0})
    accepted = Measurement(measurement().cell, samples=latency.samples(bare(0.0)))
    found = latency.judge_latency("latency", bare(0.2), accepted, latency.NONE, 0.05, cells=1, recorded=False)
    assert found.status == "regressed"
    assert "+22.1%" in found.detail and "by 7 processes against 7, no reference" in found.detail


def test_what_would_resolve_a_run_of_two_sides_is_no_recording():
    loose = [replace(one, cpu={"network": 20 * one.cpu["network"]}) for one in processes(count=7)]
    accepted = Measurement(measurement().cell, samples=latency.samples(loose))
    told = [
        latency.judge_latency("latency", loose, accepted, "network", 0.06, 1, recorded).detail
        for recorded in (True, False)
    ]
    assert "record more occasions" in told[0]
    assert "quieten the machine" in told[1]


def test_a_process_leaves_one_number_by_clock_and_reference():
    kept = latency.samples(processes(0.01, count=3))
    assert set(kept) == {
        f"{kind}_{name}" for kind in ("log_ratio", "wall_log_ratio", "log_level") for name in ("network", "numpy")
    }
    assert {len(values) for values in kept.values()} == {3}
    assert all(map(latency.is_gated_sample, kept))
    assert not any(map(latency.is_gated_sample, ("latency_ms", "map_resampled")))


def test_an_occasion_says_when_what_and_how_many_processes():
    assert latency.provenance(IDENTITY, {"network": 7}, 5, NOON) == {
        "artifact": "artifact",
        "references": {"network": "n on ort 1", "numpy": "p"},
        "repeats": {"network": 7},
        "occasions": [{"recorded": "2026-11-24T12:00Z", "processes": 5}],
    }


def test_a_measurement_without_processes_has_nothing_gated_and_replaces_the_baseline():
    assert latency.gated(None) == latency.gated(measurement()) == {}
    assert latency.extended(recorded(), measurement(), 0.05) == (measurement(), "")


def test_the_first_recording_is_the_first_occasion():
    for nothing in (None, measurement()):
        assert latency.extended(nothing, recorded(), 0.05) == (recorded(), "occasion 1")


def test_a_clock_that_went_back_adds_no_occasion():
    _, happened = latency.extended(recorded(), recorded(NOON - timedelta(hours=1)), 0.05)
    assert happened == "no occasion added: the last is 0 min old, two lie 10 min apart"
