"""Words and sentences that several media say. They are plain text: how a medium colours them is its own business."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.metrics import METRICS
from harness.report.common.numbers import NONE, number, signed, trend_value
from harness.report.common.view import display_order
from harness.store.history_db import CPU_RATIO
from harness.store.results import CellResult
from harness.store.trends import LevelChange, Point, Run, Trend

if TYPE_CHECKING:  # it stands on everything that measures, and most users of these words measure nothing
    from harness.measure.explain.explain import Explanation

WHEN = "%Y-%m-%d %H:%M"
"""How a report writes a moment, in UTC."""


def repeat_command(result: CellResult, phases: Sequence[str], again: Sequence[str]) -> str:
    """The command that runs this cell alone, from the folder in which the run was started.

    It names tests by their ids, since `-k` knows no `~`. `again` are the words of the command before the tests.
    """
    return shlex.join([*again, *(f"{result.file}::test_{phase}[{result.id}]" for phase in phases)])


def status_counts(results: Sequence[CellResult]) -> str:
    """How many cells have which status, the worst first: `1 regressed, 12 unchanged`."""
    found = Counter(result.status for result in results)
    return ", ".join(f"{found[status]} {status}" for status in sorted(found, key=display_order))


def dotted(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested provenance, each with its dotted name: `versions.onnx`, `calibration.images`."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


# Precisions

PROMISED = {
    "fp32": "f32",
    "fp16": "f16",
    "bf16": "bf16",
    "int8": "i8",
    "int8-dynamic": "i8",
    "int8-qat": "i8",
    "w8a16": "i16",
}
"""Precision → the type in which most of its work executes, as `Measurement.executed` names types."""


def precision_label(result: CellResult) -> str:
    """The precision of a cell; the id of a cell that only has its name left.

    Where most of the work was executed in another type than the precision promises, the type follows: `fp16 (f32)`.
    The precision of a ready file is followed by the precision that was found in the file: `ready: int8`.
    """
    if result.cell is None:
        return result.id
    measured = result.measured
    found = measured.provenance.get("precision") if measured else None
    label = f"{result.cell.precision}: {found}" if found else result.cell.precision
    executed = measured.executed if measured else {}
    if not executed:
        return label
    most = max(executed, key=lambda kind: executed[kind])
    return label if most == PROMISED.get(found or result.cell.family) else f"{label} ({most})"


# Explanations

STAGE_NAMES = {
    "reference": "fp32 PyTorch",
    "preprocessing": "with Ultralytics' letterbox",
    "export": "+ export",
    "quantization": "+ quantization",
    "head": "+ its own head: the cell",
    "NMS": "with Ultralytics' NMS",
}
"""Stage of an explanation → the pipeline that it stands for, as a table names it."""


def explanation_line(explained: Explanation) -> str:
    """Where the accuracy of a cell went, in one line."""
    stages = {stage.name: stage for stage in explained.stages}
    if not explained.blamed:
        return f"{explained.cell}: no stage lost anything on {explained.images} images"
    stage = stages[explained.blamed]
    before = stages[stage.against]
    scores, agreements = (
        f"{number(old, '.4f')} → {number(new, '.4f')}"
        for old, new in ((before.map, stage.map), (before.agreement, stage.agreement))
    )
    worst = f"; noisiest layer: {explained.layers[0].name}" if explained.layers else ""
    return (
        f"{explained.cell}: most was lost in {explained.blamed} (mAP {scores}, agreement {agreements}) "
        f"on {explained.images} images{worst}"
    )


# History


@dataclass(frozen=True)
class LevelWords:
    """The parts of the sentence about a new level of a trend."""

    levels: str  # when the level began, and both levels
    by: str  # the change, as a share where the metric has a unit
    better: bool
    causes: str  # what else changed then: commit, versions

    def __str__(self) -> str:
        return f"{self.levels}, {self.by}: {self.causes}"


def level_words(trend: Trend, change: LevelChange) -> LevelWords:
    """When a level of a trend began, by how much it differs from the level before, and what else changed then."""
    before, after = trend.points[change.index - 1], trend.points[change.index]
    old, new = (trend_value(trend.metric, level) for level in (change.before, change.after))
    rise = change.after - change.before
    by = signed(rise / change.before, "+.1%") if _is_relative(trend.metric) and change.before else signed(rise)
    better = (rise > 0) == (trend.metric in METRICS and METRICS[trend.metric].higher_is_better)
    causes = "; ".join(_differences(before, after)) or "same commit, same versions"
    return LevelWords(f"{after.started.strftime(WHEN)}: {old} → {new}", by, better, causes)


def _differences(before: Point, after: Point) -> Iterator[str]:
    """The commit and the versions in which two runs differ, each with both values."""
    if commit_name(before) != commit_name(after):
        yield f"{commit_name(before)} → {commit_name(after)}"
    for name in sorted(before.versions.keys() | after.versions.keys()):
        old, new = before.versions.get(name), after.versions.get(name)
        if old != new:
            yield f"{name} {old or NONE} → {new or NONE}"


def commit_name(run: Point | Run) -> str:
    """The commit of a run, short; `+` behind it where tracked files differed from the commit."""
    if not run.revision:
        return NONE
    return f"{run.revision[:8]}+" if run.dirty else run.revision[:8]


def _is_relative(metric: str) -> bool:
    """Whether a change of the metric is told as a share."""
    return metric == CPU_RATIO or METRICS[metric].unit != ""
