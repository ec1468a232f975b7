"""Sentences that several media say."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from harness.core.metrics import METRICS
from harness.measure.explain.explain import Explanation
from harness.report.common.tables import NONE
from harness.report.common.view import display_order
from harness.store.history_db import CPU_RATIO
from harness.store.results import CellResult
from harness.store.trends import LevelChange, Point, Run, Trend


def repeat(result: CellResult, phases: Sequence[str], again: Sequence[str]) -> str:
    """The command that runs this cell alone, from the same folder. By test id, since `-k` knows no `~`."""
    return shlex.join([*again, *(f"{result.file}::test_{phase}[{result.id}]" for phase in phases)])


def counts(results: Sequence[CellResult]) -> str:
    """`1 regressed, 12 unchanged`, the worst first."""
    found = Counter(result.status for result in results)
    return ", ".join(f"{found[status]} {status}" for status in sorted(found, key=display_order))


SHORT = {
    "fp32": "f32",
    "fp16": "f16",
    "bf16": "bf16",
    "int8": "i8",
    "int8-dynamic": "i8",
    "int8-qat": "i8",
    "w8a16": "i16",
}


def precision(result: CellResult) -> str:
    """The precision, and what executed where that is another type: `fp16 (f32)`. Of a ready file also what it is."""
    if result.cell is None:
        return result.id
    measured = result.measured
    found = measured.provenance.get("precision") if measured else None
    executed = measured.executed if measured else {}
    ran = max(executed, key=lambda kind: executed[kind], default=None)
    named = f"{result.cell.precision}: {found}" if found else result.cell.precision
    return f"{named} ({ran})" if ran not in (None, SHORT.get(found or result.cell.family)) else named


WORDS = {
    "reference": "fp32 PyTorch",
    "preprocessing": "with Ultralytics' letterbox",
    "export": "+ export",
    "quantization": "+ quantization",
    "head": "+ its own head: the cell",
    "NMS": "with Ultralytics' NMS",
}


def explanation_line(explained: Explanation) -> str:
    """The answer in one line."""
    stages = {stage.name: stage for stage in explained.stages}
    if not explained.blamed:
        return f"{explained.cell}: no stage lost anything on {explained.images} images"
    stage = stages[explained.blamed]
    before = stages[stage.against]
    worst = f"; noisiest layer: {explained.layers[0].name}" if explained.layers else ""
    return (
        f"{explained.cell}: most was lost in {explained.blamed} (mAP {_value(before.map)} → {_value(stage.map)}, "
        f"agreement {_value(before.agreement)} → {_value(stage.agreement)}) on {explained.images} images{worst}"
    )


def _value(number: float | None, form: str = ".4f") -> str:
    return NONE if number is None else format(number, form).replace("-", "−")


WHEN = "%Y-%m-%d %H:%M"


def told(trend: Trend, change: LevelChange) -> Text:
    """When a level began, by how much, and what else changed then."""
    before, after = trend.points[change.index - 1], trend.points[change.index]
    rise = change.after - change.before
    better = (rise > 0) == (trend.metric in METRICS and METRICS[trend.metric].higher_is_better)
    by = f"{rise / change.before:+.1%}" if _relative(trend.metric) and change.before else f"{rise:+.4f}"
    since = [f"{_commit(before)} → {_commit(after)}"] if _commit(before) != _commit(after) else []
    names = sorted(before.versions.keys() | after.versions.keys())
    since += [
        f"{name} {before.versions.get(name) or NONE} → {after.versions.get(name) or NONE}"
        for name in names
        if before.versions.get(name) != after.versions.get(name)
    ]
    return Text.assemble(
        ("▲ ", "yellow"), f"{after.started.strftime(WHEN)}: ",
        f"{shown(trend.metric, change.before)} → {shown(trend.metric, change.after)}, ",
        (by.replace("-", "−"), "green" if better else "red"), f": {'; '.join(since) or 'same commit, same versions'}",
    )  # fmt: skip


def _commit(of: Point | Run) -> str:
    return f"{of.revision[:8]}{'+' * of.dirty}" if of.revision else NONE


def _relative(metric: str) -> bool:
    return metric == CPU_RATIO or METRICS[metric].unit != ""


def shown(metric: str, value: float) -> str:
    unit = "" if metric == CPU_RATIO else METRICS[metric].unit
    return f"{value / 1e6:.2f} MB" if unit == "B" else f"{value:.3f} {unit}" if unit else f"{value:.4f}"
