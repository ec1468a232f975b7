"""What quantgate asks git: the commit that a run measured, the dates of files, a worktree of another revision."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ConfigError, Unavailable

PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""The variables by which git tells the processes that a hook starts where the hook's repository is."""


@dataclass(frozen=True)
class Revision:
    """A commit, and whether tracked files differ from it."""

    commit: str  # the whole hash
    dirty: bool

    def __str__(self) -> str:
        """The first seven digits, and `-dirty` where files differ: `1a2b3c4-dirty`."""
        short = self.commit[:7]
        return f"{short}-dirty" if self.dirty else short


def head(folder: Path) -> Revision | None:
    """The checked-out commit of the repository around `folder`; None without git, repository or commit."""
    commit = _output_or_none(folder, "rev-parse", "HEAD")
    differing = _output_or_none(folder, "status", "--porcelain", "--untracked-files=no")
    return Revision(commit.strip(), bool(differing)) if commit else None


def dates(folder: Path) -> dict[Path, str]:
    """Absolute path → day of the last commit, `2026-11-25`, of every file below `folder` that git knows.

    Empty without git or a repository.
    """
    log = _output_or_none(folder, "log", "--format=%x00%cs", "--name-only", "--relative", "--", ".")
    found: dict[Path, str] = {}
    for entry in (log or "").split("\0")[1:]:
        day, *names = entry.split("\n")
        for name in filter(None, names):
            found.setdefault((folder / name).resolve(), day)
    return found


def _output_or_none(folder: Path, *arguments: str) -> str | None:
    """The output of a git command in `folder`; None without git or a repository, or where the command fails.

    A run must not depend on git: the command takes no lock, and a failure says nothing.
    """
    try:
        done = _run(folder, "--no-optional-locks", "-c", "core.quotePath=off", *arguments, limit_s=30)
        done.check_returncode()
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def repository(place: Path) -> Path:
    """The top folder of the repository that `place` lies in.

    Raises:
        ConfigError: `place` lies in no repository, or git is not installed.
    """
    return Path(_output(place, f"{place} is in no git repository", "rev-parse", "--show-toplevel"))


def commit(top: Path, revision: str) -> str:
    """The hash of the commit that `revision` names in the repository at `top`.

    Raises:
        ConfigError: the repository has no such commit.
    """
    why = f"--base {revision}: this repository has no such commit; fetch it (in CI: fetch-depth: 0), or name another"
    return _output(top, why, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


@contextlib.contextmanager
def worktree(top: Path, revision: str, folder: Path) -> Iterator[Path]:
    """A checkout of `revision` in `folder`, which must not exist; removed at the end, whatever happens. No hook runs.

    Raises:
        Unavailable: the revision cannot be checked out; the disk may be full.
    """
    words = ("-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", "--force", str(folder), revision)
    try:
        try:
            _output(top, f"{revision} cannot be checked out into {folder}", *words)
        except ConfigError as error:
            raise Unavailable(str(error)) from None
        yield folder
    finally:
        for last in (("remove", "--force", "--force", str(folder)), ("prune",)):
            with contextlib.suppress(ConfigError):  # there may be no worktree to remove
                _output(top, "", "worktree", *last)
            shutil.rmtree(folder, ignore_errors=True)


def changed(top: Path, revision: str, *patterns: str) -> list[str]:
    """Files that match a pattern and differ between `revision` and the working tree, as paths relative to `top`.

    Raises:
        ConfigError: git cannot compare them.
    """
    return _output(top, f"{revision} cannot be compared", "diff", "--name-only", revision, "--", *patterns).splitlines()


def _output(place: Path, problem: str, *arguments: str) -> str:
    """The output of a git command in `place`, without white space at its ends.

    Raises:
        ConfigError: git is not installed, or the command fails; the message begins with `problem`.
    """
    try:
        done = _run(place, *arguments)
    except FileNotFoundError:
        raise ConfigError("git is not installed") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ConfigError(f"{problem} ({said[-1]})" if said else problem)
    return done.stdout.strip()


def _run(place: Path, *arguments: str, limit_s: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run git in `place`, without the variables by which a hook names its own repository (`PLACES`).

    Raises:
        OSError, TimeoutExpired: git is not installed, or takes longer than `limit_s` seconds.
    """
    variables = {name: value for name, value in os.environ.items() if name not in PLACES}
    command = ["git", "-C", str(place), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, env=variables)
