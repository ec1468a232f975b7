"""What git says, and that nothing is said where there is no git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.store import git as revision


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ä file.json").write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first", "--date=2026-01-02T00:00:00Z")
    return tmp_path


def test_the_commit_is_named_and_tracked_changes_make_it_dirty(repository: Path) -> None:
    found = revision.head(repository / "sub")
    assert found == revision.Revision(git(repository, "rev-parse", "HEAD").strip(), False)
    (repository / "new").write_text("")
    assert revision.head(repository) == found
    (repository / "sub" / "ä file.json").write_text("2")
    assert revision.head(repository) == revision.Revision(found.commit, True)


def test_a_file_has_the_day_of_its_last_commit(repository: Path) -> None:
    (repository / "sub" / "new").write_text("")
    day = git(repository, "log", "-1", "--format=%cs").strip()
    assert revision.dates(repository / "sub") == {repository.resolve() / "sub" / "ä file.json": day}


def test_without_git_repository_or_commit_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert revision.head(tmp_path) is None
    assert revision.dates(tmp_path) == {}
    git(tmp_path, "init", "-q")
    assert revision.head(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert revision.head(tmp_path) is None
