"""What other tools' rules would have said of the same samples: one run against one stored run, wall clocks.

For `quantgate selfcheck`, so that our rates stand beside those of what people use. Each rule is given the first
process of a trial's baseline and the first of its candidate, 40 calls each.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

Rule = Callable[[Sequence[float], Sequence[float], float], bool]
SIGNIFICANT = 0.05


def threshold_on_means(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """What most scripts do: the mean rose by more than the limit."""
    return statistics.fmean(new) > (1 + limit) * statistics.fmean(old)


def welch(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """Slower by Welch's t-test (Biometrika 1947), one-sided, p < 0.05; the limit plays no part."""
    from scipy.stats import ttest_ind

    return bool(ttest_ind(new, old, equal_var=False, alternative="greater").pvalue < SIGNIFICANT)


def mann_whitney(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """Slower by the rank test of Mann and Whitney (1947), one-sided, p < 0.05, as benchstat and k6 users do."""
    from scipy.stats import mannwhitneyu

    return bool(mannwhitneyu(new, old, alternative="greater").pvalue < SIGNIFICANT)


def compare_fail_min(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """`pytest-benchmark --benchmark-compare-fail=min:5%`, its documentation's example."""
    return min(new) > (1 + limit) * min(old)


def compare_fail_median(old: Sequence[float], new: Sequence[float], limit: float) -> bool:
    """`pytest-benchmark --benchmark-compare-fail=median:5%`."""
    return statistics.median(new) > (1 + limit) * statistics.median(old)


RULES: dict[str, Rule] = {
    "threshold on means": threshold_on_means,
    "Welch's t-test": welch,
    "Mann-Whitney": mann_whitney,
    "pytest-benchmark compare-fail=min": compare_fail_min,
    "pytest-benchmark compare-fail=median": compare_fail_median,
}
