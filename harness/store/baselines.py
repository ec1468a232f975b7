"""Accepted measurements as canonical JSON in git: sorted keys, one metric a line, no date, no host name.

`<root>/<suite>/accuracy/<instruction set>/<cell>.json` and `<root>/<suite>/latency/<machine class>/<cell>.json`:
several machines' baselines lie side by side, and a run reads those of its own kind.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness.core.cell import Cell
from harness.core.errors import ConfigError
from harness.core.measurement import Measurement
from harness.core.metrics import STORED, Phase
from harness.judge.accuracy import is_resampled
from harness.judge.gates import Baseline, Incomparable
from harness.judge.latency import is_gated_sample
from harness.machine.fingerprint import isa, machine_class
from harness.store.records import write_text

SCHEMA = 1
DIGITS = 9  # significant digits; more than mAP over any data set has
COMPARABLE = ("dataset", "decoding", "operating_conf", "imgsz")
"""Provenance that must be equal for two accuracies to be comparable. Weights, recipe and versions may change: whether
that made it worse is the question."""


ANCHOR = "anchor"  # beside accuracy and latency: a frozen copy of the latter, one a release


def anchor_path(root: Path, suite: str, cell: Cell, kind: str = "") -> Path:
    return root / suite / ANCHOR / (kind or machine_class()) / f"{cell.id}.json"


def anchor(root: Path, suite: str, cell: Cell) -> Measurement | None:
    """What the last release is remembered by; None where no anchor was set."""
    file = anchor_path(root, suite, cell)
    return read(file, cell) if file.exists() else None


def kind_key(phase: Phase) -> str:
    """The folder of this machine's baselines."""
    return isa() if phase == "accuracy" else machine_class()


def path(root: Path, suite: str, phase: Phase, cell: Cell, kind: str = "") -> Path:
    """The file of a cell; `kind` is the key of another machine, this one's where it is empty."""
    return root / suite / phase / (kind or kind_key(phase)) / f"{cell.id}.json"


def to_text(measured: Measurement, suite: str, phase: Phase, reason: str = "") -> str:
    """Canonical text of a measurement, and why it was accepted, where somebody said so."""
    metrics = {name: measured.metrics[name] for name in STORED[phase] if name in measured.metrics}
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "suite": suite,
        "cell": measured.cell.id,
        "metrics": {name: _rounded(value) for name, value in metrics.items()},
        "provenance": {key: measured.provenance[key] for key in sorted(measured.provenance)},
    }
    if reason:
        content["reason"] = reason
    if phase == "latency" and measured.provenance.get("gated"):
        content["samples"] = {name: values for name, values in measured.samples.items() if is_gated_sample(name)}
    if phase == "accuracy":
        content["per_class"] = {name: _rounded(value) for name, value in measured.per_class.items()}
        content["samples"] = {name: values for name, values in measured.samples.items() if is_resampled(name)}
    return canonical(content)


def canonical(content: dict[str, Any]) -> str:
    """Sorted keys, one entry a line, the numbers of a list on one."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return re.sub(r"\[[-\d.,\s]+\]", lambda numbers: " ".join(numbers[0].split()), text)


def save(root: Path, suite: str, phase: Phase, measured: Measurement, kind: str = "", reason: str = "") -> bool:
    """Write the baseline of a cell; False where the file holds the same bytes already."""
    file, text = path(root, suite, phase, measured.cell, kind), to_text(measured, suite, phase, reason)
    if file.exists() and file.read_text() == text:
        return False
    write_text(file, text, "--qg-baseline-dir")
    return True


def load(root: Path, suite: str, phase: Phase, cell: Cell, kind: str = "") -> Measurement | None:
    """The accepted measurement of a cell on a kind of machine, this one's where it is empty; None where there is none.

    Raises:
        ConfigError: the file is truncated, of a newer schema, or of another cell.
    """
    file = path(root, suite, phase, cell, kind)
    return read(file, cell) if file.exists() else None


def reason(file: Path) -> str:
    """Why a baseline was accepted, as `quantgate baseline accept --reason` recorded it; empty where nobody said."""
    try:
        return str(json.loads(file.read_text()).get("reason", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def read(file: Path, cell: Cell) -> Measurement:
    try:
        content = json.loads(file.read_text())
        schema = content["schema"]
        if schema != SCHEMA:
            raise ConfigError(f"baseline {file} has schema {schema}, this quantgate reads {SCHEMA}; upgrade quantgate")
        owner, metrics, provenance = content["cell"], dict(content["metrics"]), dict(content["provenance"])
        if words := [name for name, value in metrics.items() if not isinstance(value, int | float | None)]:
            raise TypeError(f"{words[0]} is not a number")
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"baseline {file} is damaged ({type(error).__name__}: {error}); "
            f"restore it from git, or write it anew with --qg-baseline-update"
        ) from None
    if owner != cell.id:
        raise ConfigError(
            f"baseline {file} is of cell {owner}, not of {cell.id}; was the file renamed? restore it from git"
        )
    per_class, samples = content.get("per_class", {}), content.get("samples", {})
    return Measurement(cell, metrics, per_class, samples=samples, provenance=provenance)


def comparable(accepted: Measurement | None, measured: Measurement, phase: Phase) -> Baseline:
    """The baseline, or why it is one of something else."""
    if accepted is None or phase == "latency" or measured.failure:
        return accepted
    for name in COMPARABLE:
        now = measured.provenance.get(name)
        then = accepted.provenance.get(name, now)  # what an older quantgate did not write shaped nothing it wrote
        if then != now:
            return Incomparable(f"{name} differs: the baseline has {then}, this run {now}")
    return accepted


def stale(root: Path, suite: str, cells: set[str]) -> list[Path]:
    """Baseline files, of any machine, whose cell is not in the suite any more."""
    return sorted(file for file in (root / suite).glob("*/*/*.json") if file.stem not in cells)


def elsewhere(root: Path, suite: str, phase: Phase, cell: Cell) -> list[str]:
    """Other machine kinds that have a baseline of this cell: what to say where this one has none."""
    return sorted(file.parent.name for file in (root / suite / phase).glob(f"*/{cell.id}.json"))


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.{DIGITS}g}")
