"""The HTML report: one file with all that it needs, made of a `results.json` and the detections beside it."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import __version__, errortypes, records, results
from harness.errors import ConfigError
from harness.explain import from_json
from harness.metrics import METRICS
from harness.report import explanation, figures, findings, pictures
from harness.report.figures import Row
from harness.report.lines import repeat
from harness.results import CellResult, Recorded
from harness.types import SEVERITY, Gate

ASSETS = Path(__file__).parents[1] / "assets" / "report"
LIBRARIES = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
SCRIPTS = ("shared.js", "details.js", "table.js", "figures.js", "main.js")
FINDINGS = 10  # that are open; the others unfold


def write(source: Path, target: Path, option: str = "-o") -> None:
    """Read a `results.json`, or the folder that holds one, and write the report of it.

    Raises:
        ConfigError: `source` holds no results, or `target` cannot be written.
    """
    file = source / "results.json" if source.is_dir() else source
    read = results.load(file)
    records.write_text(target, render(read, _beside(file, read)), option)


def _beside(file: Path, read: Recorded) -> Path:
    """The folder that holds `detections/`: the file's own, or that of its run below the results folder."""
    run = file.parent / "runs" / str(read.run.get("id") or "none")
    return run if run.is_dir() else file.parent


def render(read: Recorded, folder: Path) -> str:
    """The whole document; `folder` is the one that holds `detections/` and `datasets/`."""
    import jinja2

    loader = jinja2.FileSystemLoader(ASSETS)
    jinja = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    jinja.undefined = jinja2.StrictUndefined
    jinja.policies["json.dumps_kwargs"] = {"separators": (",", ":")}  # in the order of METRICS
    jinja.filters |= {
        "number": number,
        "signed": signed,
        "quantity": lambda value, name: findings.quantity(name, value),
    }
    suites, first = [], 0
    for suite in read.suites:
        cells = [result for result in read.cells if result.suite == suite["name"]]
        suites.append(_suite(suite, cells, read.gates[suite["name"]], folder, first))
        first += len(cells)
    ordered = [result for suite in suites for result in suite["results"]]
    return jinja.get_template("page.html").render(
        version=__version__,
        headline=findings.headline(ordered),
        tally=_tally(ordered),
        tones=findings.TONES,
        severity=SEVERITY,
        environment=read.environment,
        run=read.run,
        stability=read.stability,
        suites=suites,
        findings_open=FINDINGS,
        data=_data(suites),
        style=_asset("style.css"),
        libraries=[_asset(name) for name in LIBRARIES],
        script="\n".join(_asset(name) for name in SCRIPTS),
    )


def _suite(
    suite: Mapping[str, Any], cells: Sequence[CellResult], gates: Sequence[Gate], folder: Path, first: int
) -> dict[str, Any]:
    """What the template says of one suite."""
    rows = figures.rows(cells, gates, first)
    return {
        "name": suite["name"],
        "file": suite["file"],
        "threads": suite["threads"],
        "images": next((m.provenance["images"] for r in cells if (m := r.measured) and "images" in m.provenance), 0),
        "results": cells,
        "rows": rows,
        "models": list(dict.fromkeys(row.model for row in rows if row.model)),
        "timed": any(row.image_ms is not None for row in rows),
        "gated": any("latency" in row.changes for row in rows),
        "scored": any("map" in row.metrics for row in rows),
        "findings": findings.findings(cells, gates, first),
        "undecided": findings.undecided(cells),
        "unavailable": findings.unavailable(cells),
        "notes": findings.notes(cells),
        "heat": figures.heat(cells, first),
        **_lost(cells, folder, first),
        "declared": gates,
        "gates": [_gate(gate) for gate in gates],
        "versions": versions(cells),
        "hashes": [_hashes(result) for result in cells if result.measured and result.measured.provenance],
    }


