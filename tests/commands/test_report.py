"""`quantgate report`: where the report is read from and written to."""

from __future__ import annotations

from pathlib import Path

import pytest
import reports

from harness.commands.cli import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with results in `.quantgate`."""
    reports.write(tmp_path / ".quantgate", [reports.result(reports.FP32)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("place", [".quantgate", ".quantgate/results.json"])
def test_a_results_json_and_the_folder_of_one_make_the_same_report(here: Path, capsys, place: str) -> None:
    assert main(["report", place]) == 0
    assert capsys.readouterr().out == "report.html\n"
    text = (here / "report.html").read_text()
    assert reports.FP32.id in text
    assert main(["report", ".quantgate", "-o", "new/folder/r.html"]) == 0
    assert (here / "new" / "folder" / "r.html").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "none is not a results.json"),
        ([".quantgate", "-o", ".quantgate"], "name another folder with -o"),
        ([".quantgate", "--history", ".quantgate/results.json"], "is not a database"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_line(here: Path, refused, arguments: list[str], said: str) -> None:
    assert said in refused("report", *arguments)
