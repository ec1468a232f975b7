"""Change points: planted steps are found where they are, and noise has none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.store.changepoints import LONGEST, changepoints

Draw = Callable[[np.random.Generator, int], np.ndarray]
NOISES: dict[str, Draw] = {
    "normal": lambda chance, n: chance.normal(size=n),
    "heavy tails": lambda chance, n: chance.standard_t(2, size=n),
    "skewed": lambda chance, n: chance.lognormal(size=n),
}


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize("length", [10, 20, 40])
def test_at_most_5_percent_of_pure_noise_has_a_point(noise: Draw, length: int) -> None:
    """3 % are intended; 400 series tell 5 % from 3 % by more than two standard errors."""
    chance = np.random.default_rng(7)
    false = sum(bool(changepoints(noise(chance, length))) for _ in range(400))
    assert false <= 0.05 * 400


@pytest.mark.parametrize(("length", "point"), [(10, 5), (20, 10), (20, 17), (60, 58)])
def test_a_planted_step_of_six_sigma_is_found_where_it_is(length: int, point: int) -> None:
    chance = np.random.default_rng(7)
    found = 0
    for _ in range(50):
        series = chance.normal(size=length)
        series[point:] += 6
        found += changepoints(series) == (point,)
    assert found >= 45


def test_what_broke_and_was_repaired_is_two_points() -> None:
    chance = np.random.default_rng(7)
    series = chance.normal(size=50)
    series[20:30] += 6
    assert changepoints(series) == (20, 30)


def test_one_odd_value_is_no_new_level_until_the_next_confirms_it() -> None:
    steady = list(np.random.default_rng(7).normal(size=30))
    assert changepoints([*steady, 9.0]) == ()
    assert changepoints([*steady, 9.0, 9.1]) == (30,)


def test_without_noise_every_step_is_a_change() -> None:
    assert changepoints([0.75, 0.75, 0.75, 0.74]) == (3,)
    assert changepoints([1, 1, 1, 2, 2, 2, 1, 1]) == (3, 6)


@pytest.mark.parametrize("series", [[], [1.0], [1.0, 2.0], [1.0, 2.0, 3.0], [5.0] * 40])
def test_too_little_and_nothing_new_have_none(series: list[float]) -> None:
    assert changepoints(series) == ()


def test_the_last_values_of_a_long_series_are_looked_at() -> None:
    series = np.random.default_rng(7).normal(size=3 * LONGEST)
    series[100:] += 9
    series[2 * LONGEST + 50 :] += 9
    assert changepoints(series) == (2 * LONGEST + 50,)


def test_the_answer_is_the_same_every_time_and_does_not_depend_on_units() -> None:
    series = np.random.default_rng(3).normal(size=25)
    series[12:] += 3
    assert changepoints(series) == changepoints(series) == changepoints(series * 1e6 + 5) != ()
