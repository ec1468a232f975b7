"""Results → what the HTML report draws: one row a cell, as the scripts get it. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.core.cell import Cell
from harness.core.metrics import METRICS
from harness.core.processes import NAMES
from harness.core.status import Status
from harness.core.suite import Gate
from harness.core.verdict import Against, Verdict
from harness.judge import accuracy
from harness.judge.accuracy import resampled_name
from harness.judge.gates import relative
from harness.report.common.view import best
from harness.report.common.wording import precision
from harness.store.results import CellResult

CALLS = 200  # timed calls of a cell that are drawn; of more, as many quantiles


@dataclass(frozen=True)
class ChartChange:
    """A metric against what it is held against; `low` and `high` where an interval is known."""

    value: float
    low: float | None = None
    high: float | None = None
    limit: float | None = None  # of the gate, as a change
    status: Status = "met"  # of its own gate


@dataclass(frozen=True)
class ChartRow:
    """One cell, as table, figures and details show it."""

    index: int  # among the cells of all suites
    id: str
    label: str  # the id without what all cells of the suite have in common
    model: str
    backend: str
    family: str  # of the precision, which is what symbols tell apart
    precision: str  # as the table says it: `fp16 (f32)` executed in another type
    status: Status
    reason: str
    image_ms: float | None  # median wall clock of a call / batch
    metrics: Mapping[str, float]
    baseline: Mapping[str, float]
    size_ratio: float | None  # to the fp32 sibling
    speed: float | None  # times the fp32 sibling, interleaved in one run
    league: str = ""  # device, batch and data of the task: cells that can be weighed against each other
    front: bool = False  # on the Pareto front of its league, see `order.best`
    changes: Mapping[str, ChartChange] = field(default_factory=dict)  # baseline, fp32: mAP; latency: CPU time, a share
    calls: Sequence[float] = ()  # milliseconds
    processes: Sequence[float] = ()  # CPU time of each over the baseline's mean


def rows_of_suite(results: Sequence[CellResult], gates: Sequence[Gate], first: int = 0) -> list[ChartRow]:
    """The cells of one suite, in its order; a missing cell has a name and a status only."""
    siblings = {result.cell: result for result in results if result.cell}
    made = [
        _row(index, result, siblings.get(result.cell.sibling("fp32")) if result.cell else None, gates, label)
        for index, (result, label) in enumerate(zip(results, labels(results), strict=True), first)
    ]
    front = best(results)
    return [replace(row, front=row.id in front) for row in made]


def _row(index: int, result: CellResult, fp32: CellResult | None, gates: Sequence[Gate], label: str) -> ChartRow:
    cell, measured = result.cell, result.measured
    size, p50, ratio = (result.metric(name) for name in ("size_bytes", "latency_p50_ms", "latency_ratio"))
    before = fp32.metric("size_bytes") if fp32 else None
    return ChartRow(
        index, result.id, label,
        *((cell.model, cell.backend, cell.family) if cell else ("", "", "")),
        precision(result), result.status, result.reason or "",
        image_ms=p50 / cell.batch if p50 and cell else None,
        metrics=_known(measured.metrics if measured else {}),
        baseline=_known(result.baseline or {}),
        size_ratio=size / before if size and before else None,
        speed=1 / ratio if ratio else None,
        changes=_changes(result, fp32 if fp32 is not result else None, gates),
        calls=thinned_samples(measured.samples.get("latency_ms", ()) if measured else ()),
        processes=_processes(result),
        league=f"{cell.device} {cell.batch} {measured.provenance.get('dataset')}" if cell and measured else "",
    )  # fmt: skip


def labels(results: Sequence[CellResult]) -> list[str]:
    """What names each of these cells: of model, backend, device and tag only what differs, and the precision."""
    cells = [result.cell for result in results if result.cell]
    varying = {name for name in ("model", "backend", "device", "tag") if len({getattr(c, name) for c in cells}) > 1}

    def label(cell: Cell) -> str:
        parts = (cell.model, "model"), (cell.backend, "backend"), (cell.precision, ""), (cell.device, "device")
        return " ".join(part for part, name in (*parts, (cell.tag, "tag")) if part and (not name or name in varying))

    return [label(result.cell) if result.cell else result.id for result in results]


def thinned_samples(values: Sequence[float], most: int = CALLS) -> list[float]:
    """At most so many values of the same distribution: its quantiles, minimum and maximum among them."""
    if len(values) <= most:
        return list(values)
    ordered = sorted(values)
    return [ordered[round(k * (len(ordered) - 1) / (most - 1))] for k in range(most)]


def gate_bound(gate: Gate, reference: float | None) -> float | None:
    """The number that the gate does not let a metric pass, the first that it names; None without a reference."""
    if gate.against == "limit":
        return gate.min if gate.min is not None else gate.max
    if reference is None:
        return None
    scale = abs(reference) if relative(gate) else 1.0
    moved = ((gate.max_drop, -scale), (gate.max_rise, scale))
    ends = [reference + sign * limit for limit, sign in moved if limit is not None]
    ends += [ratio * reference for ratio in (gate.max_ratio, gate.min_ratio) if ratio is not None]
    return ends[0] if ends else None


def limit_of(verdict: Verdict, result: CellResult, gates: Sequence[Gate]) -> float | None:
    """The bound of the gate behind a verdict; None where the suite declares none of that name."""
    if result.cell is None:
        return None
    same = (gate for gate in gates if (gate.metric, gate.against) == (verdict.metric, verdict.against))
    gate = next((gate for gate in same if gate.applies(result.cell)), None)
    return gate_bound(gate, verdict.reference) if gate else None


def _changes(result: CellResult, fp32: CellResult | None, gates: Sequence[Gate]) -> dict[str, ChartChange]:
    """mAP against baseline and fp32, gated latency against the baseline; what is not known is not there."""
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
    return next((v for v in result.verdicts if (v.metric, v.against) == (metric, against)), None)


def _since_baseline(result: CellResult, gates: Sequence[Gate]) -> ChartChange | None:
    verdict = _verdict(result, "map", "baseline")
    now, before = result.metric("map"), (result.baseline or {}).get("map")
    if now is None or before is None:
        return None
    if verdict is None:
        return ChartChange(now - before)
    return _difference(verdict, now, before, limit_of(verdict, result, gates))


def _difference(verdict: Verdict, now: float, before: float, limit: float | None) -> ChartChange:
    """A verdict as differences from what it is held against."""
    low, high = verdict.interval or (None, None)
    low, high, limit = (None if end is None else end - before for end in (low, high, limit))
    return ChartChange(now - before, low, high, limit, verdict.status)


def _against_fp32(result: CellResult, fp32: CellResult | None, gates: Sequence[Gate]) -> ChartChange | None:
    """Both sides are of this run, so their resamples give the interval, gated or not."""
    if fp32 is None or not result.measured or not fp32.measured:
        return None
    now, before = result.metric("map"), fp32.metric("map")
    if now is None or before is None:
        return None
    verdict = _verdict(result, "map", "fp32")
    limit = limit_of(verdict, result, gates) if verdict else None
    bounds: tuple[float | None, float | None] = (None, None)
    news, olds = (side.measured.samples.get(resampled_name("map"), ()) for side in (result, fp32))  # type: ignore[union-attr]
    if news and len(news) == len(olds):
        found = accuracy.paired_change(before, now, olds, news, int(result.measured.provenance["images"]))
        bounds = (found.low, found.high) if math.isfinite(found.low) else bounds
    past = None if limit is None else limit - before
    return ChartChange(now - before, *bounds, past, verdict.status if verdict else "met")


def _by_processes(result: CellResult, gates: Sequence[Gate]) -> ChartChange | None:
    verdict = _verdict(result, "latency", "baseline")
    if verdict is None or verdict.observed is None or verdict.interval is None:
        return None
    return _difference(verdict, verdict.observed, 1.0, limit_of(verdict, result, gates))


def _processes(result: CellResult) -> list[float]:
    """CPU time of each gated process over the mean of the baseline's, whose own processes the results do not have."""
    verdict = _verdict(result, "latency", "baseline")
    if verdict is None or not verdict.observed or not result.measured:
        return []
    logs = next((v for name in NAMES if (v := result.measured.samples.get(f"log_ratio_{name}"))), ())
    centre = statistics.fmean(logs) if logs else 0.0
    return [round(math.exp(log - centre) * verdict.observed, 5) for log in logs]


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """In the order of METRICS, to six digits; what was not measured is left out."""
    return {name: float(f"{value:.6g}") for name in METRICS if (value := numbers.get(name)) is not None}
