"""Every gate of a suite on a cell: measurement, baseline and fp32 sibling become verdicts. Pure.

What is absent never passes: it is `missing`, `inconclusive`, `no-baseline` or `incomparable`. A metric of the accuracy
phase that does not exist is `missing`, whatever its gate holds it against (`judge.absent` says why there is none).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.core.measurement import Baseline, Incomparable, Measurement, Observation
from harness.core.metrics import GATED, METRICS, RELATIVE, Phase
from harness.core.status import Status
from harness.core.suite import Gate, Suite
from harness.core.verdict import Verdict
from harness.judge import absent, accuracy

EXACT = 1e-9
"""Slack of every limit, since binary fractions round; far below any difference of interest."""

AGREEMENT = 0.75
"""The least share of the fp32 sibling's detections that a cell must keep, unless the suite has a gate for it."""

ALWAYS = (Gate("agreement", min=AGREEMENT), Gate("collapsed_classes", max=0))
"""Gates of every quantized cell with an fp32 sibling, unless the suite has gates of their names.

They catch breakage that mAP may not show. int8 of YOLO26n and YOLO11n agrees to 0.88–0.97, int8 of the digits to
0.92–0.98 (docs/accuracy.md).
"""


def all_gates(suite: Suite) -> tuple[Gate, ...]:
    """The gates of a suite, and the gates in ALWAYS whose metric has no gate of its own."""
    declared = {gate.metric for gate in suite.gates}
    return (*suite.gates, *(gate for gate in ALWAYS if gate.metric not in declared))


def by_processes(gate: Gate) -> bool:
    """Whether the gate holds latency against a stored baseline, which `judge.latency` judges by fresh processes."""
    return gate.against == "baseline" and gate.metric in GATED


def relative(gate: Gate) -> bool:
    """Whether drops and rises are shares of the reference: of physical quantities they are, of mAP they are points."""
    return METRICS[gate.metric].unit != "" if gate.relative is None else gate.relative


def judge_gates(
    measured: Observation,
    baseline: Baseline,
    reference: Observation | None,
    gates: Sequence[Gate],
    phase: Phase,
    alike: float | None = None,
) -> tuple[Verdict, ...]:
    """Judge every gate of `phase` that applies to the cell, and every metric that the baseline has and the cell lacks.

    Gates of latency against a stored baseline are left out: they need processes and not one number (`by_processes`).

    Args:
        measured: what the run observed. Every gate applies to an observation without a cell.
        baseline: the baseline of the cell.
        reference: the fp32 sibling of the same run, or None.
        gates: the gates of the suite.
        phase: the phase whose metrics are judged.
        alike: the share of detections that match the baseline's one to one; None where those are not at hand.
    """
    verdicts = [
        _verdict(gate, measured, baseline, reference, alike)
        for gate in gates
        if METRICS[gate.metric].phase == phase and _applies(gate, measured) and not by_processes(gate)
    ]
    known = {verdict.metric for verdict in verdicts if verdict.status == "missing"}
    return (*verdicts, *absent.vanished(measured, baseline, phase, known))


def without_baseline(measured: Observation, baseline: Baseline) -> tuple[Verdict, ...]:
    """One verdict where there is no comparable baseline, else none.

    It is for a user who requires baselines (`--qg-require-baseline`) in a suite whose gates ask for none.
    """
    verdict = _against_baseline(Gate("map", max_drop=1.0), measured.metrics.get("map"), baseline)
    return (verdict,) if verdict.status in ("no-baseline", "incomparable") else ()


def _applies(gate: Gate, measured: Observation) -> bool:
    return not isinstance(measured, Measurement) or gate.applies(measured.cell)


