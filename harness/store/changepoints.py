"""Where the level of a series changed: binary segmentation with permutation tests. Pure, and the same every time.

A series is searched for the one point that parts it into two levels, and then for a segment that differs from both its
sides, since what broke and was repaired is the usual history; the parts are searched again. Each search is tested
against shuffled copies of the series, so that whatever the distribution of exchangeable noise, at most `ALPHA` of such
series have a point that is none. Series without noise (the size of a file, the mAP of a deterministic runtime) need no
test: each of their steps is a change.

Olshen, Venkatraman, Lucito, Wigler (2004): Circular binary segmentation for the analysis of array-based DNA copy number
data. Biostatistics 5(4), 557–572; the test of a single point is that of Vostrikova (1981), as they describe it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.03  # of pure noise in which a point is found; half for single points, half for segments
SHUFFLES = 999
SHORTEST = 2  # values of a level; a single one is an outlier until the next confirms it
LONGEST = 300  # values that are looked at, the last ones: the search takes their square

Rows = NDArray[np.float64]
Search = Callable[[Rows], tuple[NDArray[np.float64], tuple[int, ...]]]
"""Partial sums of centred series [R, n + 1] → the largest statistic of each, and where that of the first lies."""


def changepoints(values: Sequence[float]) -> tuple[int, ...]:
    """Index of the first value of every new level, ascending."""
    skipped = max(0, len(values) - LONGEST)
    series = np.asarray(values[skipped:], np.float64)
    steps = np.flatnonzero(np.diff(series)) + 1
    if 2 * len(steps) < len(series) - 1:  # most neighbours are equal: there is no noise
        return tuple(int(step) + skipped for step in steps)
    return tuple(point + skipped for point in _confirmed(series, _split(series)))


def _split(series: Rows, start: int = 0) -> list[int]:
    """Points of a stretch that begins at `start` of the whole."""
    found = _significant(series, _point, 2) or _significant(series, _segment, 3)
    if not found:
        return []
    parts = np.split(series, found)
    below = [_split(part, start + offset) for part, offset in zip(parts, (0, *found), strict=True)]
    return sorted([*(start + point for point in found), *(point for points in below for point in points)])


def _significant(series: Rows, search: Search, levels: int) -> tuple[int, ...]:
    """Where a search for so many levels finds them; nothing where it finds as much in shuffled copies."""
    if len(series) < levels * SHORTEST:
        return ()
    copies = _shuffled(series)
    statistics, found = search(_sums(np.vstack([series, copies])))
    return found if _p(statistics[0], statistics[1:]) <= ALPHA / 2 else ()


def _point(sums: Rows) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """|mean left − mean right| · √(k (n − k) / n) over all k, which is |S_k| · √(n / (k (n − k)))."""
    n = sums.shape[1] - 1
    k = np.arange(SHORTEST, n - SHORTEST + 1)
    found = np.abs(sums[:, k]) * np.sqrt(n / (k * (n - k)))
    return found.max(axis=1), (int(k[found[0].argmax()]),)


def _segment(sums: Rows) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """The same of the l values [i, j) against those on both sides: |S_j − S_i| · √(n / (l (n − l)))."""
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
    """Points whose two levels differ by themselves too: noise may cut a segment short of where its level ends."""
    while points:
        edges = [0, *points, len(series)]
        doubts = [_differ(series[a:b], series[b:c]) for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)]
        worst = int(np.argmax(doubts))
        if doubts[worst] <= ALPHA:
            break
        points = points[:worst] + points[worst + 1 :]
    return points


def _differ(left: Rows, right: Rows) -> float:
    """p of the difference of two means."""
    copies = _shuffled(np.concatenate([left, right]))
    null = copies[:, : len(left)].mean(axis=1) - copies[:, len(left) :].mean(axis=1)
    return _p(abs(float(left.mean() - right.mean())), np.abs(null))


def _shuffled(series: Rows) -> Rows:
    return np.random.default_rng(len(series)).permuted(np.tile(series, (SHUFFLES, 1)), axis=1)


def _sums(rows: Rows) -> Rows:
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.concatenate([np.zeros((len(rows), 1)), np.cumsum(centred, axis=1)], axis=1)


def _p(seen: float, null: NDArray[np.float64]) -> float:
    """Share of the shuffled copies that show as much; never 0, which keeps the test's level."""
    return float(1 + np.count_nonzero(null >= seen * (1 - 1e-12))) / (1 + len(null))
