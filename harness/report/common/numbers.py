"""Numbers as tables write them: fixed decimals, a true minus sign, a dash for what is not there. Pure."""

from __future__ import annotations

from harness.core.metrics import METRICS
from harness.report.common.tables import NONE


def number(value: float | None, form: str, unit: str = "") -> str:
    if value is None:
        return NONE
    written = format(value, form)
    zero = not any(digit in "123456789" for digit in written)  # no rounded change of nothing has a sign
    return (written.lstrip("+-") if zero else written.replace("-", "−")) + unit


def megabytes(size: float | None, form: str = ".2f") -> str:
    return number(None if size is None else size / 1e6, form)


def milliseconds(time: float | None) -> str:
    return number(time, ".2f")


def difference(now: float | None, before: float | None) -> str:
    return number(None if now is None or before is None else now - before, "+.4f")


def metric_value(metric: str, value: float | None) -> str:
    """Any metric, by its unit."""
    known = METRICS[metric]
    if known.unit == "B":
        return megabytes(value, ".2f" if known.phase == "accuracy" else ".1f")
    if metric == "collapsed_classes":
        return number(value, ".0f")
    return number(value, {"": ".4f", "ms": ".2f", "calls": ".0f"}.get(known.unit, ".1f"))


def divided(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by else None
