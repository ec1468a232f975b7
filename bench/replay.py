"""The latency rule replayed on the processes of a selfcheck: each baseline against the processes of every other one.

    quantgate selfcheck aa --trials 150 --neighbours 2 --jobs 2
    python bench/replay.py selfcheck.json

There are many more pairs than trials, and they are not independent of each other: good for comparing rules, not for
stating a rate. The two sides of a pair are as far apart in time as their trials were. Injected work is added to the
logarithms.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

from harness.commands.selfcheck.rates import read_baselines
from harness.core.cell import Cell
from harness.core.measurement import Measurement
from harness.core.processes import Replicate
from harness.judge import latency
from harness.judge.stop_rule import LOOKS

CASES = (("unchanged, limit 5 %", 0.0, 0.05), ("+10 %, limit 5 %", 0.10, 0.05), ("+5 %, limit 3 %", 0.05, 0.03))
NETWORK = "network"


def normalized(one: Replicate, share: float = 0.0) -> Replicate:
    """The process against one call of the reference, however many calls it had in that trial; slower by `share`."""
    repeats = math.log(one.repeats[NETWORK])
    cpu = one.cpu[NETWORK] + repeats + math.log1p(share)
    return replace(one, cpu={NETWORK: cpu}, levels={NETWORK: one.levels[NETWORK] - repeats})


def decided(baseline: list[Replicate], processes: list[Replicate], share: float, limit: float) -> str:
    """The status of a candidate whose processes are slower by `share`, at a gate of `limit`."""
    accepted = Measurement(Cell("m", "p", "b"), samples=latency.samples([normalized(one) for one in baseline]))
    now = [normalized(one, share) for one in processes]
    for look in LOOKS:
        status = latency.judge_latency("latency", now[:look], accepted, NETWORK, limit, cells=1).status
        if status != "inconclusive":
            break
    return status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("selfcheck", type=Path, help="JSON of `quantgate selfcheck aa`")
    options = parser.parse_args()
    recorded: dict[str, list[list[Replicate]]] = {}
    for cell, baseline in read_baselines(options.selfcheck):
        recorded.setdefault(cell, []).append(list(baseline))
    for cell, baselines in recorded.items():
        for title, share, limit in CASES:
            counts = Counter(
                decided(old, new[: LOOKS[-1]], share, limit) for old, new in itertools.permutations(baselines, 2)
            )
            total = counts.total()
            print(f"{cell}: {title}: regressed {counts['regressed'] / total:.2%}, inconclusive "
                  f"{counts['inconclusive'] / total:.2%} of {total}")  # fmt: skip


if __name__ == "__main__":
    main()
