"""What the HTML report says of one suite, section by section, in the shape that its templates read."""

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
from harness.report.common import wording
from harness.report.html import chart_rows, findings, heatmap, pictures
from harness.report.html import history as past
from harness.report.html.chart_rows import ChartRow
from harness.report.html.findings import Finding, Group
from harness.report.html.heatmap import Heat
from harness.report.html.history import Past
from harness.report.html.pictures import Gallery
from harness.store.results import CellResult, Recorded

FINE = "no gate of accuracy failed; this cell agrees least with its fp32 sibling"


@dataclass(frozen=True)
class Loss:
    """Where the accuracy of a cell went, as far as the run has explained it or kept its detections."""

    index: int  # of the cell
    id: str
    status: Status
    explained: Explanation | None
    said: str  # the answer in one line
    changed: Errors | None  # kinds of error, the cell's less fp32's
    gallery: Gallery | None


@dataclass(frozen=True)
class SuiteSection:
    """One suite."""

    name: str
    file: str
    threads: int
    images: int
    results: Sequence[CellResult]
    rows: Sequence[ChartRow]  # one for each of `results`
    declared: Sequence[Gate]
    findings: Sequence[Finding]
    undecided: Sequence[Group]
    unavailable: Sequence[Group]
    notes: Sequence[Group]
    heat: Heat | None
    losses: Sequence[Loss]
    unpictured: Sequence[str]  # why cells have no pictures
    past: Past
    versions: Sequence[tuple[str, Sequence[str]]]
    hashes: Sequence[Mapping[str, str]]  # by cell; all with the same keys

    @property
    def models(self) -> Sequence[str]:
        return list(dict.fromkeys(row.model for row in self.rows if row.model))

    @property
    def timed(self) -> bool:
        return any(row.image_ms is not None for row in self.rows)

    @property
    def gated(self) -> bool:
        """Whether latency was judged against a baseline."""
        return any("latency" in row.changes for row in self.rows)

    @property
    def scored(self) -> bool:
        return any("map" in row.metrics for row in self.rows)

    @property
    def boxed(self) -> bool:
        """Whether mAP is that of masks or key points somewhere, so that boxes have one of their own."""
        return any("box_map" in row.metrics for row in self.rows)

    @property
    def gates(self) -> Sequence[str]:
        """As the suite file writes them."""
        return [declaration(gate) for gate in self.declared]


def sections(read: Recorded, folder: Path, history: Path | None) -> list[SuiteSection]:
    """Every suite of a results file; cells are counted through all of them."""
    made: list[SuiteSection] = []
    for suite in read.suites:
        first = sum(len(section.rows) for section in made)
        cells = [result for result in read.cells if result.suite == suite["name"]]
        gates = read.gates[suite["name"]]
        galleries = pictures.galleries(cells, folder)
        made.append(
            SuiteSection(
                suite["name"], suite["file"], suite["threads"], _images(cells), cells,
                chart_rows.rows_of_suite(cells, gates, first), gates, findings.findings(cells, gates, first),
                findings.undecided(cells), findings.unavailable(cells), findings.note_groups(cells),
                heatmap.heat(cells, first),
                losses(cells, galleries, first),
                list(dict.fromkeys(gallery.missing for gallery in galleries if gallery.missing)),
                past.of_suite(history, cells, read.environment, first), versions(cells), hashes(cells),
            )
        )  # fmt: skip
    return made


def _images(cells: Sequence[CellResult]) -> int:
    return next((m.provenance["images"] for r in cells if (m := r.measured) and "images" in m.provenance), 0)


def losses(cells: Sequence[CellResult], galleries: Sequence[Gallery], first: int) -> list[Loss]:
    """The cells that were explained, and those that have pictures."""
    pictured = {gallery.cell: gallery for gallery in galleries if not gallery.missing}
    found = []
    for index, result in enumerate(cells, first):
        explained = from_json(result.explanation) if result.explanation else None
        gallery = pictured.get(result.id)
        if explained or gallery:
            changed = tide.compared(explained.before, explained.after) if explained else None
            said = wording.explanation_line(explained).partition(": ")[2] if explained else ""
            said = said or ("" if pictures.failed(result) else FINE)
            found.append(
                Loss(index, result.id, result.status, explained, said[:1].upper() + said[1:], changed, gallery)
            )
    return found


def versions(cells: Sequence[CellResult]) -> list[tuple[str, Sequence[str]]]:
    """What built and ran the cells; more than one version where they differ."""
    found: dict[str, dict[str, None]] = {}
    for result in cells:
        for tool, version in (result.measured.provenance.get("versions", {}) if result.measured else {}).items():
            found.setdefault(tool, {})[str(version)] = None
    return [(tool, list(seen)) for tool, seen in sorted(found.items())]


def hashes(cells: Sequence[CellResult]) -> list[dict[str, str]]:
    return [_hashes(result) for result in cells if result.measured and result.measured.provenance]


def _hashes(result: CellResult) -> dict[str, str]:
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


def declaration(gate: Gate) -> str:
    """A gate as a suite file writes it."""
    said = [repr(gate.metric)]
    for one in dataclasses.fields(gate)[1:]:
        value = getattr(gate, one.name)
        if value != one.default and not (one.name == "against" and value == "limit"):
            said.append(f"{one.name}={list(value) if isinstance(value, tuple) else value!r}")
    return f"Gate({', '.join(said)})"
