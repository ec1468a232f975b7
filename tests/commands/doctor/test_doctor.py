"""`quantgate doctor` as a user sees it."""

from __future__ import annotations

import pytest

from harness.backends.registry import own_backends
from harness.commands.cli import main


@pytest.mark.parametrize("columns", [100, 200])
def test_doctor_tells_every_backend_the_machine_and_its_folders(capsys, monkeypatch, tmp_path, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("QUANTGATE_DATA", str(tmp_path))
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = {line.split()[0] for line in lines if line.strip()}
    assert starts >= set(own_backends()) - {"null"} | {"cpu", "isa", "devices", "QUANTGATE_DATA", "QUANTGATE_CACHE"}
    assert "null" not in starts
    assert max(map(len, lines)) <= columns


def test_doctor_says_which_folders_are_searched_and_what_lies_there(capsys, monkeypatch, tmp_path):
    (tmp_path / "model.pt").touch()
    (tmp_path / ".hidden").touch()
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("QUANTGATE_WEIGHTS", f"{tmp_path}:{tmp_path / 'absent'}")
    monkeypatch.delenv("QUANTGATE_DATA", raising=False)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert f"{tmp_path} (model.pt), {tmp_path / 'absent'} (no such folder)" in printed
    assert "not set; also --qg-data-dir" in printed
