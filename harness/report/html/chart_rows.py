"""What the scripts of the HTML report draw: a row for each cell, made from the results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.core.cell import Cell
from harness.core.metrics import METRICS
from harness.core.processes import REFERENCES
from harness.core.status import Status
from harness.core.suite import Gate
from harness.core.verdict import Against, Verdict
from harness.judge import accuracy
from harness.judge.accuracy import resampled_name
from harness.judge.gates import relative
from harness.report.common.numbers import divided
from harness.report.common.view import fp32_siblings, pareto_front, size_ratio
from harness.report.common.wording import precision_label
from harness.store.results import CellResult

CALLS = 200  # timed calls that are drawn for each cell, at most; instead of more calls, as many quantiles


@dataclass(frozen=True)
class ChartChange:
    """How far a metric is from what it is held against. None: the number is not known."""

    value: float
    low: float | None = None  # ends of the interval of `value`
    high: float | None = None
    limit: float | None = None  # the largest change that the gate lets pass
    status: Status = "met"  # of the verdict on this metric


@dataclass(frozen=True)
class ChartRow:
    """One cell, as the table, the figures and the details of the page show it."""

    index: int  # of the cell, among the cells of all suites
    id: str
    label: str  # the id without what all cells of the suite have in common
    model: str
    backend: str
    family: str  # the precision without its recipe: symbols tell families apart
    precision: str  # as the table says it: `fp16 (f32)` was executed in f32
    status: Status
    reason: str
    image_ms: float | None  # median wall clock per image, in milliseconds
    metrics: Mapping[str, float]
    baseline: Mapping[str, float]
    size_ratio: float | None  # size of the artifact over the size of the fp32 sibling's
    speed: float | None  # how many times as fast as the fp32 sibling, interleaved in one run
    league: str = ""  # device, batch and data set: equal for cells that can be weighed against each other
    front: bool = False  # whether the cell is on the Pareto front of its league
    changes: Mapping[str, ChartChange] = field(default_factory=dict)
    # "baseline" and "fp32": of mAP against them; "latency": of CPU time against the baseline, as a share
    calls: Sequence[float] = ()  # wall clock of timed calls, in milliseconds
    processes: Sequence[float] = ()  # CPU time of each fresh process over the mean of the baseline's processes


def rows_of_suite(results: Sequence[CellResult], gates: Sequence[Gate], first: int = 0) -> list[ChartRow]:
    """The rows of one suite, in the order of its cells; a missing cell has a name and a status only.

    `first` is the index of the suite's first cell among the cells of all suites.
    """
    fp32_of, front = fp32_siblings(results), pareto_front(results)
    made = [
        _row(index, result, fp32_of(result), gates, label)
        for index, (result, label) in enumerate(zip(results, labels(results), strict=True), first)
    ]
    return [replace(row, front=row.id in front) for row in made]


def _row(index: int, result: CellResult, fp32: CellResult | None, gates: Sequence[Gate], label: str) -> ChartRow:
    cell, measured = result.cell, result.measured
    p50 = result.metric("latency_p50_ms")
    return ChartRow(
        index,
        result.id,
        label,
        model=cell.model if cell else "",
        backend=cell.backend if cell else "",
        family=cell.family if cell else "",
        precision=precision_label(result),
        status=result.status,
        reason=result.reason or "",
        image_ms=p50 / cell.batch if p50 and cell else None,
        metrics=_known(measured.metrics if measured else {}),
        baseline=_known(result.baseline or {}),
        size_ratio=size_ratio(result, fp32),
        speed=divided(1, result.metric("latency_ratio")),
        league=f"{cell.device} {cell.batch} {measured.provenance.get('dataset')}" if cell and measured else "",
        changes=_changes(result, fp32, gates),
        calls=thinned_samples(measured.samples.get("latency_ms", ()) if measured else ()),
        processes=_processes(result),
    )


def labels(results: Sequence[CellResult]) -> list[str]:
    """A short name for each cell: its precision, and its model, backend, device and tag where cells differ in them."""
    cells = [result.cell for result in results if result.cell]
    names = ("model", "backend", "precision", "device", "tag")
    told = [name for name in names if name == "precision" or len({getattr(cell, name) for cell in cells}) > 1]

    def label(cell: Cell) -> str:
        return " ".join(filter(None, (getattr(cell, name) for name in told)))

    return [label(result.cell) if result.cell else result.id for result in results]


def thinned_samples(values: Sequence[float], most: int = CALLS) -> list[float]:
    """The values themselves, or `most` quantiles of them, minimum and maximum included, where there are more."""
    if len(values) <= most:
        return list(values)
    ordered = sorted(values)
    return [ordered[round(k * (len(ordered) - 1) / (most - 1))] for k in range(most)]


def gate_bound(gate: Gate, reference: float | None) -> float | None:
    """The first bound that a gate sets for a metric; None where it is relative to a reference that is not known."""
    if gate.against == "limit":
        return gate.min if gate.min is not None else gate.max
    if reference is None:
        return None
    scale = abs(reference) if relative(gate) else 1.0
    if gate.max_drop is not None:
        return reference - scale * gate.max_drop
    if gate.max_rise is not None:
        return reference + scale * gate.max_rise
    ratio = gate.max_ratio if gate.max_ratio is not None else gate.min_ratio
    return None if ratio is None else ratio * reference


def limit_of(verdict: Verdict, result: CellResult, gates: Sequence[Gate]) -> float | None:
    """The bound of the gate that gave a verdict; None where the suite declares no such gate."""
    if result.cell is None:
        return None
    same = (gate for gate in gates if (gate.metric, gate.against) == (verdict.metric, verdict.against))
    gate = next((gate for gate in same if gate.applies(result.cell)), None)
    return gate_bound(gate, verdict.reference) if gate else None


def _changes(result: CellResult, fp32: CellResult | None, gates: Sequence[Gate]) -> dict[str, ChartChange]:
    """The changes of `ChartRow.changes`; a change that is not known is left out."""
    return {
        name: change
        for name, change in (
            ("baseline", _since_baseline(result, gates)),
            ("fp32", _against_fp32(result, fp32, gates)),
            ("latency", _by_processes(result, gates)),
        )
        if change
    }


def _verdict(result: CellResult, metric: str, against: Against) -> Verdict | None:
    """The cell's first verdict on a metric; None where no gate judged it."""
    return next((v for v in result.verdicts if (v.metric, v.against) == (metric, against)), None)


