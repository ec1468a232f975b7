"""A revision's working tree: there while it is needed, gone afterwards, and nothing of the repository runs for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.core.errors import ConfigError, Unavailable
from harness.store import worktree


def git(place: Path, *words: str) -> str:
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    return subprocess.run(["git", *who, *words], cwd=place, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository of two commits: `a.txt` says one, then two."""
    made = tmp_path / "repository"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    for text in ("one", "two"):
        (made / "a.txt").write_text(text)
        git(made, "add", "-A")
        git(made, "commit", "-qm", text)
    return made


def test_a_revision_is_checked_out_and_goes_again(top: Path, tmp_path: Path) -> None:
    with worktree.worktree(top, worktree.commit(top, "main~1"), tmp_path / "tree") as tree:
        assert (tree / "a.txt").read_text() == "one"
        assert len(git(top, "worktree", "list").splitlines()) == 2
    assert not (tmp_path / "tree").exists()
    assert len(git(top, "worktree", "list").splitlines()) == 1


def test_it_goes_though_what_happens_in_it_fails_and_breaks_it(top: Path, tmp_path: Path) -> None:
    def broken() -> None:
        with worktree.worktree(top, "main", tmp_path / "tree") as tree:
            (tree / ".git").unlink()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert not (tmp_path / "tree").exists()
    assert len(git(top, "worktree", "list").splitlines()) == 1


def test_what_cannot_be_checked_out_is_no_fault_of_the_users(top: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tree = worktree.worktree(top, "main", tmp_path / "file" / "tree")
    with pytest.raises(Unavailable, match=r"main cannot be checked out into .*/file/tree"):
        tree.__enter__()


def test_no_hook_runs(top: Path, tmp_path: Path) -> None:
    hook = top / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with worktree.worktree(top, "main", tmp_path / "tree"):
        assert not (tmp_path / "ran").exists()


def test_a_git_that_calls_us_does_not_say_where(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert worktree.repository(top) == top
    assert worktree.commit(top, "HEAD") == worktree.commit(top, "main")


@pytest.mark.parametrize("revision", ["nowhere", "--help", "main:a.txt"])
def test_a_revision_that_is_no_commit_is_one_line(top: Path, revision: str) -> None:
    with pytest.raises(ConfigError, match=r"this repository has no such commit; fetch it \(in CI: fetch-depth: 0\)"):
        worktree.commit(top, revision)


def test_changed_files_are_told_by_pattern_and_the_working_tree_counts(top: Path) -> None:
    (top / "requirements-dev.txt").write_text("x\n")
    git(top, "add", "-A")
    assert worktree.changed(top, "main", "*requirements*.txt", "*.lock") == ["requirements-dev.txt"]
    assert worktree.changed(top, "main~1", "*.lock") == []
    assert worktree.changed(top, "main~1", "*.txt") == ["a.txt", "requirements-dev.txt"]
