"""Git repositories for tests: what git prints, and a folder that is committed as it stands."""

from __future__ import annotations

import subprocess
from pathlib import Path

IDENTITY = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def run_git(folder: Path, *words: str) -> str:
    """Run git in a folder, whoever the machine says we are; returns what it prints, stripped."""
    done = subprocess.run(["git", *IDENTITY, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def committed(folder: Path) -> str:
    """Make a folder a repository of one commit, with everything in it; returns the commit."""
    run_git(folder, "init", "-q")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-qm", "all")
    return run_git(folder, "rev-parse", "HEAD")
