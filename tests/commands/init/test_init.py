"""`quantgate init`: what is written, what is left alone, and that pytest takes it as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from demoproject import Demo

from harness.commands.cli import main

SUITE, WORKFLOW = "suites/starter/test_starter.py", ".github/workflows/quantgate.yml"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_is_named_and_what_to_do_next_is_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[:4] == [
        f"{SUITE}: written", "baselines/README.md: written", f"{WORKFLOW}: written", ".gitignore: .quantgate/ added",
    ]  # fmt: skip
    assert re.findall(r"^  (pytest .*?)  ", printed, re.MULTILINE) == [
        "pytest suites -n auto --qg-baseline-update",
        "pytest suites -n auto --qg-require-baseline",
    ]
    assert "no git repository" not in printed


def test_nothing_is_overwritten_and_that_is_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / ".gitignore").write_text("build/")
    (repository / SUITE).parent.mkdir(parents=True)
    (repository / SUITE).write_text("# mine\n")
    main(["init"])
    assert f"{SUITE}: is there already, with other content; left as it is" in capsys.readouterr().out
    assert (repository / SUITE).read_text() == "# mine\n"
    assert (repository / ".gitignore").read_text() == "build/\n.quantgate/\n"
    before = {file: file.read_bytes() for file in repository.rglob("*") if file.is_file()}
    main(["init"])
    assert capsys.readouterr().out.count("left as it is") == 4
    assert {file: file.read_bytes() for file in repository.rglob("*") if file.is_file()} == before


def test_pytest_collects_the_suite(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.path)
    (demo.path / "test_demo.py").unlink()
    main(["init"])
    result = demo.run("--collect-only", "-q", "suites")
    assert f"{SUITE}::test_baselines[starter]" in result.outlines


def test_a_folder_elsewhere_without_git(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert f"Next, in {tmp_path / 'new'}:" in printed
    assert "this is no git repository yet" in printed
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file")]) == 2
    assert "is no folder" in capsys.readouterr().err
