"""The committed baselines as a whole: every file of every machine, and the files that no suite asks for any more."""

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
"""The day of a baseline that git does not know."""


@dataclass(frozen=True)
class Entry:
    """One baseline file and what it holds."""

    file: BaselineFile
    accepted: Observation
    reason: str  # why it was accepted; empty where nobody gave a reason
    when: str  # 2026-11-25: the day of its last occasion, or else of its last commit
    anchor: str  # `v1.0 +1.2% (network reference)`: the release of its anchor, its change since; empty: no anchor


def entries(root: Path) -> list[Entry]:
    """All accuracies and latencies below `root`, sorted; the entry of a latency tells of its anchor.

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
    anchor = anchors.moved_since(file, accepted) if file.shelf == "latency" else ""
    return Entry(file, accepted, baselines.reason(file), day, anchor)


def unwanted(root: Path, suites: Iterable[Suite]) -> list[BaselineFile]:
    """Files below `root`, anchors too, that belong to one of these suites and to no cell that it declares."""
    return [file for suite in suites for file in baselines.stale(root, suite.name, {cell.id for cell in suite.cells})]


def undeclared(root: Path, names: Collection[str]) -> list[BaselineFile]:
    """Files below `root`, anchors too, of suites whose name is none of `names`.

    Raises:
        ConfigError: there is no such folder.
    """
    return [file for file in baselines.baseline_files(root) if file.suite not in names]
