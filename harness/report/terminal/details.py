"""What `-v` adds below the table of a suite: every metric, the AP of every class, the verdict of every gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.core.metrics import METRICS
from harness.core.status import FINE, TABLE
from harness.core.verdict import Verdict, verdict_line
from harness.report.common.numbers import difference, metric_value, number
from harness.report.common.tables import Column, Row, Section, Sheet
from harness.report.common.view import View, chosen, is_fp32, sibling_groups
from harness.report.common.wording import precision_label
from harness.report.terminal.cells import heading
from harness.store.results import CellResult

TABLES: dict[str, dict[str, str]] = {
    "average precision": {
        "mAP": "map",
        "box mAP": "box_map",
        "mAP 50": "map_50",
        "mAP 75": "map_75",
        "small": "map_small",
        "medium": "map_medium",
        "large": "map_large",
    },
    "average recall, and recall and F1 at the operating threshold": {
        "AR 1": "mar_1",
        "AR 10": "mar_10",
        "AR 100": "mar_100",
        "small": "mar_small",
        "medium": "mar_medium",
        "large": "mar_large",
        "recall": "recall_op",
        "F1": "f1_op",
    },
    "against fp32, and what executed as named": {
        "agreement": "agreement",
        "score shift": "score_shift",
        "collapsed": "collapsed_classes",
        "attested": "attested_share",
        "size MB": "size_bytes",
        "time ×fp32": "latency_ratio",
    },
    "a call": {
        "p50 ms": "latency_p50_ms",
        "p90 ms": "latency_p90_ms",
        "p99 ms": "latency_p99_ms",
        "mean ms": "latency_mean_ms",
        "on device ms": "device_p50_ms",
        "calls": "latency_calls",
        "images/s": "throughput_ips",
        "energy mJ": "energy_mj",
    },
    "memory, loading": {
        "peak RSS MB": "peak_rss_bytes",
        "of the runtime MB": "runtime_rss_bytes",
        "on device MB": "device_memory_bytes",
        "load ms": "load_ms",
        "first call ms": "first_inference_ms",
    },
}
"""Title of a table → title of a column → metric. The stages of an image have a table of their own."""
STAGES = ("preprocess ms", "infer ms", "postprocess ms", "together ms", "infer share")


def sheets(results: Sequence[CellResult], view: View) -> Iterator[Sheet]:
    """The tables of one suite. `tables.pages` leaves out the tables that hold no value."""
    cells = [one for one in chosen(results, view) if one.measured and one.measured.metrics]
    for title, columns in TABLES.items():
        values = {one.id: [metric_value(metric, one.metric(metric)) for metric in columns.values()] for one in cells}
        yield _sheet(title, list(columns), cells, values)
        if title == "a call":
            yield _sheet("stages of an image", STAGES, cells, {one.id: _stages(one) for one in cells})
    yield from (_classes(group) for group in sibling_groups(cells))


def column_notes(results: Sequence[CellResult]) -> Iterator[str]:
    """Lines that say what columns of the tables mean, and why a cell has no energy or no 99th percentile."""
    yield "speed, Δ time: times as fast as fp32, interleaved; gated CPU time against the baseline"
    yield f"agree: {METRICS['agreement'].title}"
    yield f"attested: {METRICS['attested_share'].title}"
    timed = [one.measured for one in results if one.measured and one.metric("latency_calls")]
    silent = {str(one.provenance.get("energy")) for one in timed if one.metrics.get("energy_mj") is None}
    yield from (f"no energy: {why}" for why in sorted(silent))
    if any(one.metrics.get("latency_p99_ms") is None for one in timed):
        yield f"no p99: {METRICS['latency_p99_ms'].title.partition('; ')[2]} (Suite(calls=…))"


def judged(results: Sequence[CellResult], view: View) -> Iterator[Text]:
    """The verdict of every gate in words, below the id of its cell, for the cells that the view shows."""
    for one in chosen(results, view):
        if one.verdicts:
            yield Text(one.id, "bold")
        yield from (Text(f"  {verdict_line(verdict)}", _style(verdict)) for verdict in one.verdicts)


def _sheet(title: str, columns: Sequence[str], cells: Sequence[CellResult], values: dict[str, list[str]]) -> Sheet:
    """A table with a row for each cell; `values` has a cell's values by its id, in the order of the columns."""

    def section(group: Sequence[CellResult]) -> Section:
        rows = [Row(Text(precision_label(one)), tuple(map(Text, values[one.id]))) for one in group]
        return Section(heading(group), rows)

    sections = [section(group) for group in sibling_groups(cells)]
    return Sheet(title, [Column(name, 1) for name in columns], sections)


def _stages(result: CellResult) -> list[str]:
    """The times of the stages per image, so that cells of different batch sizes compare, and the share of inference."""
    before, call, after = (result.metric(name) for name in ("preprocess_ms", "latency_p50_ms", "postprocess_ms"))
    infer = call / result.cell.batch if call is not None and result.cell else None
    known = [part for part in (before, infer, after) if part is not None]
    together = sum(known) if len(known) == 3 else None
    shown = [metric_value("latency_p50_ms", part) for part in (before, infer, after, together)]
    return [*shown, number(infer / together if infer and together else None, ".0%")]


def _classes(group: Sequence[CellResult]) -> Sheet:
    """AP by class of a group of siblings, the class with the largest loss first.

    The fp32 cell shows its AP, and the others their change against it. Without an fp32 cell all show their AP.
    """
    reference = next((one for one in group if is_fp32(one)), None)
    per_class = {one.id: one.measured.per_class if one.measured else {} for one in group}
    known = per_class[reference.id] if reference else {}
    counts = next((one.measured.instances for one in group if one.measured and one.measured.instances), {})

    def value(one: CellResult, name: str) -> Text:
        now, before = per_class[one.id].get(name), known.get(name)
        return Text(difference(now, before) if reference and one is not reference else number(now, ".4f"))

    def lost(name: str) -> float:
        return min(((values.get(name) or 0.0) - (known.get(name) or 0.0) for values in per_class.values()), default=0.0)

    names = sorted({name: 0 for values in per_class.values() for name in values}, key=lost if reference else str)
    rows = [Row(Text(name), (Text(str(counts.get(name, ""))), *(value(one, name) for one in group))) for name in names]
    others = "; of others the change to fp32" if reference and len(group) > 1 else ""
    columns = [Column("objects", 1), *(Column(precision_label(one), 1) for one in group)]
    return Sheet(f"AP by class: {heading(group)}{others}", columns, [Section("", rows)])


def _style(verdict: Verdict) -> str:
    return "" if verdict.status in FINE else TABLE[verdict.status].colour
