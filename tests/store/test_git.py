"""What git says, and that nothing is said where there is no git."""

from __future__ import annotations

from pathlib import Path

import pytest
from repositories import run_git

from harness.core.errors import ConfigError, Unavailable
from harness.store import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run_git(tmp_path, "init", "-q")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ä file.json").write_text("1")
    run_git(tmp_path, "add", "-A")
    run_git(tmp_path, "commit", "-qm", "first", "--date=2026-01-02T00:00:00Z")
    return tmp_path


def test_the_commit_is_named_and_tracked_changes_make_it_dirty(repository: Path) -> None:
    found = git.head(repository / "sub")
    assert found == git.Revision(run_git(repository, "rev-parse", "HEAD"), False)
    (repository / "new").write_text("")
    assert git.head(repository) == found
    (repository / "sub" / "ä file.json").write_text("2")
    assert git.head(repository) == git.Revision(found.commit, True)


def test_a_revision_is_named_by_seven_digits_and_says_that_files_differ() -> None:
    commit = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
    assert [str(git.Revision(commit, dirty)) for dirty in (False, True)] == ["1a2b3c4", "1a2b3c4-dirty"]


def test_a_hook_that_has_started_us_does_not_say_where_we_are(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git.head(repository), git.dates(repository)
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", "elsewhere")
    assert (git.head(repository / "sub"), git.dates(repository)) == expected


def test_a_file_has_the_day_of_its_last_commit(repository: Path) -> None:
    (repository / "sub" / "new").write_text("")
    day = run_git(repository, "log", "-1", "--format=%cs")
    assert git.dates(repository / "sub") == {repository.resolve() / "sub" / "ä file.json": day}


def test_without_git_repository_or_commit_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git.head(tmp_path) is None
    assert git.dates(tmp_path) == {}
    run_git(tmp_path, "init", "-q")
    assert git.head(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git.head(tmp_path) is None


# A working tree of another revision


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository of two commits: `a.txt` says one, then two."""
    made = tmp_path / "repository"
    made.mkdir()
    run_git(made, "init", "-q", "-b", "main")
    for text in ("one", "two"):
        (made / "a.txt").write_text(text)
        run_git(made, "add", "-A")
        run_git(made, "commit", "-qm", text)
    return made


def test_a_revision_is_checked_out_and_goes_again(top: Path, tmp_path: Path) -> None:
    with git.worktree(top, git.commit(top, "main~1"), tmp_path / "tree") as tree:
        assert (tree / "a.txt").read_text() == "one"
        assert len(run_git(top, "worktree", "list").splitlines()) == 2
    assert not (tmp_path / "tree").exists()
    assert len(run_git(top, "worktree", "list").splitlines()) == 1


def test_it_goes_though_what_happens_in_it_fails_and_breaks_it(top: Path, tmp_path: Path) -> None:
    def broken() -> None:
        with git.worktree(top, "main", tmp_path / "tree") as tree:
            (tree / ".git").unlink()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert not (tmp_path / "tree").exists()
    assert len(run_git(top, "worktree", "list").splitlines()) == 1


def test_what_cannot_be_checked_out_is_no_fault_of_the_users(top: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tree = git.worktree(top, "main", tmp_path / "file" / "tree")
    with pytest.raises(Unavailable, match=r"main cannot be checked out into .*/file/tree"):
        tree.__enter__()


def test_no_hook_runs(top: Path, tmp_path: Path) -> None:
    hook = top / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with git.worktree(top, "main", tmp_path / "tree"):
        assert not (tmp_path / "ran").exists()


def test_a_git_that_calls_us_does_not_say_where(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert git.repository(top) == top
    assert git.commit(top, "HEAD") == git.commit(top, "main")


@pytest.mark.parametrize("revision", ["nowhere", "--help", "main:a.txt"])
def test_a_revision_that_is_no_commit_is_one_line(top: Path, revision: str) -> None:
    with pytest.raises(ConfigError, match=r"this repository has no such commit; fetch it \(in CI: fetch-depth: 0\)"):
        git.commit(top, revision)


def test_changed_files_are_told_by_pattern_and_the_working_tree_counts(top: Path) -> None:
    (top / "requirements-dev.txt").write_text("x\n")
    run_git(top, "add", "-A")
    assert git.changed(top, "main", "*requirements*.txt", "*.lock") == ["requirements-dev.txt"]
    assert git.changed(top, "main~1", "*.lock") == []
    assert git.changed(top, "main~1", "*.txt") == ["a.txt", "requirements-dev.txt"]
