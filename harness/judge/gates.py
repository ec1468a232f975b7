"""measurement + baseline + fp32 sibling + gates → verdicts. Pure; nothing absent is green."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.core.measurement import Baseline, Incomparable, Measurement, Observation
from harness.core.metrics import GATED, METRICS, RELATIVE, STORED, Phase
from harness.core.status import Status
from harness.core.suite import Gate, Suite
from harness.core.verdict import Against, Verdict
from harness.judge import accuracy

EXACT = 1e-9  # two decimals that should be equal; far below any difference of interest


def judge_gates(
    measured: Observation,
    baseline: Baseline,
    reference: Observation | None,
    gates: Sequence[Gate],
    phase: Phase,
    alike: float | None = None,
) -> tuple[Verdict, ...]:
    """Every gate of `phase` that applies to the cell, and every metric that the baseline had and the cell lost.

    `alike`: share of the detections that match one to one with the baseline's, where those are at hand (`tiers.py`).
    Latency against a stored baseline is not judged here but by `gating.py`: it takes processes, not one number.
    """
    verdicts = [
        _verdict(gate, measured, baseline, reference, alike)
        for gate in gates
        if METRICS[gate.metric].phase == phase and _applies(gate, measured) and not by_processes(gate)
    ]
    return (*verdicts, *_vanished(measured, baseline, phase, {v.metric for v in verdicts if v.status == "missing"}))


def _applies(gate: Gate, measured: Observation) -> bool:
    """Of an observation whose cell is not known, every gate applies."""
    return not isinstance(measured, Measurement) or gate.applies(measured.cell)


def by_processes(gate: Gate) -> bool:
    """Whether the gate is one of latency against a stored baseline."""
    return gate.against == "baseline" and gate.metric in GATED


def without_baseline(measured: Observation, baseline: Baseline) -> tuple[Verdict, ...]:
    """That there is no comparable baseline, for a suite whose gates do not ask for one and a user who does."""
    verdict = _against_baseline(Gate("map", max_drop=1.0), measured.metrics.get("map"), baseline)
    return (verdict,) if verdict.status in ("no-baseline", "incomparable") else ()


def _verdict(
    gate: Gate, measured: Observation, baseline: Baseline, reference: Observation | None, alike: float | None
) -> Verdict:
    if gate.metric == "class_ap":
        return _by_class(gate, measured, baseline if gate.against == "baseline" else reference)
    observed = _value(measured, gate)
    if gate.against == "limit":
        return _fixed(gate, observed)
    if gate.against == "fp32":
        return _against_fp32(gate, observed, reference)
    if isinstance(baseline, Observation) and observed is not None and (value := _value(baseline, gate)) is not None:
        scale = abs(value) if relative(gate) else 1.0
        if gate.max_drop is not None and (
            told := accuracy.judge_drop(gate.metric, gate.max_drop * scale + EXACT, measured, baseline, alike)
        ):
            found = accuracy.observed_change(gate.metric, measured, baseline)
            interval = (value + found.low, value + found.high) if found and math.isfinite(found.low) else None
            return Verdict(gate.metric, "baseline", told[0], observed, value, _expected(gate, value), told[1], interval)
    return _against_baseline(gate, observed, baseline)


def _by_class(gate: Gate, measured: Observation, reference: Baseline) -> Verdict:
    """The class that lost most, of those with enough objects."""
    assert gate.max_drop is not None
    expected = f"no class −{gate.max_drop:g}"
    if not isinstance(reference, Observation):
        why = reference.why if isinstance(reference, Incomparable) else "nothing to compare with"
        return Verdict(
            gate.metric, gate.against, "incomparable" if reference else "no-baseline", None, None, expected, why
        )
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
    return Verdict(
        gate.metric, gate.against, failed if drops[name] > gate.max_drop + EXACT else fine,
        measured.per_class.get(name) or 0.0, reference.per_class[name], expected,
        f"{name} lost most ({measured.instances[name]} objects)",
    )  # fmt: skip


def _fixed(gate: Gate, observed: float | None) -> Verdict:
    bounds = [(sign, bound) for sign, bound in (("≥", gate.min), ("≤", gate.max)) if bound is not None]
    expected = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds)
    if observed is None and gate.metric in RELATIVE:
        why = "the fp32 sibling was not scored, or detects nothing above operating_conf"
        return Verdict(gate.metric, "limit", "inconclusive", None, None, expected, why)
    if observed is None:
        return Verdict(gate.metric, "limit", "missing", None, None, expected, "nothing was measured")
    low = gate.min is None or observed >= gate.min - EXACT
    high = gate.max is None or observed <= gate.max + EXACT
    return Verdict(gate.metric, "limit", "met" if low and high else "missed", observed, None, expected)


def _against_fp32(gate: Gate, observed: float | None, reference: Observation | None) -> Verdict:
    value = _value(reference, gate) if reference else None
    if gate.metric in ("latency", "latency_ratio") and observed is not None:
        value = 1.0  # the observed number is the ratio to the sibling already
    if observed is None and value is not None:
        return Verdict(gate.metric, "fp32", "missing", None, value, _expected(gate, value), "nothing was measured")
    if observed is None or value is None:
        why = (
            reference.failure[1]
            if isinstance(reference, Measurement) and reference.failure
            else "nothing was measured to compare with"
        )
        return Verdict(
            gate.metric, "fp32", "inconclusive", observed, value, _expected(gate, value), f"fp32 sibling: {why}"
        )
    inside = _inside(gate, observed, value)
    return Verdict(gate.metric, "fp32", "met" if inside else "missed", observed, value, _expected(gate, value))


def _against_baseline(gate: Gate, observed: float | None, baseline: Baseline) -> Verdict:
    def verdict(status: Status, value: float | None, detail: str = "") -> Verdict:
        return Verdict(gate.metric, "baseline", status, observed, value, _expected(gate, value), detail)

    if isinstance(baseline, Incomparable):
        return verdict("incomparable", None, baseline.why)
    value = _value(baseline, gate) if baseline else None
    if value is None:
        if baseline and observed is None:
            return verdict("unchanged", None, "no value, then and now")
        return verdict("no-baseline", None, "accept this one with --qg-baseline-update")
    if observed is None:
        return verdict("missing", value, "the baseline has this metric and the run has not")
    if not _inside(gate, observed, value):
        return verdict("regressed", value)
    gain = observed - value if METRICS[gate.metric].higher_is_better else value - observed
    return verdict("improved" if gain > EXACT and not _inside(gate, value, observed) else "unchanged", value)


def _inside(gate: Gate, observed: float, value: float) -> bool:
    """Whether `observed` is within every limit of the gate around `value`."""
    rise = observed - value
    scale = abs(value) if relative(gate) else 1.0
    slack = EXACT * max(1.0, abs(value))
    return (
        (gate.max_drop is None or -rise <= gate.max_drop * scale + slack)
        and (gate.max_rise is None or rise <= gate.max_rise * scale + slack)
        and (gate.max_ratio is None or observed <= gate.max_ratio * value + slack)
        and (gate.min_ratio is None or observed >= gate.min_ratio * value - slack)
    )


def relative(gate: Gate) -> bool:
    """Drops and rises of physical quantities are shares of the reference, of mAP they are points."""
    return METRICS[gate.metric].unit != "" if gate.relative is None else gate.relative


def _expected(gate: Gate, value: float | None) -> str:
    """The limit in words, as numbers where the reference is known."""
    parts = []
    percent = relative(gate)
    for sign, limit in ((-1, gate.max_drop), (1, gate.max_rise)):
        if limit is not None:
            name = "≥" if sign < 0 else "≤"
            said = f"{limit:.3g}" if not percent else f"{limit:.3g} × it"
            bound = None if value is None else value + sign * limit * (abs(value) if percent else 1)
            parts.append(
                f"{name} {gate.against} {'−' if sign < 0 else '+'} {said}" if bound is None else f"{name} {bound:.6g}"
            )
    for name, limit in (("≤", gate.max_ratio), ("≥", gate.min_ratio)):
        if limit is not None:
            parts.append(f"{name} {limit:g} × {gate.against}" if value is None else f"{name} {limit * value:.6g}")
    return " and ".join(parts)


def _vanished(measured: Observation, baseline: Baseline, phase: Phase, known: Iterable[str]) -> list[Verdict]:
    """The union of metrics is compared, not only those that the run happened to bring."""
    if not isinstance(baseline, Observation):
        return []
    against: Against = "baseline"
    lost = [
        name
        for name in STORED[phase]
        if baseline.metrics.get(name) is not None and measured.metrics.get(name) is None and name not in set(known)
    ]
    detail = "the baseline has this metric and the run has not"
    return [Verdict(name, against, "missing", None, baseline.metrics[name], "present", detail) for name in lost]


def _value(measurement: Observation, gate: Gate) -> float | None:
    return measurement.metrics.get("latency_ratio" if gate.metric == "latency" else gate.metric)


AGREEMENT = 0.75  # least share of fp32's detections that a cell keeps, where the suite says nothing


ALWAYS = (Gate("agreement", min=AGREEMENT), Gate("collapsed_classes", max=0))
"""Gates of every quantized cell with an fp32 sibling, unless the suite has gates of that name: breakage that mAP may
not show. int8 of YOLO26n and YOLO11n agrees to 0.88–0.97, of the digits to 0.92–0.98 (docs/accuracy.md)."""


def all_gates(suite: Suite) -> tuple[Gate, ...]:
    """The gates of a suite and those that every suite has."""
    declared = {gate.metric for gate in suite.gates}
    return (*suite.gates, *(gate for gate in ALWAYS if gate.metric not in declared))
