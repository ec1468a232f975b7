"""The HTML report: one file with all that it needs, made from a `results.json` and the detections beside it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import files
from harness.core.errors import ConfigError
from harness.core.files import ASSETS
from harness.core.metrics import METRICS
from harness.core.status import SEVERITY, TABLE
from harness.core.suite import Gate
from harness.core.version import __version__
from harness.measure.explain import tide
from harness.report.common.numbers import number, quantity, signed
from harness.report.common.wording import STAGE_NAMES, dotted, repeat_command
from harness.report.html import findings
from harness.report.html import history as past
from harness.report.html.chart_rows import ChartRow
from harness.report.html.sections import SuiteSection, sections
from harness.store import history_db, results
from harness.store.results import CellResult, Recorded

TEMPLATES = ASSETS / "report"
LIBRARIES = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
SCRIPTS = ("shared.js", "details.js", "table.js", "draw.js", "trade.js", "rows.js", "main.js")
TONES = {status: traits.tone for status, traits in TABLE.items()}
FINDINGS = 10  # how many findings are open; the others unfold


def write_page(source: Path, target: Path, option: str = "-o", history: Path | None = None) -> None:
    """Read a `results.json`, or the folder that holds one, and write its report.

    `option` names the option that names `target`, for the error. `history` is the file of earlier runs; where none is
    named, it is the file beside the results.

    Raises:
        ConfigError: `source` holds no results, or `target` cannot be written.
    """
    file = results.results_file(source)
    read = results.load_results(file)
    files.write_text(target, render_page(read, _beside(file, read), history or file.parent / history_db.NAME), option)


def _beside(file: Path, read: Recorded) -> Path:
    """The folder that holds `detections/`: the folder of the run, or else the folder of the results file."""
    run = file.parent / "runs" / str(read.run.get("id") or "none")
    return run if run.is_dir() else file.parent


def render_page(read: Recorded, folder: Path, history: Path | None = None) -> str:
    """The whole document.

    `folder` is the folder that holds `detections/` and `datasets/`. `history` is the file of earlier runs; without one
    the document has no history.
    """
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    jinja = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    jinja.undefined = jinja2.StrictUndefined
    jinja.policies["json.dumps_kwargs"] = {"separators": (",", ":")}  # in the order of METRICS
    jinja.filters |= {"number": number, "signed": signed}
    suites = sections(read, folder, history)
    cells = [result for suite in suites for result in suite.results]
    return jinja.get_template("page.html").render(
        version=__version__,
        headline=findings.page_headline(cells),
        tally=_tally(cells),
        tones=TONES,
        severity=SEVERITY,
        environment=read.environment,
        run=read.run,
        stability=read.stability,
        suites=suites,
        findings_open=FINDINGS,
        lines_past=past.LINES,
        stages=STAGE_NAMES,
        kinds=tide.TYPES,
        data=_data(suites),
        style=_asset("style.css"),
        libraries=[_asset(name) for name in LIBRARIES],
        script="\n".join(_asset(name) for name in SCRIPTS),
    )


def _tally(cells: Sequence[CellResult]) -> list[tuple[str, int]]:
    """The statuses that cells have, the worst first, and how many cells have each."""
    counts = Counter(result.status for result in cells)
    return [(status, counts[status]) for status in SEVERITY if counts[status]]


# What the scripts draw


def _data(suites: Sequence[SuiteSection]) -> dict[str, Any]:
    """Everything that the scripts draw and tell: metrics, cells, and the tone of each status."""
    cells = [
        _cell(row, result, suite.declared)
        for suite in suites
        for row, result in zip(suite.rows, suite.results, strict=True)
    ]
    metrics = {name: {"unit": metric.unit, "title": metric.title} for name, metric in METRICS.items()}
    return {"metrics": metrics, "cells": cells, "tones": TONES}


def _cell(row: ChartRow, result: CellResult, gates: Sequence[Gate]) -> dict[str, Any]:
    """A cell for the scripts: its row, and what its details tell besides."""
    measured = result.measured
    return {
        **dataclasses.asdict(row),
        "verdicts": [
            {"status": v.status, "metric": v.metric, "against": v.against, "detail": v.detail,
             "observed": quantity(v.metric, v.observed), "limit": findings.allowed(v, result, gates)}
            for v in result.verdicts
        ],
        "executed": dict(measured.executed) if measured else {},
        "provenance": flat(measured.provenance) if measured else [],
        "notes": list(measured.notes) if measured else [],
        "repeat": repeat_command(result, ("accuracy", "latency"), ["pytest"]) if result.cell else "",
    }  # fmt: skip


def flat(tree: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested provenance as pairs of a dotted name and a text; empty values are left out."""
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in dotted(tree)
        if value not in (None, "", [], ())
    ]


def _asset(name: str) -> str:
    """The text of a file that quantgate brings along for the report."""
    try:
        return (TEMPLATES / name).read_text()
    except OSError as error:
        raise ConfigError(f"{error.filename} is missing: install quantgate again") from None
