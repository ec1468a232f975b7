"""The commit that a run belongs to."""

from __future__ import annotations

import subprocess

from harness.revision import revision

ME = ["-c", "user.name=me", "-c", "user.email=me@example.org"]


def git(folder, *words: str) -> str:
    return subprocess.run(["git", *ME, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_commit_is_abbreviated_and_changed_files_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path) == ""
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "tag", "v1")
    commit = git(tmp_path, "rev-parse", "--short=7", "HEAD")
    assert revision(tmp_path) == commit
    (tmp_path / "file").write_text("2")
    assert revision(tmp_path) == f"{commit}-dirty"


def test_without_git_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(tmp_path) == ""
