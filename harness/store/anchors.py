"""Anchors: latency baselines as they were at a release. Baselines may follow small changes; an anchor stays."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.files import write_text
from harness.core.measurement import Observation
from harness.core.processes import Identity
from harness.judge import latency
from harness.store import baselines
from harness.store.baselines import BaselineFile


@dataclass(frozen=True)
class Anchor:
    """The latency of a cell at a release."""

    name: str  # suite/cell
    release: str
    processes: int  # how many processes measured it, over all occasions
    moved: str  # how far the baseline has moved since: `+1.2% (network reference)`; empty where it cannot be told


def set_all(root: Path, kind: str, release: str) -> Iterator[str]:
    """Copy the gated latency baselines of one kind of machine to anchors, one whenever the caller asks for its line.

    Args:
        root: the folder of the baselines.
        kind: the machine class.
        release: the name of the release, as every anchor records it.

    Yields:
        A line per baseline: anchored, or too young to judge and therefore not copied.

    Raises:
        ConfigError: there is no folder `root`, a baseline is damaged, or an anchor cannot be written.
    """
    for file in _files(root, kind, "latency"):
        accepted, name = baselines.load_baseline(file), f"{file.suite}/{file.cell}"
        if accepted is None or not latency.gated(accepted):
            continue
        if young := latency.immature(accepted):
            yield f"{name}: not set, {young}"
            continue
        content = {**json.loads(file.path.read_text()), "release": release}
        write_text(anchor_of(file).path, baselines.canonical(content), "--baselines")
        yield f"{name}: anchored at {release}"


def anchor_of(file: BaselineFile) -> BaselineFile:
    """Where the anchor of a latency baseline lies, whether it exists or not."""
    return replace(file, shelf="anchor")


def listed(root: Path, kind: str) -> list[Anchor]:
    """Every anchor below `root` of one machine class, sorted by suite and cell.

    Raises:
        ConfigError: there is no folder `root`, or an anchor or its baseline is damaged.
    """
    found = []
    for file in _files(root, kind, "anchor"):
        anchor, accepted = baselines.load_baseline(file), baselines.load_baseline(replace(file, shelf="latency"))
        processes = latency.process_count(latency.gated(anchor)["occasions"])
        found.append(Anchor(f"{file.suite}/{file.cell}", _release(file), processes, _moved(accepted, anchor)))
    return found


def moved_since(file: BaselineFile, accepted: Observation) -> str:
    """The release of a baseline's anchor, and how far the baseline has moved since; empty without an anchor.

    `accepted` is what the baseline `file` holds.
    """
    anchor = baselines.load_baseline(anchor_of(file))
    return f"{_release(anchor_of(file))} {_moved(accepted, anchor)}" if anchor else ""


def _release(file: BaselineFile) -> str:
    return str(json.loads(file.path.read_text()).get("release", ""))


def _moved(accepted: Observation | None, anchor: Observation | None) -> str:
    """How far the baseline is from the anchor, by the first reference that both were measured with."""
    if accepted is None or anchor is None:
        return ""
    reference, _ = latency.usable(accepted, Identity("", latency.gated(anchor)["references"]))
    if not reference:
        return ""
    now, then = (statistics.fmean(side.samples[f"log_ratio_{reference}"]) for side in (accepted, anchor))
    return f"{math.expm1(now - then):+.1%} ({reference} reference)"


def _files(root: Path, kind: str, shelf: str) -> list[BaselineFile]:
    return [file for file in baselines.baseline_files(root) if (file.shelf, file.kind) == (shelf, kind)]
