"""What a run came to, suite by suite."""

from __future__ import annotations

from dataclasses import replace

from builders import MACHINE
from shown import FP32, PLAN, result

from harness.core.status import FAILING
from harness.report.common.view import View
from harness.report.outcome import Outcome

OTHER = replace(PLAN, suite="other", file="test_other.py")
OURS = [result(FP32), result(FP32.sibling("int8"))]
THEIRS = replace(result(FP32), suite="other")


def test_each_suite_has_its_own_results_in_their_order_and_suites_stand_as_they_were_planned():
    outcome = Outcome([OTHER, PLAN], [OURS[0], THEIRS, OURS[1]], View(), MACHINE)
    assert list(outcome.suites()) == [(OTHER, [THEIRS]), (PLAN, OURS)]


def test_a_suite_of_which_nothing_was_gathered_is_there_without_results():
    outcome = Outcome([PLAN, OTHER], [THEIRS], View(), MACHINE)
    assert list(outcome.suites()) == [(PLAN, []), (OTHER, [THEIRS])]


def test_results_of_a_suite_that_was_not_planned_are_in_no_suite():
    assert list(Outcome([PLAN], [THEIRS], View(), MACHINE).suites()) == [(PLAN, [])]


def test_without_options_the_failing_statuses_fail_and_nothing_was_accepted():
    outcome = Outcome([PLAN], OURS, View(), MACHINE)
    assert (outcome.failing, outcome.accepted, outcome.problem) == (FAILING, None, "")