def _since_baseline(result: CellResult, gates: Sequence[Gate]) -> ChartChange | None:
    """The change of mAP against the baseline."""
    verdict = _verdict(result, "map", "baseline")
    now, before = result.metric("map"), (result.baseline or {}).get("map")
    if now is None or before is None:
        return None
    if verdict is None:
        return ChartChange(now - before)
    return _difference(verdict, now, before, limit_of(verdict, result, gates))


def _difference(verdict: Verdict, now: float, before: float, limit: float | None) -> ChartChange:
    """A verdict as a change from `before` to `now`; interval and limit of the verdict become changes too."""
    low, high = verdict.interval or (None, None)
    low, high, limit = (None if end is None else end - before for end in (low, high, limit))
    return ChartChange(now - before, low, high, limit, verdict.status)


def _against_fp32(result: CellResult, fp32: CellResult | None, gates: Sequence[Gate]) -> ChartChange | None:
    """The change of mAP against the fp32 sibling.

    Both cells were measured in this run, so that their resamples give an interval, whether a gate judges or not.
    """
    if fp32 is None or not result.measured or not fp32.measured:
        return None
    now, before = result.metric("map"), fp32.metric("map")
    if now is None or before is None:
        return None
    verdict = _verdict(result, "map", "fp32")
    limit = limit_of(verdict, result, gates) if verdict else None
    low: float | None = None
    high: float | None = None
    news, olds = (side.samples.get(resampled_name("map"), ()) for side in (result.measured, fp32.measured))
    if news and len(news) == len(olds):
        found = accuracy.paired_change(before, now, olds, news, int(result.measured.provenance["images"]))
        if math.isfinite(found.low):
            low, high = found.low, found.high
    bound = None if limit is None else limit - before
    return ChartChange(now - before, low, high, bound, verdict.status if verdict else "met")


def _by_processes(result: CellResult, gates: Sequence[Gate]) -> ChartChange | None:
    """The change of gated CPU time against the baseline, as a share."""
    verdict = _verdict(result, "latency", "baseline")
    if verdict is None or verdict.observed is None or verdict.interval is None:
        return None
    return _difference(verdict, verdict.observed, 1.0, limit_of(verdict, result, gates))


def _processes(result: CellResult) -> list[float]:
    """CPU time of each gated process over the mean of the baseline's processes.

    The results do not have the baseline's processes. So the processes of this run are scattered around the ratio that
    the verdict has observed.
    """
    verdict = _verdict(result, "latency", "baseline")
    if verdict is None or not verdict.observed or not result.measured:
        return []
    logs = next((v for name in REFERENCES if (v := result.measured.samples.get(f"log_ratio_{name}"))), ())
    centre = statistics.fmean(logs) if logs else 0.0
    return [round(math.exp(log - centre) * verdict.observed, 5) for log in logs]


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """The numbers that were measured, in the order of `METRICS` and to six significant digits."""
    return {name: float(f"{value:.6g}") for name in METRICS if (value := numbers.get(name)) is not None}
