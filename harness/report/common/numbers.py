"""Numbers as every medium writes them: fixed decimals, a real minus sign (−), a dash for a number that is not known."""

from __future__ import annotations

from harness.core.metrics import GATED, METRICS
from harness.store.history_db import CPU_RATIO

NONE = "–"
"""What stands in a table where there is no number."""


def number(value: float | None, form: str, unit: str = "", zero_sign: bool = False) -> str:
    """A number by a format specification such as `+.4f`, with its unit behind it; `NONE` for None.

    A number that rounds to zero has no sign, so that no change of nothing looks like a change. With `zero_sign` it
    keeps its sign.
    """
    if value is None:
        return NONE
    written = format(value, form)
    if not zero_sign and not any(digit in "123456789" for digit in written):
        written = written.lstrip("+-")
    return written.replace("-", "−") + unit


def signed(value: float | None, form: str = "+.4f") -> str:
    """A change, with its sign."""
    return number(value, form)


def difference(now: float | None, before: float | None) -> str:
    """The change from `before` to `now`, with four decimals; `NONE` where one of them is not known."""
    return signed(None if now is None or before is None else now - before)


def divided(value: float | None, by: float | None) -> float | None:
    """`value` / `by`; None where one of them is not known or `by` is 0."""
    return value / by if value is not None and by else None


def megabytes(size: float | None, form: str = ".2f") -> str:
    """A number of bytes in megabytes of 10⁶ bytes, without the unit."""
    return number(None if size is None else size / 1e6, form)


def milliseconds(time: float | None) -> str:
    """A time in milliseconds, without the unit."""
    return number(time, ".2f")


# Values of metrics


def metric_value(metric: str, value: float | None) -> str:
    """The value of a metric for a table whose column names the unit; bytes are written as megabytes."""
    known = METRICS[metric]
    if known.unit == "B":
        return megabytes(value, ".2f" if known.phase == "accuracy" else ".1f")
    if metric == "collapsed_classes":
        return number(value, ".0f")
    return number(value, _form(known.unit))


def quantity(metric: str, value: float | None) -> str:
    """The value of a metric with its unit, for a sentence: `3.27 MB`, `1.033 ×`; `nothing` for None."""
    if value is None:
        return "nothing"
    unit = METRICS[metric].unit
    if unit == "B":
        return f"{megabytes(value)} MB"
    if metric in (*GATED, "latency_ratio"):
        return number(value, ".3f", " ×")
    return number(value, _form(unit), f" {unit}" if unit else "")


def trend_value(metric: str, value: float) -> str:
    """A value of a trend with its unit, if it has one. `metric` is the name of a metric, or `CPU_RATIO`."""
    unit = "" if metric == CPU_RATIO else METRICS[metric].unit
    if unit == "B":
        return f"{megabytes(value)} MB"
    return number(value, ".3f", f" {unit}") if unit else number(value, ".4f")


def _form(unit: str) -> str:
    """How many decimals a value in this unit has."""
    return {"": ".4f", "ms": ".2f", "calls": ".0f"}.get(unit, ".1f")
