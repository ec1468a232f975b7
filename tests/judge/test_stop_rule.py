"""The stop rule: what it says of given processes, and its error rates on simulated ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.judge import stop_rule
from harness.judge.stop_rule import LOOKS, compare_processes, decide


def spread_around(mean: float, count: int, sd: float = 0.005) -> list[float]:
    """`count` values of exactly this mean and standard deviation."""
    shape = np.resize([-1.0, 1.0], count - count % 2)
    shape = np.append(shape, [0.0] * (count % 2))
    return list(mean + sd * shape / shape.std(ddof=1))


def test_the_estimate_is_the_difference_of_means_and_the_half_width_is_student_s():
    seen = compare_processes(spread_around(0.03, 3, 0.01), spread_around(0.01, 10, 0.01))
    assert seen.estimate == pytest.approx(0.02)
    assert seen.spread == pytest.approx(0.01)
    # t(0.01, 11 degrees of freedom) = 2.718 and t(0.05 / 3 looks) = 2.43, from tables
    assert seen.alarm == pytest.approx(2.718 * 0.01 * math.sqrt(1 / 3 + 1 / 10), rel=0.01)
    assert seen.passing == pytest.approx(2.43 * 0.01 * math.sqrt(1 / 3 + 1 / 10), rel=0.01)


def test_more_cells_in_the_run_make_an_alarm_harder_and_a_pass_not_easier():
    one, many = (compare_processes(spread_around(0.0, 3), spread_around(0.0, 10), cells) for cells in (1, 20))
    assert many.alarm > one.alarm
    assert many.passing == one.passing


def test_a_handful_that_agrees_by_chance_is_not_believed():
    assert compare_processes([0.1, 0.1, 0.1], [0.1] * 10).spread == stop_rule.FLOOR


@pytest.mark.parametrize(
    ("change", "sd", "early", "late"),
    [
        (0.10, 0.005, "inconclusive", "regressed"),  # only the last look convicts
        (0.0, 0.005, "unchanged", "unchanged"),
        (-0.10, 0.005, "improved", "improved"),
        (-0.10, 0.075, "unchanged", "unchanged"),  # surely not slower, and maybe faster
        (0.045, 0.005, "inconclusive", "inconclusive"),  # within the limit, and not surely
        (0.06, 0.05, "inconclusive", "inconclusive"),  # beyond it, and maybe chance
        (0.0, 0.10, "inconclusive", "inconclusive"),  # this spread resolves nothing
    ],
)
def test_a_look_at_a_limit_of_five_percent(change, sd, early, late):
    seen = compare_processes(spread_around(change, 4, sd), spread_around(0.0, 10, sd))
    assert decide(seen, 0.05, last=False) == early
    assert decide(seen, 0.05, last=True) == late


def run(draw: np.random.Generator, change: float, limit: float, sd: float) -> str:
    baseline = list(draw.normal(0, sd, 10))
    now = list(draw.normal(change, sd, LOOKS[-1]))
    for look in LOOKS:
        decision = decide(compare_processes(now[:look], baseline), limit, last=look == LOOKS[-1])
        if decision != "inconclusive":
            return decision
    return "inconclusive"


def test_error_rates_on_a_thousand_simulated_runs():
    draw = np.random.default_rng(0)
    same = [run(draw, 0.0, 0.05, 0.01) for _ in range(1000)]
    slower = [run(draw, math.log(1.10), 0.05, 0.01) for _ in range(1000)]
    at_the_limit = [run(draw, math.log(1.05), 0.05, 0.01) for _ in range(1000)]
    assert same.count("regressed") == 0
    assert same.count("unchanged") >= 990
    assert slower.count("regressed") >= 990
    assert at_the_limit.count("unchanged") <= 50  # MISS


def test_what_a_baseline_can_resolve_falls_with_its_size():
    seen = compare_processes(spread_around(0.0, 3, 0.02), spread_around(0.0, 10, 0.02))
    assert stop_rule.resolvable(seen, 30) < stop_rule.resolvable(seen) < 0.05


@pytest.mark.parametrize(
    ("limit", "recorded", "said"),
    [
        (0.05, True, "the change is close to the limit, run it again"),
        (0.024, True, "a baseline of 30 processes would resolve 2.3%, record more occasions"),
        (0.024, False, "quieten the machine, or gate at 3% or more"),
        (0.01, True, "quieten the machine, or gate at 3% or more"),
    ],
)
def test_what_decides_nothing_says_what_would(limit, recorded, said):
    seen = compare_processes(spread_around(0.0, 7, 0.024), spread_around(0.0, 10, 0.024))
    # t(0.05 / 3 looks) is 2.34 for 7 + 10 − 2 degrees of freedom and 2.22 for 7 + 30 − 2
    assert stop_rule.remedy(seen, limit, recorded) == f"processes scatter by 2.4%, which resolves 2.8%: {said}"


class Looks:
    """Measures nothing, and answers for each metric from a list, look by look."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name: iter(given) for name, given in answers.items()}
        self.measured: list[int] = []
        self.judged: list[str] = []

    def judge(self, metric: str) -> str:
        self.judged.append(metric)
        return next(self.answers[metric])

    def run(self) -> dict[str, str]:
        return stop_rule.in_looks(self.answers, self.measured.append, self.judge, lambda answer: answer == "?")


def test_looks_end_when_everything_is_decided():
    looks = Looks(latency=["unchanged"], latency_wall=["improved"])
    assert looks.run() == {"latency": "unchanged", "latency_wall": "improved"}
    assert looks.measured == [3]


def test_another_look_follows_until_none_is_left():
    looks = Looks(latency=["?", "?", "?"])
    assert looks.run() == {"latency": "?"}
    assert looks.measured == [3, 5, 7]


def test_a_metric_that_is_decided_is_not_judged_again():
    looks = Looks(latency=["unchanged"], latency_wall=["?", "regressed"])
    assert looks.run() == {"latency": "unchanged", "latency_wall": "regressed"}
    assert looks.judged == ["latency", "latency_wall", "latency_wall"]
    assert looks.measured == [3, 5]


@pytest.mark.parametrize(
    ("hits", "trials", "expected"), [(0, 300, 0.00994), (1, 100, 0.0466), (5, 5, 1.0)]
)  # the rule of three, and Clopper-Pearson tables
def test_the_bound_of_a_rate(hits, trials, expected):
    assert stop_rule.upper_bound(hits, trials) == pytest.approx(expected, abs=2e-4)