def _lost(cells: Sequence[CellResult], folder: Path, first: int) -> dict[str, Any]:
    """Where accuracy went: the cells that were explained, those whose pictures say most, and why some have none."""
    made = pictures.galleries(cells, folder)
    galleries = {gallery.cell: gallery for gallery in made if not gallery.missing}
    missing = dict.fromkeys(gallery.missing for gallery in made if gallery.missing)
    found = []
    for index, result in enumerate(cells, first):
        explained = from_json(result.explanation) if result.explanation else None
        gallery = galleries.get(result.id)
        if explained or gallery:
            changed = errortypes.compared(explained.before, explained.after) if explained else None
            said = explanation.headline(explained).partition(": ")[2] if explained else ""
            said = said[:1].upper() + said[1:]
            found.append(
                {"index": index, "id": result.id, "status": result.status, "explained": explained, "said": said,
                 "changed": changed, "gallery": gallery, "words": explanation.WORDS, "types": errortypes.TYPES}
            )  # fmt: skip
    return {"losses": found, "unpictured": list(missing)}


def _tally(cells: Sequence[CellResult]) -> list[tuple[str, int]]:
    counts = Counter(result.status for result in cells)
    return [(status, counts[status]) for status in SEVERITY if counts[status]]


def versions(cells: Sequence[CellResult]) -> list[tuple[str, Sequence[str]]]:
    """What built and ran the cells; more than one version where they differ."""
    found: dict[str, dict[str, None]] = {}
    for result in cells:
        for tool, version in (result.measured.provenance.get("versions", {}) if result.measured else {}).items():
            found.setdefault(tool, {})[str(version)] = None
    return [(tool, list(seen)) for tool, seen in sorted(found.items())]


def _hashes(result: CellResult) -> dict[str, Any]:
    """What traces a cell's numbers to their inputs."""
    assert result.measured
    traced = result.measured.provenance
    calibrated = traced.get("calibration") or {}
    names = {"weights": "weights", "dataset": "data", "recipe": "recipe", "detections": "detections"}
    return {
        "cell": result.id,
        **{shown: traced.get(name) or "" for name, shown in names.items()},
        "calibration": f"{calibrated.get('digest', '')} ({calibrated.get('images')} images)" if calibrated else "",
    }


def _gate(gate: Gate) -> str:
    """A gate as a suite file writes it."""
    said = [repr(gate.metric)]
    for one in dataclasses.fields(gate)[1:]:
        value = getattr(gate, one.name)
        if value != one.default and not (one.name == "against" and value == "limit"):
            said.append(f"{one.name}={list(value) if isinstance(value, tuple) else value!r}")
    return f"Gate({', '.join(said)})"


# What the scripts draw


def _data(suites: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything that figures and details need, as JSON."""
    cells = [
        _cell(row, result, suite["declared"])
        for suite in suites
        for row, result in zip(suite["rows"], suite["results"], strict=True)
    ]
    metrics = {name: {"unit": metric.unit, "title": metric.title} for name, metric in METRICS.items()}
    return {"metrics": metrics, "cells": cells, "tones": findings.TONES}


def _cell(row: Row, result: CellResult, gates: Sequence[Gate]) -> dict[str, Any]:
    measured = result.measured
    return {
        **dataclasses.asdict(row),
        "verdicts": [
            {"status": v.status, "metric": v.metric, "against": v.against, "detail": v.detail,
             "observed": findings.quantity(v.metric, v.observed), "limit": findings.allowed(v, result, gates)}
            for v in result.verdicts
        ],
        "executed": dict(measured.executed) if measured else {},
        "provenance": flat(measured.provenance) if measured else [],
        "notes": list(measured.notes) if measured else [],
        "repeat": repeat(result, ("accuracy", "latency"), ()) if result.cell else "",
    }  # fmt: skip


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as dotted names and words, empty ones left out."""
    found: list[tuple[str, str]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{name}.")
        elif value not in (None, "", [], ()):
            found.append((prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return found


def number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else format(value, form).replace("-", "−") + unit


def signed(value: float | None, form: str = "+.4f") -> str:
    """A change; nothing is said to have changed that rounds to zero."""
    if value is None:
        return "–"
    text = format(value, form)
    return text.replace("-", "−") if re.search("[1-9]", text) else text.lstrip("+-")


def _asset(name: str) -> str:
    try:
        return (ASSETS / name).read_text()
    except OSError as error:
        raise ConfigError(f"{error.filename} is missing: install quantgate again") from None
