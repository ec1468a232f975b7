"""The table of a suite in the terminal: a row for each cell, in groups of siblings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from harness.core.status import FINE, TABLE, severity, worst
from harness.core.verdict import Verdict
from harness.core.words import counted
from harness.report.common.numbers import (
    NONE,
    difference,
    divided,
    megabytes,
    metric_value,
    milliseconds,
    number,
    signed,
)
from harness.report.common.tables import Column, Row, Section, Sheet
from harness.report.common.view import (
    SORTS,
    View,
    chosen,
    fp32_siblings,
    latency_change,
    pareto_front,
    scored_images,
    sibling_groups,
    size_ratio,
)
from harness.report.common.wording import precision_label
from harness.store.results import CellResult, Plan

MARK = "★ "
"""What stands before a cell on the Pareto front."""


@dataclass(frozen=True)
class Pair:
    """A cell and its fp32 sibling."""

    cell: CellResult
    fp32: CellResult | None  # None for an fp32 cell, and where the run has no sibling

    def __getitem__(self, metric: str) -> float | None:
        """The cell's value of a metric."""
        return self.cell.metric(metric)

    def of_fp32(self, metric: str) -> float | None:
        """The fp32 sibling's value of a metric."""
        return self.fp32.metric(metric) if self.fp32 else None

    def before(self, metric: str) -> float | None:
        """The baseline's value of a metric."""
        return (self.cell.baseline or {}).get(metric)


@dataclass(frozen=True)
class Field:
    """A column of the table, what it shows of a cell, and the gate whose verdict colours it."""

    column: Column
    show: Callable[[Pair], str]
    metric: str  # which the column shows, or from which its value is derived; empty: it shows no number
    against: str = ""  # what the gate holds the metric against


def _field(
    title: str, gives_way: int, metric: str, show: Callable[[Pair], str], against: str = "", left: bool = False
) -> Field:
    return Field(Column(title, gives_way, "left" if left else "right"), show, metric, against)


FIELDS: tuple[Field, ...] = (
    _field("MB", 6, "size_bytes", lambda of: megabytes(of["size_bytes"]), "baseline"),
    _field("×fp32", 7, "size_bytes", lambda of: number(size_ratio(of.cell, of.fp32), ".2f"), "fp32"),
    _field("p50 ms", 3, "latency_p50_ms", lambda of: milliseconds(of["latency_p50_ms"])),
    _field("p99 ms", 12, "latency_p99_ms", lambda of: milliseconds(of["latency_p99_ms"])),
    _field("speed", 4, "latency_ratio", lambda of: number(divided(1.0, of["latency_ratio"]), ".2f", "×"), "fp32"),
    _field("Δ time", 8, "latency", lambda of: signed(latency_change(of.cell), "+.1%"), "baseline"),
    _field("mAP", 1, "map", lambda of: number(of["map"], ".4f"), "limit"),
    _field("box mAP", 11, "box_map", lambda of: number(of["box_map"], ".4f"), "limit"),
    _field("mAP 50", 14, "map_50", lambda of: number(of["map_50"], ".4f"), "limit"),
    _field("Δ base", 2, "map", lambda of: difference(of["map"], of.before("map")), "baseline"),
    _field("Δ fp32", 5, "map", lambda of: difference(of["map"], of.of_fp32("map")), "fp32"),
    _field("agree", 10, "agreement", lambda of: number(of["agreement"], ".3f"), "limit"),
    _field("attested", 13, "attested_share", lambda of: number(of["attested_share"], ".0%"), "limit"),
    _field("pre ms", 15, "preprocess_ms", lambda of: milliseconds(of["preprocess_ms"])),
    _field("post ms", 16, "postprocess_ms", lambda of: milliseconds(of["postprocess_ms"])),
    _field("RSS MB", 17, "peak_rss_bytes", lambda of: megabytes(of["peak_rss_bytes"], ".0f")),
    _field("mJ", 18, "energy_mj", lambda of: number(of["energy_mj"], ".1f")),
    _field("verdict", 0, "", lambda of: of.cell.status, left=True),
    _field("gate", 9, "", lambda of: _gate(of.cell), left=True),
)
"""The columns from left to right. The numbers are `Column.gives_way`: where room is short, the highest goes first."""