def _verdict(
    gate: Gate, measured: Observation, baseline: Baseline, reference: Observation | None, alike: float | None
) -> Verdict:
    if absent.lacks(gate, measured) and not any(gate is one for one in ALWAYS):
        value = None if gate.against == "limit" else _known(gate, baseline, reference)
        why = absent.why_missing(gate.metric, measured)
        return Verdict(gate.metric, gate.against, "missing", None, value, _declared(gate, value), why)
    if gate.metric == "class_ap":
        return _by_class(gate, measured, baseline if gate.against == "baseline" else reference)
    observed = _value(measured, gate)
    if gate.against == "limit":
        return _fixed(gate, observed)
    if gate.against == "fp32":
        return _against_fp32(gate, observed, reference)
    return _by_resamples(gate, measured, baseline, alike) or _against_baseline(gate, observed, baseline)


def _by_class(gate: Gate, measured: Observation, reference: Baseline) -> Verdict:
    """The verdict on the class whose AP fell most, of the classes with enough objects."""
    assert gate.max_drop is not None
    expected = _declared(gate, None)
    if isinstance(reference, Incomparable):
        return Verdict(gate.metric, gate.against, "incomparable", None, None, expected, reference.why)
    if reference is None:
        return Verdict(gate.metric, gate.against, "no-baseline", None, None, expected, "nothing to compare with")
    drops = {
        name: value - (measured.per_class.get(name) or 0.0)
        for name, value in reference.per_class.items()
        if value is not None and measured.instances.get(name, 0) >= gate.min_instances
    }
    if not drops:
        why = f"no class has {gate.min_instances} objects"
        return Verdict(gate.metric, gate.against, "inconclusive", None, None, expected, why)
    name = max(drops, key=lambda name: drops[name])
    failed: Status = "regressed" if gate.against == "baseline" else "missed"
    fine: Status = "unchanged" if gate.against == "baseline" else "met"
    status = failed if drops[name] > gate.max_drop + EXACT else fine
    observed = measured.per_class.get(name) or 0.0
    detail = f"{name} lost most ({measured.instances[name]} objects)"
    return Verdict(gate.metric, gate.against, status, observed, reference.per_class[name], expected, detail)


def _fixed(gate: Gate, observed: float | None) -> Verdict:
    expected = _declared(gate, None)
    if observed is None and gate.metric in RELATIVE:
        why = "the fp32 sibling was not scored, or detects nothing above operating_conf"
        return Verdict(gate.metric, "limit", "inconclusive", None, None, expected, why)
    if observed is None:  # of a latency; an accuracy was told before
        return Verdict(gate.metric, "limit", "missing", None, None, expected, "nothing was measured")
    inside = (gate.min is None or observed >= gate.min - EXACT) and (gate.max is None or observed <= gate.max + EXACT)
    return Verdict(gate.metric, "limit", "met" if inside else "missed", observed, None, expected)


def _against_fp32(gate: Gate, observed: float | None, reference: Observation | None) -> Verdict:
    value = _value(reference, gate) if reference else None
    if gate.metric in ("latency", "latency_ratio") and observed is not None:
        value = 1.0  # the observed number is the ratio to the sibling already
    expected = _expected(gate, value)
    if observed is None and value is not None:
        return Verdict(gate.metric, "fp32", "missing", None, value, expected, "nothing was measured")
    if observed is None or value is None:
        failure = reference.failure if isinstance(reference, Measurement) else None
        why = failure[1] if failure else "nothing was measured to compare with"
        return Verdict(gate.metric, "fp32", "inconclusive", observed, value, expected, f"fp32 sibling: {why}")
    status: Status = "met" if _inside(gate, observed, value) else "missed"
    return Verdict(gate.metric, "fp32", status, observed, value, expected)


def _by_resamples(gate: Gate, measured: Observation, baseline: Baseline, alike: float | None) -> Verdict | None:
    """The verdict on a drop against the baseline, as far as it is proven; None for other limits, or without proof."""
    others = (gate.max_rise, gate.max_ratio, gate.min_ratio)
    if gate.max_drop is None or any(limit is not None for limit in others) or not isinstance(baseline, Observation):
        return None
    if (observed := _value(measured, gate)) is None or (value := _value(baseline, gate)) is None:
        return None
    limit = gate.max_drop * _scale(gate, value) + EXACT
    judged = accuracy.judge_drop(gate.metric, limit, measured, baseline, alike)
    if not judged:
        return None
    change = accuracy.observed_change(gate.metric, measured, baseline)
    interval = (value + change.low, value + change.high) if change and math.isfinite(change.low) else None
    expected, (status, detail) = _expected(gate, value), judged
    return Verdict(gate.metric, "baseline", status, observed, value, expected, detail, interval)


