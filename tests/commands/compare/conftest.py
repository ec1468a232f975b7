"""Results and baselines to compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import MACHINE

from harness import Suite
from harness.commands.cli import main
from harness.machine import fingerprint
from harness.store.baselines import BaselineFile, save_baseline
from harness.store.gather import gather
from harness.store.records import Record
from harness.store.results import plan_of, results_to_json


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def results(tmp_path: Path) -> Callable[..., Path]:
    """Write a results folder: cells' metrics, gates of the suite."""

    def write(name, *measured, gates=()):
        folder = tmp_path / name
        suite = Suite("made", "coco8", [one.cell for one in measured], gates)
        plan_of(suite, "f.py", {one.cell: ("accuracy",) for one in measured}, (), 1).publish(folder)
        for one in measured:
            Record("made", "accuracy", one).publish(folder)
        (folder / "results.json").write_text(json.dumps(results_to_json(*gather(folder), MACHINE, "")))
        return folder

    return write


@pytest.fixture
def accepted(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder of baselines, by default of this machine's kind."""

    def write(name, *measured, kind=""):
        for one in measured:
            file = BaselineFile(tmp_path / name, "made", "accuracy", kind or fingerprint.isa(), one.cell.id)
            save_baseline(file, one)
        return tmp_path / name

    return write


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str], Path]:
    """Write a results folder whose results.json has this content; without content it has no such file."""

    def write(content: str) -> Path:
        folder = tmp_path / "broken"
        folder.mkdir()
        if content:
            (folder / "results.json").write_text(content)
        return folder

    return write


@pytest.fixture
def compared(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Exit code of `quantgate compare` and everything that it printed."""

    def run(a, b, *options):
        code = main(["compare", str(a), str(b), *options])
        out, err = capsys.readouterr()
        return code, out + err

    return run
