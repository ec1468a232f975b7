"""The rules of other tools, applied to the samples of a selfcheck: wall clocks of one run against one stored run.

`quantgate selfcheck` prints their error rates beside quantgate's own. Every rule gets the first process of a trial's
baseline, the first process of its candidate (milliseconds of 40 calls each), and the limit of the gate as a share. It
returns whether it calls the candidate a regression.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

Rule = Callable[[Sequence[float], Sequence[float], float], bool]
"""Called with the old samples, the new samples and the limit; True is a regression."""

SIGNIFICANT = 0.05
"""The p-value below which the two rank and mean tests call a difference a regression."""


def threshold_on_means(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """The mean rose by more than the limit: the rule of most scripts."""
    return statistics.fmean(new) > (1 + limit) * statistics.fmean(old)


def welch(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """Slower by Welch's t-test (Biometrika 1947), one-sided, p < 0.05, whatever the limit."""
    from scipy.stats import ttest_ind

    return bool(ttest_ind(new, old, equal_var=False, alternative="greater").pvalue < SIGNIFICANT)


def mann_whitney(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """Slower by the rank test of Mann and Whitney (1947), one-sided, p < 0.05, as users of benchstat and k6 test."""
    from scipy.stats import mannwhitneyu

    return bool(mannwhitneyu(new, old, alternative="greater").pvalue < SIGNIFICANT)


def compare_fail_min(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """The minimum rose by more than the limit: `--benchmark-compare-fail=min:5%`, the example of pytest-benchmark."""
    return min(new) > (1 + limit) * min(old)


def compare_fail_median(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """The median rose by more than the limit: `--benchmark-compare-fail=median:5%` of pytest-benchmark."""
    return statistics.median(new) > (1 + limit) * statistics.median(old)


RULES: dict[str, Rule] = {
    "threshold on means": threshold_on_means,
    "Welch's t-test": welch,
    "Mann-Whitney": mann_whitney,
    "pytest-benchmark compare-fail=min": compare_fail_min,
    "pytest-benchmark compare-fail=median": compare_fail_median,
}
"""The rules by the name that the table of rates shows."""
