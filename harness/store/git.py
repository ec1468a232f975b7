"""What git says about a folder: the commit that a run measured, and when files were committed; nothing without git."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Revision:
    """A commit, and whether tracked files differ from it."""

    commit: str
    dirty: bool

    def __str__(self) -> str:
        return self.commit[:7] + "-dirty" * self.dirty


def head(folder: Path) -> Revision | None:
    """The checked-out commit of the repository around `folder`; None without git, repository or commit."""
    commit = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Revision(commit.strip(), bool(changed)) if commit else None


def dates(folder: Path) -> dict[Path, str]:
    """Day of the last commit (2026-11-25) of every file below `folder` that git knows, as absolute paths."""
    log = _git(folder, "log", "--format=%x00%cs", "--name-only", "--relative", "--", ".")
    found: dict[Path, str] = {}
    for entry in (log or "").split("\0")[1:]:
        day, *names = entry.split("\n")
        for name in filter(None, names):
            found.setdefault((folder / name).resolve(), day)
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-c", "core.quotePath=off", "-C", str(folder), *arguments],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
