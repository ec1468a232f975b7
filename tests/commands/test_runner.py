"""The runner of commands: where it reads and writes, and how it says what it is doing."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from harness.commands import runner
from harness.core.processes import Progress


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (Progress(0, 0), "build"),  # how much there is to do is not known yet
        (Progress(0, 8), "build: 0 of 8"),
        (Progress(3, 8), "build: 3 of 8"),
        (None, ""),
    ],
)
def test_a_line_says_what_is_done_and_how_far_it_is(progress: Progress | None, said: str) -> None:
    assert runner.job_line("build", progress) == said


def test_it_reads_the_user_s_folders_and_leaves_nothing_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("QUANTGATE_WEIGHTS", f"{tmp_path / 'w'}:{tmp_path / 'v'}")
    monkeypatch.delenv("QUANTGATE_DATA", raising=False)
    with runner.opened(Console()) as place:
        settings = place.settings
        assert settings.run.is_dir()
    assert not settings.run.exists()
    assert settings.cache == tmp_path / "cache"
    assert (settings.weights, settings.data) == ((tmp_path / "w", tmp_path / "v"), ())
