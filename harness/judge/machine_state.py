"""Whether the state of the machine can explain a latency that seems regressed; then nobody is convicted. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from harness.core.measurement import Observation
from harness.core.processes import Replicate

BLAMED = 0.1
"""Share of the change of a reference's own speed that is not held against the target."""

ELSEWHERE = 1.5
"""From this factor on, a change of the reference's speed is as good as another machine."""

BLAMED_ELSEWHERE = 0.25
"""Share of the change of a reference's own speed that is not held against the target, from the factor ELSEWHERE on."""


def busy(now: Sequence[Replicate]) -> str:
    """That the machine was busy during one of the processes, in words; empty where it was quiet."""
    high = next((one.interference.high for one in now if one.interference.high), "")
    return f"the machine is busy ({high})" if high else ""


def slowed(now: Sequence[Replicate], accepted: Observation, reference: str) -> float:
    """By how much a reference itself is slower than it was for the baseline: a natural logarithm, 0.0 where unknown."""
    levels = accepted.samples.get(f"log_level_{reference}")
    return statistics.fmean(one.levels[reference] for one in now) - statistics.fmean(levels) if levels else 0.0


def another_state(estimate: float, limit: float, slower: float) -> str:
    """That the machine has changed enough to explain a change beyond the limit, in words; empty where it has not.

    A neighbour on the same physical core takes more from int8 than from float code: OpenVINO's ratio rose by up to 9 %
    while the reference itself slowed by 17 %. A tenth of what the reference has slowed is therefore not held against
    the target: more would cost power, and less let false alarms through (replayed on 5,000 pairs of recordings).

    A reference that is faster counts alike. On a host 2.3 times as fast as the baseline's (its cores were no longer
    shared) ONNX Runtime's int8 was 18 % slower against the reference, LiteRT 10 %, and OpenVINO's int8 15 % faster: up
    to a fifth of the change of speed. From the factor ELSEWHERE on, a quarter is therefore not held against the target.

    Args:
        estimate: the change of the target's ratio, a natural logarithm.
        limit: by which share the target may be slower; 0.05 is 5 %.
        slower: the change of the reference itself, as `slowed` gives it.
    """
    share = BLAMED if abs(slower) < math.log(ELSEWHERE) else BLAMED_ELSEWHERE
    if estimate - share * abs(slower) > math.log1p(limit):
        return ""
    word = "slower" if slower > 0 else "faster"
    return f"the machine is {math.expm1(abs(slower)):.0%} {word} than it was for the baseline"
