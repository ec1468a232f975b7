"""The committed baselines as a whole: every file, of every machine, and which of them no suite asks for any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core.measurement import Observation
from harness.core.suite import Suite
from harness.judge import latency
from harness.store import anchors, baselines, git
from harness.store.baselines import BaselineFile

NOT_COMMITTED = "not committed"


@dataclass(frozen=True)
class Entry:
    """One baseline file and what it holds."""

    file: BaselineFile
    accepted: Observation
    reason: str  # why it was accepted, empty where nobody said
    when: str  # day of its last occasion, else of its last commit
    anchor: str  # release whose anchor it is held against besides, and how far it has moved since


def entries(root: Path) -> list[Entry]:
    """All baselines below `root`, sorted; anchors are named by the latency that they are of.

    Raises:
        ConfigError: there is no such folder, or a file in it is damaged.
    """
    files = [file for file in baselines.baseline_files(root) if file.shelf != "anchor"]
    committed = git.dates(root)
    return [_entry(file, committed) for file in files]


def _entry(file: BaselineFile, committed: Mapping[Path, str]) -> Entry:
    accepted = baselines.load_baseline(file) or Observation()
    occasions = latency.gated(accepted).get("occasions", ())
    day = occasions[-1]["recorded"][:10] if occasions else committed.get(file.path.resolve(), NOT_COMMITTED)
    held = anchors.moved_since(file) if file.shelf == "latency" else ""
    return Entry(file, accepted, baselines.reason(file), day, held)


def unwanted(root: Path, suites: Iterable[Suite]) -> list[BaselineFile]:
    """Files, anchors too, of cells that these suites do not declare any more."""
    return [file for suite in suites for file in baselines.stale(root, suite.name, {cell.id for cell in suite.cells})]


def undeclared(root: Path, names: Collection[str]) -> list[BaselineFile]:
    """Files of suites whose name is none of `names`."""
    return [file for file in baselines.baseline_files(root) if file.suite not in names]
