"""The rules of other tools: each sees what it is known to see, on samples of one run against one stored run."""

from __future__ import annotations

import pytest

from harness.commands.selfcheck.other_rules import RULES

SAME, SLOWER = [1.0, 1.1, 0.9, 1.05] * 10, [1.5, 1.6, 1.4, 1.55] * 10
SPIKES = [*SAME[:-4], 9.0, 9.0, 9.0, 9.0]  # a tenth of the calls waited for something else
FIRST = [0.5, *SAME[1:]]  # one call was lucky
LITTLE = [1.03 * value for value in SAME]  # slower by less than the limit


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_sees_half_as_much_again_and_nothing_in_the_same_samples(rule):
    assert rule(SAME, SLOWER, 0.05)
    assert not rule(SAME, SAME, 0.05)
    assert not rule(SLOWER, SAME, 0.05), "faster is no regression"


@pytest.mark.parametrize(
    ("old", "new", "calling"),
    [
        (SAME, SPIKES, {"threshold on means", "Welch's t-test"}),
        (FIRST, SAME, {"pytest-benchmark compare-fail=min"}),
        (SAME, LITTLE, {"Mann-Whitney", "Welch's t-test"}),
    ],
    ids=["spikes", "one lucky call", "three percent"],
)
def test_what_moves_each_rule(old, new, calling):
    assert {name for name, rule in RULES.items() if rule(old, new, 0.05)} == calling
