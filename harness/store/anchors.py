"""Anchors: latency baselines as they were at a release. Baselines may follow small changes; an anchor stays."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from harness.core.cell import Cell
from harness.core.errors import ConfigError
from harness.core.measurement import Measurement
from harness.judge import latency
from harness.judge.latency import Identity
from harness.machine.fingerprint import machine_class
from harness.report.common.tables import NONE
from harness.store import baselines
from harness.store.records import write_text


def set_all(root: Path, release: str) -> Iterator[str]:
    """Copy this machine's gated latency baselines of every suite; says what was copied, and what is too young."""
    for file in _files(root, "latency"):
        suite, cell = file.parts[-4], Cell(file.stem, "", "", "")
        measured, name = baselines.read(file, cell), f"{suite}/{cell}"
        if not latency.gated(measured):
            continue
        if young := latency.immature(measured):
            yield f"{name}: not set, {young}"
            continue
        content = {**json.loads(file.read_text()), "release": release}
        write_text(baselines.anchor_path(root, suite, cell), baselines.canonical(content), "--baselines")
        yield f"{name}: anchored at {release}"


def table(root: Path) -> Table:
    """Every anchor with its release, and how far the accepted baseline has moved since."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("cell", "release", "processes", "baseline since"):
        drawn.add_column(name)
    for file in _files(root, baselines.ANCHOR):
        suite, cell = file.parts[-4], Cell(file.stem, "", "", "")
        anchor, accepted = baselines.read(file, cell), baselines.load(root, suite, "latency", cell)
        processes = sum(one["processes"] for one in latency.gated(anchor)["occasions"])
        release = json.loads(file.read_text()).get("release", "")
        drawn.add_row(f"{suite}/{cell}", release, str(processes), _moved(accepted, anchor))
    return drawn


def moved_since(file: Path, accepted: Measurement) -> str:
    """The release of an anchor file, and how far a baseline has moved since: `v1.0 +1.2% (network reference)`."""
    anchor = baselines.read(file, accepted.cell)
    return f"{json.loads(file.read_text()).get('release', '')} {_moved(accepted, anchor)}"


def _moved(accepted: Measurement | None, anchor: Measurement) -> str:
    """How far the baseline is from the anchor, by the reference that both share."""
    reference, _ = latency.usable(accepted, Identity("", latency.gated(anchor)["references"]))
    if accepted is None or not reference:
        return NONE
    now, then = (statistics.fmean(side.samples[f"log_ratio_{reference}"]) for side in (accepted, anchor))
    return f"{math.expm1(now - then):+.1%} ({reference} reference)"


def _files(root: Path, phase: str) -> list[Path]:
    if not root.is_dir():
        raise ConfigError(f"{root} is no folder of baselines; name it with --baselines")
    return sorted(root.glob(f"*/{phase}/{machine_class()}/*.json"))
