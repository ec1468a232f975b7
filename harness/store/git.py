"""git: the commit that a run measured, the dates of files, and a working tree of another revision."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ConfigError, Unavailable


@dataclass(frozen=True)
class Revision:
    """A commit, and whether tracked files differ from it."""

    commit: str
    dirty: bool

    def __str__(self) -> str:
        return self.commit[:7] + "-dirty" * self.dirty


def head(folder: Path) -> Revision | None:
    """The checked-out commit of the repository around `folder`; None without git, repository or commit."""
    commit = _asked(folder, "rev-parse", "HEAD")
    changed = _asked(folder, "status", "--porcelain", "--untracked-files=no")
    return Revision(commit.strip(), bool(changed)) if commit else None


def dates(folder: Path) -> dict[Path, str]:
    """Day of the last commit (2026-11-25) of every file below `folder` that git knows, as absolute paths."""
    log = _asked(folder, "log", "--format=%x00%cs", "--name-only", "--relative", "--", ".")
    found: dict[Path, str] = {}
    for entry in (log or "").split("\0")[1:]:
        day, *names = entry.split("\n")
        for name in filter(None, names):
            found.setdefault((folder / name).resolve(), day)
    return found


def _asked(folder: Path, *arguments: str) -> str | None:
    """The output of a git command; None without git or a repository, or where the command fails."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-c", "core.quotePath=off", "-C", str(folder), *arguments],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def repository(place: Path) -> Path:
    """The top of the repository that `place` lies in.

    Raises:
        ConfigError: it lies in none, or git is not installed.
    """
    return Path(_told(place, f"{place} is in no git repository", "rev-parse", "--show-toplevel"))


def commit(top: Path, revision: str) -> str:
    """The hash that a revision names.

    Raises:
        ConfigError: it names none here.
    """
    why = f"--base {revision}: this repository has no such commit; fetch it (in CI: fetch-depth: 0), or name another"
    return _told(top, why, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


@contextlib.contextmanager
def worktree(top: Path, revision: str, folder: Path) -> Iterator[Path]:
    """A checkout of `revision` in `folder`, which is new; it goes again whatever happens in between. No hook runs.

    Raises:
        Unavailable: it cannot be checked out; the disk may be full.
    """
    words = ("-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", "--force", str(folder), revision)
    try:
        try:
            _told(top, f"{revision} cannot be checked out into {folder}", *words)
        except ConfigError as error:
            raise Unavailable(str(error)) from None
        yield folder
    finally:
        for last in (("remove", "--force", "--force", str(folder)), ("prune",)):
            with contextlib.suppress(ConfigError):  # it may not have come into being
                _told(top, "", "worktree", *last)
            shutil.rmtree(folder, ignore_errors=True)


def changed(top: Path, revision: str, *patterns: str) -> list[str]:
    """Files that match a pattern and differ between `revision` and the working tree."""
    return _told(top, f"{revision} cannot be compared", "diff", "--name-only", revision, "--", *patterns).splitlines()


def _told(place: Path, problem: str, *arguments: str) -> str:
    """The output of a git command. Where a hook of another git has started us, its variables are left out.

    Raises:
        ConfigError: git is not installed, or the command fails; the message begins with `problem`.
    """
    variables = {name: value for name, value in os.environ.items() if name not in PLACES}
    try:
        done = subprocess.run(["git", "-C", str(place), *arguments], capture_output=True, text=True, env=variables)
    except FileNotFoundError:
        raise ConfigError("git is not installed") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ConfigError(f"{problem} ({said[-1]})" if said else problem)
    return done.stdout.strip()
