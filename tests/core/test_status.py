"""Every status has one row: how bad it is, whether it fails, whether it is undecided, and how it looks."""

from __future__ import annotations

from typing import get_args

import pytest

from harness.core.status import FAILING, FINE, SEVERITY, TABLE, UNDECIDED, Status, severity, worst


def test_every_status_is_in_the_table():
    assert set(TABLE) == set(get_args(Status))


def test_statuses_are_ordered_worst_first():
    assert SEVERITY == (
        "error", "regressed", "missed", "missing",
        "incomparable", "no-baseline", "inconclusive", "not-run",
        "unavailable",
        "unchanged", "met", "improved",
    )  # fmt: skip
    assert [severity(status) for status in SEVERITY] == list(range(len(SEVERITY)))


def test_what_went_wrong_fails_and_nothing_else():
    assert {"error", "regressed", "missed", "missing"} == FAILING


def test_what_could_not_be_judged_is_undecided():
    assert UNDECIDED == ("incomparable", "no-baseline", "inconclusive", "not-run")


def test_what_was_judged_and_passed_is_fine():
    assert FINE == ("unchanged", "met", "improved")


def test_a_status_fails_or_is_undecided_or_is_fine_and_only_unavailable_is_none_of_them():
    kinds = [FAILING, frozenset(UNDECIDED), frozenset(FINE), frozenset({"unavailable"})]
    assert sum(map(len, kinds)) == len(TABLE)
    assert frozenset().union(*kinds) == set(TABLE)


def test_every_failing_status_is_worse_than_every_undecided_and_these_than_every_fine_one():
    ranks = [[severity(status) for status in kind] for kind in (FAILING, UNDECIDED, FINE)]
    failing, undecided, fine = ranks
    assert max(failing) < min(undecided)
    assert max(undecided) < min(fine)


@pytest.mark.parametrize(
    ("statuses", "look"),
    [
        (FAILING, ("bad", "❌", "red")),
        (UNDECIDED, ("warn", "⚠️", "yellow")),
        (["unavailable"], ("none", "➖", "dim")),
        (FINE, ("good", "✅", "green")),
    ],
)
def test_a_status_looks_in_every_medium_as_bad_as_it_is(statuses, look):
    assert {(TABLE[one].tone, TABLE[one].icon, TABLE[one].colour.split()[-1]) for one in statuses} == {look}


def test_the_worst_status_counts_and_nothing_to_miss_is_met():
    assert worst(["unchanged", "missed", "regressed", "improved"]) == "regressed"
    assert worst(["unavailable", "inconclusive"]) == "inconclusive"
    assert worst(["improved", "met"]) == "met"
    assert worst([]) == "met"
