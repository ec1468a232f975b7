"""Which commit of the user's project a run belongs to."""

from __future__ import annotations

import subprocess
from pathlib import Path


def revision(folder: Path) -> str:
    """Abbreviated commit, with `-dirty` where files that git knows were changed; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
