"""Where the level of a series changed: binary segmentation with permutation tests. Pure, and the same every time.

A series is searched for the one point that parts it into two levels, and where there is none, for a segment that
differs from the values on both its sides: what broke and was repaired is the usual history. The parts are searched
again. Each search is tested against shuffled copies of the series. Therefore at most a share `ALPHA` of all series of
pure noise has a change point, whatever the distribution of the noise, as long as it is exchangeable. Series without
noise (the size of a file, the mAP of a deterministic runtime) need no test: each of their steps is a change.

Olshen, Venkatraman, Lucito, Wigler (2004): Circular binary segmentation for the analysis of array-based DNA copy number
data. Biostatistics 5(4), 557–572. The test of a single point is Vostrikova's (1981), as they describe it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.03  # share of series of pure noise in which a point is found; half for single points, half for segments
SHUFFLES = 999  # shuffled copies per test
SHORTEST = 2  # values of a level; a single value is an outlier until the next one confirms it
LONGEST = 300  # the search looks at so many last values: its time grows with their square

Rows = NDArray[np.float64]
Search = Callable[[Rows], tuple[NDArray[np.float64], tuple[int, ...]]]
"""Partial sums of R centred series [R, n + 1] → the largest statistic of each series [R], and the change points at
which the first series reaches its own."""


def changepoints(values: Sequence[float]) -> tuple[int, ...]:
    """The index of the first value of every new level in `values`, which are in order of time; ascending."""
    skipped = max(0, len(values) - LONGEST)
    series = np.asarray(values[skipped:], np.float64)
    steps = np.flatnonzero(np.diff(series)) + 1
    if 2 * len(steps) < len(series) - 1:  # most neighbours are equal: there is no noise
        return tuple(int(step) + skipped for step in steps)
    return tuple(point + skipped for point in _confirmed(series, _split(series)))


def _split(series: Rows, start: int = 0) -> list[int]:
    """Change points of a stretch whose first value has the index `start` in the whole series, ascending."""
    found = _significant(series, _point, 2) or _significant(series, _segment, 3)
    if not found:
        return []
    points = [start + point for point in found]
    for offset, part in zip((0, *found), np.split(series, found), strict=True):
        points += _split(part, start + offset)
    return sorted(points)


def _significant(series: Rows, search: Search, levels: int) -> tuple[int, ...]:
    """The change points between so many `levels` that a search finds; none where shuffled copies show as much."""
    if len(series) < levels * SHORTEST:
        return ()
    copies = _shuffled(series)
    statistics, found = search(_sums(np.vstack([series, copies])))
    return found if _p(statistics[0], statistics[1:]) <= ALPHA / 2 else ()


def _point(sums: Rows) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Search for one point k: the largest |mean of the first k − mean of the rest| · √(k (n − k) / n).

    That is |S_k| · √(n / (k (n − k))), where S_k is the sum of the first k centred values.
    """
    n = sums.shape[1] - 1
    k = np.arange(SHORTEST, n - SHORTEST + 1)
    found = np.abs(sums[:, k]) * np.sqrt(n / (k * (n - k)))
    return found.max(axis=1), (int(k[found[0].argmax()]),)


def _segment(sums: Rows) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Search for a segment [i, j) of l values that differs from the rest: largest |S_j − S_i| · √(n / (l (n − l)))."""
    n = sums.shape[1] - 1
    best, where = np.full(len(sums), -1.0), (0, n)
    for length in range(SHORTEST, n - 2 * SHORTEST + 1):
        first, last = SHORTEST, n - SHORTEST - length
        inside = sums[:, first + length : last + length + 1] - sums[:, first : last + 1]
        found = np.abs(inside) * np.sqrt(n / (length * (n - length)))
        if found[0].max() > best[0]:
            start = first + int(found[0].argmax())
            where = start, start + length
        best = np.maximum(best, found.max(axis=1))
    return best, where


def _confirmed(series: Rows, points: list[int]) -> list[int]:
    """The points whose two levels differ by themselves too: noise may end a segment before its level ends."""
    while points:
        edges = [0, *points, len(series)]
        doubts = [_differ(series[a:b], series[b:c]) for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)]
        worst = int(np.argmax(doubts))
        if doubts[worst] <= ALPHA:
            break
        points = points[:worst] + points[worst + 1 :]
    return points


def _differ(left: Rows, right: Rows) -> float:
    """The p value of the difference between the means of two neighbouring levels, by permutation."""
    copies = _shuffled(np.concatenate([left, right]))
    null = copies[:, : len(left)].mean(axis=1) - copies[:, len(left) :].mean(axis=1)
    return _p(abs(float(left.mean() - right.mean())), np.abs(null))


def _shuffled(series: Rows) -> Rows:
    """Shuffled copies [SHUFFLES, n] of a series [n]; the seed is n, so that the answer is always the same."""
    return np.random.default_rng(len(series)).permuted(np.tile(series, (SHUFFLES, 1)), axis=1)


def _sums(rows: Rows) -> Rows:
    """Partial sums [R, n + 1] of the centred rows [R, n], beginning with 0."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.concatenate([np.zeros((len(rows), 1)), np.cumsum(centred, axis=1)], axis=1)


def _p(seen: float, null: NDArray[np.float64]) -> float:
    """The p value of a statistic: the share of series that show as much. The series itself counts, so p is never 0."""
    return float(1 + np.count_nonzero(null >= seen * (1 - 1e-12))) / (1 + len(null))
