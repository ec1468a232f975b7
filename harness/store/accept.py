"""What accepting a measurement does to its baseline file: first a plan that can be shown, then the writing.

A run accepts its own measurements so (`--qg-baseline-update`), and `quantgate baseline accept` those of a results.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.measurement import Measurement
from harness.core.metrics import TRACED, Phase
from harness.core.suite import Gate
from harness.judge import latency
from harness.measure.latency.references import NAMES
from harness.store import baselines
from harness.store.results import CellResult

PHASES: tuple[tuple[Phase, str], ...] = (("accuracy", "map"), ("latency", "latency_p50_ms"))
"""The phases, and the metric that a measured one has."""


@dataclass(frozen=True)
class Change:
    """One baseline file as it is and as it is to be."""

    root: Path
    suite: str
    phase: Phase
    kind: str  # of machine, the folder of the file
    old: Measurement | None
    new: Measurement
    reason: str  # why it is accepted, empty where nobody says
    happened: str  # to a gated latency, in words: "occasion 2, 10 processes"

    @property
    def file(self) -> Path:
        return baselines.path(self.root, self.suite, self.phase, self.new.cell, self.kind)

    @property
    def needed(self) -> bool:
        """Whether the file does not hold these bytes already."""
        text = baselines.to_text(self.new, self.suite, self.phase, self.reason)
        return not (self.file.exists() and self.file.read_text() == text)

    def write(self) -> bool:
        """Replace the file in one step; False where nothing is to be done."""
        return baselines.save(self.root, self.suite, self.phase, self.new, self.kind, self.reason)


def phases(result: CellResult) -> tuple[Phase, ...]:
    """What a run measured of a cell and a baseline may hold: nothing of a cell that failed."""
    if result.measured is None or result.measured.failure or result.status == "error":
        return ()
    return tuple(phase for phase, metric in PHASES if result.metric(metric) is not None)


def recorded(measured: Measurement, gates: Sequence[Gate]) -> bool:
    """Whether a latency can be held against later: where a gate judges it, that takes processes of both references.

    A run that judges has them of one reference, or of none; only --qg-baseline-update records all.
    """
    return not _rules(measured, gates) or all(f"log_ratio_{name}" in measured.samples for name in NAMES)


def plan(
    root: Path,
    suite: str,
    phase: Phase,
    measured: Measurement,
    gates: Sequence[Gate],
    kind: str = "",
    reason: str = "",
) -> Change:
    """What becomes of the file of one phase; a gated latency adds an occasion to those that are there.

    `measured` may hold both phases; `gates` are the suite's; `kind` is of the machine that measured, this one if empty.
    A reason stays as long as what it explains: the same numbers, or the same level of a latency.

    Raises:
        ConfigError: the file of a gated latency is damaged; others are written anew.
    """
    kind = kind or baselines.kind_key(phase)
    other: Phase = "latency" if phase == "accuracy" else "accuracy"
    traced = {key: value for key, value in measured.provenance.items() if key not in TRACED[other]}
    new, happened = replace(measured, provenance=traced), ""
    gated = phase == "latency" and bool(latency.gated(new))
    old = _stored(root, suite, phase, new, kind, strict=gated)
    if gated:
        new, happened = latency.extended(old, new, _rules(measured, gates)["latency"])
    unchanged = old is not None and baselines.to_text(old, suite, phase) == baselines.to_text(new, suite, phase)
    explained = baselines.reason(baselines.path(root, suite, phase, new.cell, kind))
    kept = explained if unchanged or _same_level(old, new) else ""
    return Change(root, suite, phase, kind, old, new, kept if unchanged else reason or kept, happened)


def _stored(root: Path, suite: str, phase: Phase, new: Measurement, kind: str, strict: bool) -> Measurement | None:
    try:
        return baselines.load(root, suite, phase, new.cell, kind)
    except ConfigError:
        if strict:
            raise
        return None


def _rules(measured: Measurement, gates: Sequence[Gate]) -> dict[str, float]:
    return latency.limits([gate for gate in gates if gate.against == "baseline" and gate.applies(measured.cell)])


def _same_level(old: Measurement | None, new: Measurement) -> bool:
    """Whether a gated latency goes on where the baseline was: they share an occasion."""
    before, after = (latency.gated(one).get("occasions", ()) for one in (old, new))
    return any(occasion in before for occasion in after)
