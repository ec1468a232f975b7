"""The stop rule of latency verdicts. Pure; every constant is fixed before anything is measured.

After 3, 5 and 7 fresh processes, the looks, the mean of their log ratios is held against the baseline's mean:

    estimate = mean(now) − mean(baseline)
    s        = pooled standard deviation of both, between processes
    h(p)     = t(1 − p, k + m − 2) · s · √(1/k + 1/m)          k processes now, m in the baseline

    unchanged   estimate + h(MISS / looks) < limit; `improved` if besides
                estimate < −limit and estimate + h(ALARM / cells) < 0
    otherwise   the next look, and after the last one
    regressed   estimate > limit and estimate − h(ALARM / cells) > 0
    otherwise   `inconclusive`

A pass is cheap and a conviction needs all the evidence: while seven processes run, seconds pass, and with them a
passing state of the machine. Convicting at every look had nine times the false alarms on OpenVINO's int8 and caught
nothing more (replayed on 5,000 pairs of recorded processes). ALARM is divided by the number of cells that the run
judges by this rule (Bonferroni): if processes were normally distributed, the chance of any false alarm in a run of
unchanged code would be at most ALARM; the limit on the estimate makes it far smaller. MISS is the chance that a cell
passes which is slower by exactly the limit.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

LOOKS = (3, 5, 7)  # numbers of fresh processes; only the last look may convict
ALARM = 0.01  # highest chance of any false alarm in a run
MISS = 0.05  # highest chance that a cell passes which is slower by exactly the limit
FLOOR = 0.002  # smallest spread that is believed: a handful of processes may agree by chance

Decision = Literal["regressed", "improved", "unchanged", "inconclusive"]
"""What a look decides; each is a status of the verdict."""


@dataclass(frozen=True)
class Comparison:
    """New processes against the processes of a baseline. All but the counts are natural logarithms."""

    estimate: float  # the change: 0.05 is about 5 % slower
    spread: float  # standard deviation between processes
    alarm: float  # half-width of the interval that convicts
    passing: float  # half-width of the interval that passes
    processes: int  # number of new processes
    accepted: int  # number of processes in the baseline


def compare_processes(now: Sequence[float], baseline: Sequence[float], cells: int = 1) -> Comparison:
    """The estimate of the change, and its half-widths.

    Args:
        now: one natural logarithm per process; at least two.
        baseline: one natural logarithm per process; at least two.
        cells: how many cells the run judges by the stop rule.
    """
    k, m = len(now), len(baseline)
    freedom = k + m - 2
    squares = (k - 1) * statistics.variance(now) + (m - 1) * statistics.variance(baseline)
    spread = max(FLOOR, math.sqrt(squares / freedom))
    error = spread * math.sqrt(1 / k + 1 / m)
    return Comparison(
        estimate=statistics.fmean(now) - statistics.fmean(baseline),
        spread=spread,
        alarm=_quantile(ALARM / cells, freedom) * error,
        passing=_quantile(MISS / len(LOOKS), freedom) * error,
        processes=k,
        accepted=m,
    )


def decide(seen: Comparison, limit: float, last: bool) -> Decision:
    """What one look decides. `inconclusive` before the last look means that another look follows.

    Args:
        seen: the comparison of the processes so far.
        limit: by which share the cell may be slower; 0.05 is 5 %.
        last: whether no look follows, so that this one may convict.
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
    """Measure and judge, look by look, until every metric is decided or no look is left.

    Args:
        metrics: the names of the metrics.
        measure: called with the number of processes that there must be when it returns.
        judge: gives the answer for a metric by the processes so far.
        undecided: whether an answer needs another look. A metric that is decided is not judged again.

    Returns:
        The last answer of `judge` for each metric, by its name.
    """
    answers: dict[str, Judged] = {}
    for look in LOOKS:
        measure(look)
        answers |= {name: judge(name) for name in metrics if name not in answers or undecided(answers[name])}
        if not any(map(undecided, answers.values())):
            break
    return answers


def resolvable(seen: Comparison, accepted: int | None = None) -> float:
    """The smallest limit, a share, at which a cell of this spread passes the last look when its estimate is 0.

    `accepted` is the number of processes in the baseline; None: as many as in `seen`.
    """
    m = accepted or seen.accepted
    error = seen.spread * math.sqrt(1 / LOOKS[-1] + 1 / m)
    return math.expm1(_quantile(MISS / len(LOOKS), LOOKS[-1] + m - 2) * error)


def remedy(seen: Comparison, limit: float, recorded: bool) -> str:
    """What would resolve an inconclusive comparison, in words.

    Args:
        seen: the comparison that decides nothing.
        limit: by which share the cell may be slower; 0.05 is 5 %.
        recorded: whether more processes can be added to the baseline.
    """
    now, more = resolvable(seen), resolvable(seen, 3 * seen.accepted)
    scatter = f"processes scatter by {seen.spread:.1%}, which resolves {now:.1%}"
    if now <= limit:
        return f"{scatter}: the change is close to the limit, run it again"
    if recorded and more <= limit:
        return f"{scatter}: a baseline of {3 * seen.accepted} processes would resolve {more:.1%}, record more occasions"
    return f"{scatter}: quieten the machine, or gate at {now:.0%} or more"


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound of a rate after `hits` in `trials` (Clopper and Pearson, Biometrika 1934)."""
    if hits >= trials:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(hits + 1, trials - hits, confidence))


def _quantile(p: float, freedom: int) -> float:
    """The value that Student's t with `freedom` degrees of freedom exceeds with probability `p`."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - p))
