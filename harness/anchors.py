"""Anchors: latency baselines as they were at a release. Baselines may follow small changes; an anchor stays."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from harness import baselines, gating
from harness.errors import ConfigError
from harness.machine import machine_class
from harness.records import write_text
from harness.references import NAMES
from harness.report.terminal import NONE
from harness.types import Cell


def set_all(root: Path, release: str) -> Iterator[str]:
    """Copy this machine's gated latency baselines of every suite; says what was copied, and what is too young."""
    for file in _files(root, "latency"):
        measured = baselines.read(file, Cell(file.stem, "", "", ""))
        name = f"{file.parts[-4]}/{file.stem}"
        if not gating.gated(measured):
            continue
        if young := gating.immature(measured):
            yield f"{name}: not set, {young}"
            continue
        content = {**json.loads(file.read_text()), "release": release}
        target = root / file.parts[-4] / baselines.ANCHOR / machine_class() / file.name
        write_text(target, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "--baselines")
        yield f"{name}: anchored at {release}"


def table(root: Path) -> Table:
    """Every anchor with its release, and how far the accepted baseline has moved since."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("cell", "release", "processes", "baseline since"):
        drawn.add_column(name)
    for file in _files(root, baselines.ANCHOR):
        cell = Cell(file.stem, "", "", "")
        anchor = baselines.read(file, cell)
        now = root / file.parts[-4] / "latency" / machine_class() / file.name
        accepted = baselines.read(now, cell) if now.exists() else None
        processes = sum(one["processes"] for one in gating.gated(anchor)["occasions"])
        release = json.loads(file.read_text()).get("release", "")
        moved = NONE
        for name in NAMES:
            key = f"log_ratio_{name}"
            same = accepted and gating.gated(accepted).get("references", {}).get(name) == gating.gated(anchor)["references"][name]  # fmt: skip  # noqa: E501
            if accepted and same and moved == NONE:
                change = statistics.fmean(accepted.samples[key]) - statistics.fmean(anchor.samples[key])
                moved = f"{math.expm1(change):+.1%} ({name} reference)"
        drawn.add_row(f"{file.parts[-4]}/{file.stem}", release, str(processes), moved)
    return drawn


def _files(root: Path, phase: str) -> list[Path]:
    if not root.is_dir():
        raise ConfigError(f"{root} is no folder of baselines; name it with --baselines")
    return sorted(root.glob(f"*/{phase}/{machine_class()}/*.json"))
