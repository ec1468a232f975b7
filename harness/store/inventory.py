"""The committed baselines as a whole: every file, of every machine, and which of them no suite asks for any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core.cell import Cell
from harness.core.errors import ConfigError
from harness.core.measurement import Measurement
from harness.core.suite import Suite
from harness.judge import latency
from harness.store import anchors, baselines, git

NOT_COMMITTED = "not committed"


@dataclass(frozen=True)
class Entry:
    """One baseline file."""

    suite: str
    cell: str
    phase: str  # accuracy | latency
    kind: str  # of machine
    file: Path
    measured: Measurement
    reason: str  # why it was accepted, empty where nobody said
    when: str  # day of its last occasion, else of its last commit
    anchor: str  # release whose anchor it is held against besides, and how far it has moved since


def entries(root: Path) -> list[Entry]:
    """All baselines below `root`, sorted.

    Raises:
        ConfigError: there is no such folder, or a file in it is damaged.
    """
    if not root.is_dir():
        raise ConfigError(f"{root} is no folder of baselines; name it with --baselines")
    committed = git.dates(root)
    return [
        _entry(root, file, committed) for file in sorted(root.glob("*/*/*/*.json")) if _phase(file) != baselines.ANCHOR
    ]


def _entry(root: Path, file: Path, committed: Mapping[Path, str]) -> Entry:
    suite, phase, kind, _ = file.parts[-4:]
    measured = baselines.read(file, Cell(file.stem, "", "", ""))
    occasions = latency.gated(measured).get("occasions", ())
    day = occasions[-1]["recorded"][:10] if occasions else committed.get(file.resolve(), NOT_COMMITTED)
    anchor = root / suite / baselines.ANCHOR / kind / file.name
    held = anchors.moved_since(anchor, measured) if phase == "latency" and anchor.exists() else ""
    return Entry(suite, file.stem, phase, kind, file, measured, baselines.reason(file), day, held)


def _phase(file: Path) -> str:
    return file.parts[-3]


def unwanted(root: Path, suites: Iterable[Suite]) -> list[Path]:
    """Files, anchors too, of cells that these suites do not declare any more."""
    return [path for suite in suites for path in baselines.stale(root, suite.name, {cell.id for cell in suite.cells})]


def undeclared(root: Path, names: Collection[str]) -> list[Path]:
    """Files of suites that are none of `names`."""
    return sorted(file for file in root.glob("*/*/*/*.json") if file.parts[-4] not in names)