def suite_sheet(plan: Plan, results: Sequence[CellResult], view: View) -> Sheet:
    """The table of one suite: the cells that the view shows, in groups of siblings unless a metric orders them."""
    fp32_of = fp32_siblings(results)
    shown, front = chosen(results, view), pareto_front(results)
    fields = _fields(view)

    def row(result: CellResult, label: str) -> Row:
        mark = MARK if result.id in front else " " * len(MARK)
        pair = Pair(result, fp32_of(result))
        return Row(Text.assemble((mark, "yellow"), label), tuple(_shown(field, pair) for field in fields))

    if view.sort in SORTS:
        sections = [_section(heading(group), group, precision_label, row) for group in sibling_groups(shown)]
    else:
        sections = [_section("", shown, lambda result: result.id, row)]
    return Sheet(_title(plan, results, shown), [field.column for field in fields], sections)


def _section(
    title: str,
    results: Sequence[CellResult],
    name: Callable[[CellResult], str],
    row: Callable[[CellResult, str], Row],
) -> Section:
    """A row for each cell; the cells that cannot run here are named in one line below."""
    ran = [result for result in results if result.status != "unavailable"]
    others = [name(result) for result in results if result.status == "unavailable"]
    return Section(title, [row(one, name(one)) for one in ran], f"unavailable: {', '.join(others)}" if others else "")


def _title(plan: Plan, results: Sequence[CellResult], shown: Sequence[CellResult]) -> str:
    parts = [f"{plan.suite}: {scored_images(results) or 'no'} images"]
    if any(result.metric("latency_p50_ms") is not None for result in results):
        parts.append(f"p50 on {counted(plan.threads, 'thread')}")
    if len(shown) < len(results):
        parts.append(f"{len(shown)} of {len(results)} cells shown")
    return ", ".join(parts)


def heading(group: Sequence[CellResult]) -> str:
    """What stands above a group of siblings: model, backend with the version of its runtime, device and tag."""
    cell = group[0].cell
    if cell is None:
        return "not in the suite any more"
    versions = (one.measured.provenance.get("versions", {}) for one in group if one.measured)
    runtime = next((known[cell.backend] for known in versions if known.get(cell.backend)), "")
    return " · ".join(filter(None, (cell.model, f"{cell.backend} {runtime}".strip(), cell.device, cell.tag)))


def _fields(view: View) -> Sequence[Field]:
    """The columns of the table; a metric that the view sorts by has a column that never gives way."""
    if view.sort in SORTS:
        return FIELDS
    name = view.sort
    first = next((field for field in FIELDS if field.metric == name), None)
    if first is None:
        return [_field(name, 0, name, lambda of: metric_value(name, of[name])), *FIELDS]
    staying = replace(first, column=replace(first.column, gives_way=0))
    return [staying if field is first else field for field in FIELDS]


def _shown(field: Field, pair: Pair) -> Text:
    """A value in the colour of the verdict on it."""
    value = field.show(pair)
    if not field.metric:
        return Text(value, TABLE[pair.cell.status].colour)
    status = worst([one.status for one in pair.cell.verdicts if _judges(one, field)])
    if value == NONE:
        return Text(value, "dim")
    return Text(value, "" if status in FINE else TABLE[status].colour)


def _judges(verdict: Verdict, field: Field) -> bool:
    """Whether a verdict is on what the field shows. A gate on `latency` against fp32 judges `latency_ratio`."""
    names = ("latency", "latency_ratio") if field.metric == "latency_ratio" else (field.metric,)
    return verdict.metric in names and verdict.against == field.against


def _gate(result: CellResult) -> str:
    """The gate with the worst verdict on a cell; empty where all verdicts are fine."""
    verdict = min(result.verdicts, key=lambda one: severity(one.status), default=None)
    if verdict is None or verdict.status in FINE:
        return ""
    return f"{verdict.metric} (fp32)" if verdict.against == "fp32" else verdict.metric
