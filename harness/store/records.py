"""Measurements and verdicts as JSON: what workers publish and the controller merges, each file whole or absent."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from harness.core.cell import Cell, Qat
from harness.core.errors import ConfigError, Unavailable
from harness.core.measurement import Measurement
from harness.core.verdict import Verdict


def write_text(path: Path, text: str, option: str) -> None:
    """Replace `path` in one step. A full or read-only folder is one line; what was there before stays.

    Raises:
        ConfigError: the folder cannot be written; names the `option` that points elsewhere.
    """
    write_bytes(path, text.encode(), option)


def write_bytes(path: Path, content: bytes, option: str) -> None:
    """The same for bytes."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        os.replace(scratch, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; name another folder with {option}") from None
    finally:
        if scratch.exists():
            scratch.unlink()


def measurement_to_json(measured: Measurement) -> dict[str, Any]:
    return dataclasses.asdict(measured)


def measurement_from_json(data: dict[str, Any]) -> Measurement:
    failure = data.get("failure")
    cell = cell_from_json(data["cell"])
    return Measurement(**{**data, "cell": cell, "failure": tuple(failure) if failure else None})


def cell_from_json(data: dict[str, Any]) -> Cell:
    return Cell(**{**data, "qat": Qat(**data["qat"]) if data.get("qat") else None})


def verdict_from_json(data: dict[str, Any]) -> Verdict:
    interval = data.get("interval")
    return Verdict(**{**data, "interval": tuple(interval) if interval else None})


@dataclasses.dataclass(frozen=True)
class Record:
    """What one finished test says about its cell."""

    suite: str
    phase: str  # accuracy | latency
    measured: Measurement
    verdicts: tuple[Verdict, ...] = ()
    baseline: dict[str, float | None] | None = None  # the accepted metrics it was compared with
    explanation: dict[str, Any] | None = None  # where the accuracy went, as `explain.from_json` reads it

    @staticmethod
    def path(run: Path, suite: str, phase: str, cell: Cell) -> Path:
        return run / suite / f"{cell.id}.{phase}.record.json"

    def publish(self, run: Path) -> None:
        text = json.dumps(dataclasses.asdict(self))
        write_text(self.path(run, self.suite, self.phase, self.measured.cell), text, "--qg-results-dir")

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record at `path`, or None where its test has not finished."""
        if not path.exists():
            return None
        data = json.loads(path.read_text())
        measured = measurement_from_json(data["measured"])
        verdicts = tuple(map(verdict_from_json, data["verdicts"]))
        return cls(**{**data, "measured": measured, "verdicts": verdicts})


def failure(cell: Cell, error: BaseException) -> Measurement:
    """What a cell that could not be measured leaves behind."""
    return Measurement(cell, failure=("unavailable" if isinstance(error, Unavailable) else "error", str(error)))
