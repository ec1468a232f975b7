"""`quantgate anchor`: what a user reads when anchors are set and shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import INT8
from gated import accept

from harness.commands.cli import main
from harness.machine import fingerprint
from harness.store.baselines import BaselineFile


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The baselines of one cell on this machine, of two occasions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    file = BaselineFile(tmp_path / "baselines", "made", "latency", fingerprint.machine_class(), INT8.id)
    accept(file, 2)
    return tmp_path


def test_a_release_is_set_for_every_cell_and_shown_with_what_has_moved_since(folder: Path, capsys) -> None:
    assert main(["anchor", "set", "v1.0"]) == 0
    assert capsys.readouterr().out == f"made/{INT8.id}: anchored at v1.0\n"
    assert main(["anchor", "show"]) == 0
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row == [f"made/{INT8.id}", "v1.0", "10", "+0.0%", "(network", "reference)"]


def test_a_release_needs_a_name(folder: Path, capsys) -> None:
    assert main(["anchor", "set"]) == 2
    assert capsys.readouterr().err == "quantgate: anchor set needs a name: quantgate anchor set v1.0\n"
    assert not (folder / "baselines" / "made" / "anchor").exists()


def test_another_folder_can_be_named_and_must_exist(folder: Path, capsys) -> None:
    assert main(["anchor", "set", "v1.0", "--baselines", "none"]) == 2
    assert "none is no folder of baselines" in capsys.readouterr().err
