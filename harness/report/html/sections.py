"""What the HTML report says about a suite, section by section, in the shape that its templates read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.status import Status
from harness.core.suite import Gate
from harness.measure.explain import tide
from harness.measure.explain.explain import Explanation, from_json
from harness.measure.explain.tide import Errors
from harness.report.common.view import scored_images
from harness.report.common.wording import explanation_line
from harness.report.html import chart_rows, findings, heatmap, pictures
from harness.report.html import history as past
from harness.report.html.chart_rows import ChartRow
from harness.report.html.findings import Finding, Group
from harness.report.html.heatmap import Heat
from harness.report.html.history import Past
from harness.report.html.pictures import Gallery
from harness.store.results import CellResult, Recorded

FINE = "No gate of accuracy failed; this cell agrees least with its fp32 sibling"


@dataclass(frozen=True)
class Loss:
    """Where the accuracy of a cell went, as far as the run has explained it or kept its detections."""

    index: int  # of the cell, among the cells of all suites
    id: str
    status: Status
    explained: Explanation | None  # None: the run did not explain the cell
    said: str  # where the accuracy went, in one line; empty where nothing is to be said
    changed: Errors | None  # by kind, the errors of the cell minus the errors of fp32
    gallery: Gallery | None  # None: there are no pictures of the cell


@dataclass(frozen=True)
class SuiteSection:
    """What the report says about one suite."""

    name: str
    file: str  # in which the suite is declared
    threads: int  # of timed sections
    images: int  # that the cells were scored on
    results: Sequence[CellResult]
    rows: Sequence[ChartRow]  # one for each of `results`
    declared: Sequence[Gate]
    findings: Sequence[Finding]
    undecided: Sequence[Group]
    unavailable: Sequence[Group]
    notes: Sequence[Group]
    heat: Heat | None
    losses: Sequence[Loss]
    unpictured: Sequence[str]  # the reasons why cells have no pictures
    past: Past
    versions: Sequence[tuple[str, Sequence[str]]]  # each tool, and every version of it
    hashes: Sequence[Mapping[str, str]]  # one for each measured cell, all with equal keys

    @property
    def models(self) -> Sequence[str]:
        """The models of the suite, each once."""
        return list(dict.fromkeys(row.model for row in self.rows if row.model))

    @property
    def timed(self) -> bool:
        """Whether the latency of any cell was measured."""
        return any(row.image_ms is not None for row in self.rows)

    @property
    def gated(self) -> bool:
        """Whether the latency of any cell was judged against a baseline."""
        return any("latency" in row.changes for row in self.rows)

    @property
    def scored(self) -> bool:
        """Whether the accuracy of any cell was measured."""
        return any("map" in row.metrics for row in self.rows)

    @property
    def boxed(self) -> bool:
        """Whether any cell finds masks or key points, so that its boxes have a mAP besides."""
        return any("box_map" in row.metrics for row in self.rows)

    @property
    def gates(self) -> Sequence[str]:
        """The gates of the suite, as a suite file writes them."""
        return [declaration(gate) for gate in self.declared]


def sections(read: Recorded, folder: Path, history: Path | None) -> list[SuiteSection]:
    """A section for each suite of a results file; the indices of cells go on from suite to suite.

    `folder` is the folder that holds `detections/` and `datasets/`. `history` is the file of earlier runs, if there is
    one.
    """
    made: list[SuiteSection] = []
    for suite in read.suites:
        first = sum(len(section.rows) for section in made)
        cells = [result for result in read.cells if result.suite == suite["name"]]
        gates = read.gates[suite["name"]]
        galleries = pictures.galleries(cells, folder)
        made.append(
            SuiteSection(
                suite["name"],
                suite["file"],
                suite["threads"],
                images=scored_images(cells),
                results=cells,
                rows=chart_rows.rows_of_suite(cells, gates, first),
                declared=gates,
                findings=findings.findings(cells, gates, first),
                undecided=findings.undecided(cells),
                unavailable=findings.unavailable(cells),
                notes=findings.note_groups(cells),
                heat=heatmap.heat(cells, first),
                losses=losses(cells, galleries, first),
                unpictured=list(dict.fromkeys(gallery.missing for gallery in galleries if gallery.missing)),
                past=past.of_suite(history, cells, read.environment, first),
                versions=versions(cells),
                hashes=hashes(cells),
            )
        )
    return made


def losses(cells: Sequence[CellResult], galleries: Sequence[Gallery], first: int) -> list[Loss]:
    """The cells that were explained, and the cells that have pictures.

    `first` is the index of the suite's first cell among the cells of all suites.
    """
    pictured = {gallery.cell: gallery for gallery in galleries if not gallery.missing}
    found = []
    for index, result in enumerate(cells, first):
        explained = from_json(result.explanation) if result.explanation else None
        gallery = pictured.get(result.id)
        if explained or gallery:
            changed = tide.compared(explained.before, explained.after) if explained else None
            said = _said(result, explained)
            found.append(Loss(index, result.id, result.status, explained, said, changed, gallery))
    return found


def _said(result: CellResult, explained: Explanation | None) -> str:
    """Where the accuracy of a cell went, in one line, without the id of the cell before it."""
    if explained:
        said = explanation_line(explained).removeprefix(f"{explained.cell}: ")
        return said[:1].upper() + said[1:]
    return "" if pictures.failed(result) else FINE


def versions(cells: Sequence[CellResult]) -> list[tuple[str, Sequence[str]]]:
    """The tools that built and ran the cells, sorted by name, each with every version that a cell was made with."""
    found: dict[str, dict[str, None]] = {}
    for result in cells:
        for tool, version in (result.measured.provenance.get("versions", {}) if result.measured else {}).items():
            found.setdefault(tool, {})[str(version)] = None
    return [(tool, list(seen)) for tool, seen in sorted(found.items())]


def hashes(cells: Sequence[CellResult]) -> list[dict[str, str]]:
    """What traces the numbers of each measured cell to their inputs, by the titles of a table's columns."""
    return [_hashes(result) for result in cells if result.measured and result.measured.provenance]


def _hashes(result: CellResult) -> dict[str, str]:
    """What traces the numbers of one cell to their inputs."""
    assert result.measured
    traced = result.measured.provenance
    calibrated = traced.get("calibration") or {}
    names = {"weights": "weights", "dataset": "data", "recipe": "recipe", "detections": "detections"}
    return {
        "cell": result.id,
        **{shown: traced.get(name) or "" for name, shown in names.items()},
        "calibration": f"{calibrated.get('digest', '')} ({calibrated.get('images')} images)" if calibrated else "",
    }


def declaration(gate: Gate) -> str:
    """A gate as a suite file writes it."""
    said = [repr(gate.metric)]
    for one in dataclasses.fields(gate)[1:]:
        value = getattr(gate, one.name)
        if value != one.default and not (one.name == "against" and value == "limit"):
            said.append(f"{one.name}={list(value) if isinstance(value, tuple) else value!r}")
    return f"Gate({', '.join(said)})"
