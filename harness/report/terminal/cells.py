"""The table of a suite: a row per cell, in groups of siblings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from harness.core.status import FINE, TABLE, severity, worst
from harness.core.verdict import Verdict
from harness.report.common.numbers import difference, divided, megabytes, metric_value, milliseconds, number
from harness.report.common.tables import NONE, Column, Row, Section, Sheet
from harness.report.common.view import SORTS, View, best, chosen, sibling_groups
from harness.report.common.wording import precision
from harness.store.results import CellResult, Plan

MARK = "★ "


@dataclass(frozen=True)
class Pair:
    """A cell, and the fp32 sibling that it is held against, where the run has it."""

    cell: CellResult
    fp32: CellResult | None

    def __getitem__(self, metric: str) -> float | None:
        return self.cell.metric(metric)

    def of_fp32(self, metric: str) -> float | None:
        return self.fp32.metric(metric) if self.fp32 and self.fp32 is not self.cell else None

    def before(self, metric: str) -> float | None:
        """The baseline's value."""
        return (self.cell.baseline or {}).get(metric)


@dataclass(frozen=True)
class Field:
    """A column, what stands in it, and the gate whose verdict colours it."""

    column: Column
    show: Callable[[Pair], str]
    metric: str  # that it shows, or that it is derived from
    against: str = ""  # of the gate


def _field(
    title: str, gives_way: int, metric: str, show: Callable[[Pair], str], against: str = "", left: bool = False
) -> Field:
    return Field(Column(title, gives_way, "left" if left else "right"), show, metric, against)


FIELDS: tuple[Field, ...] = (
    _field("MB", 6, "size_bytes", lambda of: megabytes(of["size_bytes"]), "baseline"),
    _field("×fp32", 7, "size_bytes", lambda of: number(_share(of), ".2f"), "fp32"),
    _field("p50 ms", 3, "latency_p50_ms", lambda of: milliseconds(of["latency_p50_ms"])),
    _field("p99 ms", 12, "latency_p99_ms", lambda of: milliseconds(of["latency_p99_ms"])),
    _field("speed", 4, "latency_ratio", lambda of: number(divided(1.0, of["latency_ratio"]), ".2f", "×"), "fp32"),
    _field("Δ time", 8, "latency", lambda of: _slower(of.cell), "baseline"),
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
"""From left to right. Where the terminal is narrow, what stands in the second place gives way, the highest first."""


def suite_sheet(plan: Plan, results: Sequence[CellResult], view: View) -> Sheet:
    """The cells of one suite that the view shows."""
    siblings = {result.cell: result for result in results if result.cell}
    shown, front = chosen(results, view), best(results)
    fields = _with_sorted(view)

    def row(result: CellResult, label: str) -> Row:
        pair = Pair(result, siblings.get(result.cell.sibling("fp32")) if result.cell else None)
        mark = MARK if result.id in front else " " * len(MARK)
        return Row(Text.assemble((mark, "yellow"), label), tuple(_shown(field, pair) for field in fields))

    if view.sort in SORTS:
        sections = [_section(heading(group), group, precision, row) for group in sibling_groups(shown)]
    else:
        sections = [_section("", shown, lambda result: result.id, row)]
    return Sheet(_title(plan, results, shown), [field.column for field in fields], sections)


def _section(
    title: str,
    results: Sequence[CellResult],
    name: Callable[[CellResult], str],
    row: Callable[[CellResult, str], Row],
) -> Section:
    """A row for each cell; those that cannot run here are named in one line."""
    ran = [result for result in results if result.status != "unavailable"]
    others = [name(result) for result in results if result.status == "unavailable"]
    return Section(title, [row(one, name(one)) for one in ran], f"unavailable: {', '.join(others)}" if others else "")


def _title(plan: Plan, results: Sequence[CellResult], shown: Sequence[CellResult]) -> str:
    images = next(
        (r.measured.provenance["images"] for r in results if r.measured and "images" in r.measured.provenance), None
    )
    parts = [f"{plan.suite}: {images or 'no'} images"]
    if any(result.metric("latency_p50_ms") is not None for result in results):
        parts.append(f"p50 on {plan.threads} thread{'s' * (plan.threads > 1)}")
    if len(shown) < len(results):
        parts.append(f"{len(shown)} of {len(results)} cells shown")
    return ", ".join(parts)


def heading(group: Sequence[CellResult]) -> str:
    cell = group[0].cell
    if cell is None:
        return "not in the suite any more"
    versions = (one.measured.provenance.get("versions", {}) for one in group if one.measured)
    runtime = next((known[cell.backend] for known in versions if known.get(cell.backend)), "")
    return " · ".join(filter(None, (cell.model, f"{cell.backend} {runtime}".strip(), cell.device, cell.tag)))


def _with_sorted(view: View) -> Sequence[Field]:
    """The fields; what the table is sorted by is among them and stays."""
    if view.sort in SORTS:
        return FIELDS
    name = view.sort
    if any(field.metric == name for field in FIELDS):
        first = next(field for field in FIELDS if field.metric == name)
        staying = Field(Column(first.column.title), first.show, first.metric, first.against)
        return [staying if field is first else field for field in FIELDS]
    return [_field(name, 0, name, lambda of: metric_value(name, of[name])), *FIELDS]


def _shown(field: Field, pair: Pair) -> Text:
    """A value in the colour of the verdict on it."""
    value = field.show(pair)
    if not field.metric:
        return Text(value, TABLE[pair.cell.status].colour)
    judged = [one.status for one in pair.cell.verdicts if (one.metric, one.against) in _gates(field)]
    status = worst(judged)
    return Text(value, "dim" if value == NONE else "" if status in FINE else TABLE[status].colour)


def _gates(field: Field) -> Sequence[tuple[str, str]]:
    """A gate on latency against fp32 may name the ratio by either of its names."""
    names = ("latency", "latency_ratio") if field.metric == "latency_ratio" else (field.metric,)
    return [(name, field.against) for name in names]


def decisive(result: CellResult) -> Verdict | None:
    """The worst verdict on a cell, if it is not fine."""
    verdict = min(result.verdicts, key=lambda one: severity(one.status), default=None)
    return verdict if verdict and verdict.status not in FINE else None


def _gate(result: CellResult) -> str:
    verdict = decisive(result)
    if verdict is None:
        return ""
    return f"{verdict.metric} (fp32)" if verdict.against == "fp32" else verdict.metric


def _slower(result: CellResult) -> str:
    """The change of gated CPU time against the baseline."""
    ratios = [
        verdict.observed for verdict in result.verdicts if (verdict.metric, verdict.against) == ("latency", "baseline")
    ]
    return number(next((ratio - 1 for ratio in ratios if ratio is not None), None), "+.1%")


def _share(of: Pair) -> float | None:
    reference = of.fp32.metric("size_bytes") if of.fp32 else None
    return divided(of["size_bytes"], reference)
