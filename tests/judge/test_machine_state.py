"""Nobody is convicted while the machine itself can explain what is slower."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from builders import measurement
from gated import BUSY, processes, recorded

from harness.judge.machine_state import another_state, busy, slowed

LIMIT = 0.05


def test_a_quiet_machine_is_not_busy():
    assert busy(processes()) == ""


def test_one_busy_process_is_enough_and_says_what_disturbed_it():
    quiet = processes()
    said = busy([*quiet[:2], replace(quiet[2], interference=BUSY)])
    assert said == "the machine is busy (CPU pressure 40%, 90 involuntary context switches a second)"


def test_a_reference_is_compared_with_itself_in_the_baseline():
    assert slowed(processes(level=15.0), recorded(), "network") == pytest.approx(0.0)
    assert slowed(processes(level=15.2), recorded(), "network") == pytest.approx(0.2)
    assert slowed(processes(level=14.7), recorded(), "numpy") == pytest.approx(-0.3)


def test_a_baseline_without_levels_tells_no_change():
    assert slowed(processes(level=15.2), measurement(), "network") == 0.0


def test_a_machine_that_has_not_changed_explains_nothing_beyond_the_limit():
    assert another_state(math.log(1.06), LIMIT, 0.0) == ""


@pytest.mark.parametrize("slower", [math.log(1.2), -math.log(1.2)])
def test_a_tenth_of_the_reference_s_own_change_is_not_held_against_the_target(slower):
    edge = math.log1p(LIMIT) + 0.1 * abs(slower)
    assert another_state(edge - 1e-6, LIMIT, slower) != ""
    assert another_state(edge + 1e-6, LIMIT, slower) == ""


@pytest.mark.parametrize("slower", [math.log(1.5), -math.log(2.3)])
def test_a_quarter_is_not_where_the_reference_changed_by_half_or_more(slower):
    edge = math.log1p(LIMIT) + 0.25 * abs(slower)
    assert another_state(edge - 1e-6, LIMIT, slower) != ""
    assert another_state(edge + 1e-6, LIMIT, slower) == ""


@pytest.mark.parametrize(("slower", "said"), [(math.log(1.2), "20% slower"), (-math.log(1.2), "20% faster")])
def test_it_says_how_much_slower_or_faster_the_machine_is(slower, said):
    assert another_state(0.0, LIMIT, slower) == f"the machine is {said} than it was for the baseline"
