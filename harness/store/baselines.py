"""Baselines: accepted measurements as canonical JSON in git, with sorted keys, one metric per line and no host name.

`<root>/<suite>/accuracy/<instruction set>/<cell>.json` and `<root>/<suite>/latency/<machine class>/<cell>.json`:
the baselines of several machines lie side by side, and a run reads the files of its own kind of machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from harness.core.errors import ConfigError
from harness.core.files import write_text
from harness.core.measurement import Baseline, Incomparable, Observation, upgraded
from harness.core.metrics import STORED, Phase
from harness.judge.accuracy import is_resampled
from harness.judge.latency import is_gated_sample

SCHEMA = 2  # 1 had one number for the size of the input
DIGITS = 9  # significant digits of a stored number; more than mAP over any data set has
COMPARABLE = ("dataset", "decoding", "operating_conf", "imgsz")
"""The provenance that must be equal for two accuracies to be comparable. Weights, recipe and versions may change:
whether the change made the accuracy worse is the question."""

Shelf = Literal["accuracy", "latency", "anchor"]
"""What a file holds: an accepted accuracy, an accepted latency, or the latency at a release."""


@dataclass(frozen=True, order=True)
class BaselineFile:
    """Where the baseline of a cell lies, whether the file exists or not."""

    root: Path
    suite: str
    shelf: Shelf
    kind: str  # of machine: an instruction set for accuracy, a machine class for latency and anchors
    cell: str  # id of the cell

    @property
    def path(self) -> Path:
        """`<root>/<suite>/<shelf>/<kind>/<cell>.json`."""
        return self.root / self.suite / self.shelf / self.kind / f"{self.cell}.json"

    @property
    def phase(self) -> Phase:
        """The phase that measured what the file holds; an anchor is a latency."""
        return "accuracy" if self.shelf == "accuracy" else "latency"


def baseline_files(root: Path, suite: str | None = None) -> list[BaselineFile]:
    """Every file below `root`, or every file of one suite, anchors among them, sorted by suite, shelf, kind and cell.

    Raises:
        ConfigError: there is no such folder.
    """
    if not root.is_dir():
        raise ConfigError(f"{root} is no folder of baselines; name it with --baselines")
    return sorted(
        BaselineFile(root, folder.name, shelf, kind.name, file.stem)
        for folder in (root.iterdir() if suite is None else [root / suite])
        for shelf in get_args(Shelf)
        for kind in (folder / shelf).glob("*")
        for file in kind.glob("*.json")
    )


def to_text(file: BaselineFile, accepted: Observation, reason: str = "") -> str:
    """The canonical text of a baseline file, with the reason why it was accepted where somebody gave one."""
    metrics = {name: accepted.metrics[name] for name in STORED[file.phase] if name in accepted.metrics}
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "suite": file.suite,
        "cell": file.cell,
        "metrics": {name: _rounded(value) for name, value in metrics.items()},
        "provenance": {key: accepted.provenance[key] for key in sorted(accepted.provenance)},
    }
    if reason:
        content["reason"] = reason
    if file.phase == "latency" and accepted.provenance.get("gated"):
        content["samples"] = {name: values for name, values in accepted.samples.items() if is_gated_sample(name)}
    if file.phase == "accuracy":
        content["per_class"] = {name: _rounded(value) for name, value in accepted.per_class.items()}
        content["samples"] = {name: values for name, values in accepted.samples.items() if is_resampled(name)}
    return canonical(content)


def canonical(content: dict[str, Any]) -> str:
    """JSON with sorted keys, one entry per line, and the numbers of a list on one line."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return re.sub(r"\[[-\d.,\s]+\]", lambda numbers: " ".join(numbers[0].split()), text)


def is_saved(file: BaselineFile, accepted: Observation, reason: str = "") -> bool:
    """Whether the file holds exactly the bytes that `save_baseline` would write."""
    return _holds(file, to_text(file, accepted, reason))


def save_baseline(file: BaselineFile, accepted: Observation, reason: str = "") -> bool:
    """Write a baseline in one step. Returns False where the file holds these bytes already, and leaves it alone.

    Raises:
        ConfigError: the folder cannot be written.
    """
    text = to_text(file, accepted, reason)
    if _holds(file, text):
        return False
    write_text(file.path, text, "--qg-baseline-dir")
    return True


def _holds(file: BaselineFile, text: str) -> bool:
    return file.path.exists() and file.path.read_bytes() == text.encode()


def load_baseline(file: BaselineFile) -> Observation | None:
    """What a baseline file holds; None where there is no such file.

    Raises:
        ConfigError: the file is truncated, of a newer schema, or of another cell.
    """
    return _read(file) if file.path.exists() else None


def reason(file: BaselineFile) -> str:
    """Why a baseline was accepted, as `quantgate baseline accept --reason` said; empty where nobody gave a reason."""
    try:
        return str(json.loads(file.path.read_text()).get("reason", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _read(file: BaselineFile) -> Observation:
    try:
        content = json.loads(file.path.read_text())
        schema = content["schema"]
        if schema not in range(1, SCHEMA + 1):
            raise ConfigError(
                f"baseline {file.path} has schema {schema}, this quantgate reads up to {SCHEMA}; upgrade quantgate"
            )
        owner, metrics, provenance = content["cell"], dict(content["metrics"]), upgraded(content["provenance"])
        if words := [name for name, value in metrics.items() if not isinstance(value, int | float | None)]:
            raise TypeError(f"{words[0]} is not a number")
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"baseline {file.path} is damaged ({type(error).__name__}: {error}); "
            f"restore it from git, or write it anew with --qg-baseline-update"
        ) from None
    if owner != file.cell:
        raise ConfigError(
            f"baseline {file.path} is of cell {owner}, not of {file.cell}; was the file renamed? restore it from git"
        )
    per_class, samples = content.get("per_class", {}), content.get("samples", {})
    return Observation(metrics=metrics, per_class=per_class, samples=samples, provenance=provenance)


def comparable(accepted: Observation | None, measured: Observation, phase: Phase) -> Baseline:
    """The baseline, or why it cannot be compared with the measurement: an entry of `COMPARABLE` differs.

    A latency is returned as it is: its references decide whether it may judge (`judge.latency.usable`).
    """
    if accepted is None or phase == "latency":
        return accepted
    for name in COMPARABLE:
        now = measured.provenance.get(name)
        then = accepted.provenance.get(name, now)  # where an older quantgate did not write it, it had no effect
        if then != now:
            return Incomparable(f"{name} differs: the baseline has {then}, this run {now}")
    return accepted


def stale(root: Path, suite: str, cells: set[str]) -> list[BaselineFile]:
    """Baseline files of a suite, of any kind of machine, anchors too, whose cell id is none of `cells`."""
    if not root.is_dir():
        return []
    return [file for file in baseline_files(root, suite) if file.cell not in cells]


def elsewhere(file: BaselineFile) -> list[str]:
    """The kinds of machine that have a baseline of the file's cell and phase, the file's own kind included."""
    shelf = file.path.parents[1]
    return sorted(found.parent.name for found in shelf.glob(f"*/{file.cell}.json"))


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.{DIGITS}g}")
