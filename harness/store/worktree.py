"""A revision of a git repository: its commit, and a working tree of it for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import ConfigError, Unavailable

PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def repository(place: Path) -> Path:
    """The top of the repository that `place` lies in.

    Raises:
        ConfigError: it lies in none, or git is not installed.
    """
    return Path(_git(place, f"{place} is in no git repository", "rev-parse", "--show-toplevel"))


def commit(top: Path, revision: str) -> str:
    """The hash that a revision names.

    Raises:
        ConfigError: it names none here.
    """
    why = f"--base {revision}: this repository has no such commit; fetch it (in CI: fetch-depth: 0), or name another"
    return _git(top, why, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


@contextlib.contextmanager
def worktree(top: Path, revision: str, folder: Path) -> Iterator[Path]:
    """A checkout of `revision` in `folder`, which is new; it goes again whatever happens in between. No hook runs.

    Raises:
        Unavailable: it cannot be checked out; the disk may be full.
    """
    words = ("-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", "--force", str(folder), revision)
    try:
        try:
            _git(top, f"{revision} cannot be checked out into {folder}", *words)
        except ConfigError as error:
            raise Unavailable(str(error)) from None
        yield folder
    finally:
        for last in (("remove", "--force", "--force", str(folder)), ("prune",)):
            with contextlib.suppress(ConfigError):  # it may not have come into being
                _git(top, "", "worktree", *last)
            shutil.rmtree(folder, ignore_errors=True)


def changed(top: Path, revision: str, *patterns: str) -> list[str]:
    """Files that match a pattern and differ between `revision` and the working tree."""
    return _git(top, f"{revision} cannot be compared", "diff", "--name-only", revision, "--", *patterns).splitlines()


def _git(place: Path, problem: str, *arguments: str) -> str:
    """What git answers; a git that has called us, by a hook, must not say where."""
    variables = {name: value for name, value in os.environ.items() if name not in PLACES}
    try:
        done = subprocess.run(["git", "-C", str(place), *arguments], capture_output=True, text=True, env=variables)
    except FileNotFoundError:
        raise ConfigError("git is not installed") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ConfigError(f"{problem} ({said[-1]})" if said else problem)
    return done.stdout.strip()