def _against_baseline(gate: Gate, observed: float | None, baseline: Baseline) -> Verdict:
    def verdict(status: Status, value: float | None, detail: str = "") -> Verdict:
        return Verdict(gate.metric, "baseline", status, observed, value, _expected(gate, value), detail)

    if isinstance(baseline, Incomparable):
        return verdict("incomparable", None, baseline.why)
    value = _value(baseline, gate) if baseline else None
    if value is None:
        return verdict("no-baseline", None, "accept this one with --qg-baseline-update")
    if observed is None:
        return verdict("missing", value, absent.LACKING)
    if not _inside(gate, observed, value):
        return verdict("regressed", value)
    gain = observed - value if METRICS[gate.metric].higher_is_better else value - observed
    return verdict("improved" if gain > EXACT and not _inside(gate, value, observed) else "unchanged", value)


def _inside(gate: Gate, observed: float, value: float) -> bool:
    """Whether `observed` is within every limit of the gate around `value`."""
    rise = observed - value
    scale = _scale(gate, value)
    slack = EXACT * max(1.0, abs(value))
    return (
        (gate.max_drop is None or -rise <= gate.max_drop * scale + slack)
        and (gate.max_rise is None or rise <= gate.max_rise * scale + slack)
        and (gate.max_ratio is None or observed <= gate.max_ratio * value + slack)
        and (gate.min_ratio is None or observed >= gate.min_ratio * value - slack)
    )


def _scale(gate: Gate, value: float) -> float:
    """What a drop or rise of 1 amounts to: the reference `value` itself where drops are shares of it, else 1."""
    return abs(value) if relative(gate) else 1.0


def _expected(gate: Gate, value: float | None) -> str:
    """The limits in words; with numbers where the value of the reference is known."""
    parts = []
    if gate.max_drop is not None:
        known = None if value is None else value - gate.max_drop * _scale(gate, value)
        parts.append(_bound("≥", known, f"{gate.against} − {_limit(gate, gate.max_drop)}"))
    if gate.max_rise is not None:
        known = None if value is None else value + gate.max_rise * _scale(gate, value)
        parts.append(_bound("≤", known, f"{gate.against} + {_limit(gate, gate.max_rise)}"))
    for sign, ratio in (("≤", gate.max_ratio), ("≥", gate.min_ratio)):
        if ratio is not None:
            known = None if value is None else ratio * value
            parts.append(_bound(sign, known, f"{ratio:g} × {gate.against}"))
    return " and ".join(parts)


def _declared(gate: Gate, value: float | None) -> str:
    """The limits in words, of any gate: fixed limits, a drop of a class, or limits around the value of a reference."""
    if gate.metric == "class_ap":
        return f"no class −{gate.max_drop:g}"
    bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", gate.min), ("≤", gate.max)) if bound is not None]
    return " and ".join(bounds) or _expected(gate, value)


def _known(gate: Gate, baseline: Baseline, reference: Observation | None) -> float | None:
    """The value that the gate holds the cell against; None where there is none."""
    side = baseline if gate.against == "baseline" else reference
    return _value(side, gate) if isinstance(side, Observation) else None


def _bound(sign: str, known: float | None, said: str) -> str:
    return f"{sign} {said}" if known is None else f"{sign} {known:.6g}"


def _limit(gate: Gate, limit: float) -> str:
    return f"{limit:.3g} × it" if relative(gate) else f"{limit:.3g}"


def _value(measurement: Observation, gate: Gate) -> float | None:
    return measurement.metrics.get("latency_ratio" if gate.metric == "latency" else gate.metric)
