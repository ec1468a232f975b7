"""The stop rule of latency verdicts. Pure; every constant is fixed before anything is measured.

After 3, 5 and 7 fresh processes the mean of their log ratios is held against the mean of the baseline's:

    estimate = mean(now) − mean(baseline)
    s        = pooled standard deviation of both, between processes
    h(p)     = t(1 − p, k + m − 2) · s · √(1/k + 1/m)          k processes now, m in the baseline

    unchanged   estimate + h(MISS / looks) < limit; `improved` if besides
                estimate < −limit and estimate + h(ALARM / cells) < 0
    otherwise   the next look, and after the last one
    regressed   estimate > limit and estimate − h(ALARM / cells) > 0
    otherwise   `inconclusive`

A pass is cheap, a conviction needs all the evidence: seven processes take seconds in which a machine's state passes.
Convicting at every look had nine times the false alarms on OpenVINO's int8 and caught nothing more (replayed on 5,000
pairs of recorded processes). ALARM is divided by the cells of the suite that are gated so (Bonferroni): the chance of
one false alarm in a whole run of unchanged code is at most ALARM, were processes normally distributed; the limit on
the estimate makes it far smaller. MISS is the chance that a cell which is slower by exactly the limit is passed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

LOOKS = (3, 5, 7)  # fresh processes; the last look may convict (FACTS.md, "Latency on a shared machine")
ALARM = 0.01  # chance of any false alarm in a run
MISS = 0.05  # chance to pass a cell that is slower by the limit
FLOOR = 0.002  # no spread is believed to be smaller: a handful of processes may agree by chance

Decision = Literal["regressed", "improved", "unchanged", "inconclusive"]


@dataclass(frozen=True)
class Comparison:
    """Processes now against those of the baseline, as natural logarithms of time."""

    estimate: float  # log of the change: 0.05 is 5 % slower
    spread: float  # standard deviation between processes
    alarm: float  # half-width that a regression has to clear
    passing: float  # half-width that a pass has to clear
    processes: int  # now
    accepted: int  # in the baseline


def compare_processes(now: Sequence[float], baseline: Sequence[float], cells: int = 1) -> Comparison:
    """The estimate and its half-widths; `cells` are judged in the same run. At least two processes on each side."""
    k, m = len(now), len(baseline)
    freedom = k + m - 2
    squares = (k - 1) * statistics.variance(now) + (m - 1) * statistics.variance(baseline)
    spread = max(FLOOR, math.sqrt(squares / freedom))
    error = spread * math.sqrt(1 / k + 1 / m)
    return Comparison(
        statistics.fmean(now) - statistics.fmean(baseline),
        spread,
        _quantile(ALARM / cells, freedom) * error,
        _quantile(MISS / len(LOOKS), freedom) * error,
        k,
        m,
    )


def decide(seen: Comparison, limit: float, last: bool) -> Decision:
    """What one look says; `inconclusive` before the last look means that another follows.

    `limit` is a share: 0.05 for 5 %.
    """
    edge = math.log1p(limit)
    if seen.estimate + seen.passing < edge:
        return "improved" if seen.estimate < -edge and seen.estimate + seen.alarm < 0 else "unchanged"
    if last and seen.estimate > edge and seen.estimate - seen.alarm > 0:
        return "regressed"
    return "inconclusive"


Judged = TypeVar("Judged")


def in_looks(
    metrics: Collection[str],
    measure: Callable[[int], None],
    judge: Callable[[str], Judged],
    undecided: Callable[[Judged], bool],
) -> dict[str, Judged]:
    """Measure and judge, look by look, until everything is decided or the looks are used up.

    Args:
        metrics: names of what is judged.
        measure: called with a number of processes; afterwards there are that many.
        judge: what the processes so far say of a metric.
        undecided: whether a metric needs another look; a metric that is decided is not judged again.

    Returns:
        The last answer of `judge` for each metric.
    """
    answers: dict[str, Judged] = {}
    for look in LOOKS:
        measure(look)
        answers |= {name: judge(name) for name in metrics if name not in answers or undecided(answers[name])}
        if not any(map(undecided, answers.values())):
            break
    return answers


def resolvable(seen: Comparison, accepted: int | None = None) -> float:
    """The smallest limit, a share, that an unchanged cell of this spread passes at the last look, by its half-width."""
    m = accepted or seen.accepted
    error = seen.spread * math.sqrt(1 / LOOKS[-1] + 1 / m)
    return math.expm1(_quantile(MISS / len(LOOKS), LOOKS[-1] + m - 2) * error)


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of a rate after `hits` in `trials` (Clopper and Pearson, Biometrika 1934)."""
    if hits >= trials:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(hits + 1, trials - hits, confidence))


def _quantile(p: float, freedom: int) -> float:
    """Student's t, upper tail `p`."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - p))
