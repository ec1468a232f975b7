"""The media of a run besides the terminal: files that an option asks for, and what a GitHub job shows.

To add a medium, write `harness/report/NAME.py` and give it a row of `MEDIA`. Its option comes from that row.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.files import write_text
from harness.core.status import Status
from harness.report.annotations import annotate
from harness.report.markdown import render_markdown
from harness.store.results import Recorded


@dataclass(frozen=True)
class Finished:
    """A run that has ended, as its media take it."""

    recorded: Recorded
    failing: Set[Status]  # the statuses that fail in this run
    folder: Path  # of the run, with its detections and data sets
    history: Path | None  # the file of earlier runs; None: this run keeps no history

    @functools.cached_property
    def markdown(self) -> str:
        """The results as Markdown, for the file and for the summary of a GitHub step."""
        return render_markdown(self.recorded, self.failing)


@dataclass(frozen=True)
class Medium:
    """A file that a run can write."""

    option: str  # of pytest, with the file as its value
    help: str  # what `pytest --help` says about the option
    render: Callable[[Finished], str]  # makes the text of the file


def _html(run: Finished) -> str:
    from harness.report.html import page  # templates and images take time to import

    return page.render_page(run.recorded, run.folder, run.history)


MEDIA = (
    Medium("--qg-html", "write the HTML report of this run to this file, which needs no other", _html),
    Medium(
        "--qg-markdown",
        "write the results as Markdown (in a GitHub job also into the step's summary)",
        lambda run: run.markdown,
    ),
)


def write_media(run: Finished, files: Mapping[str, Path]) -> None:
    """Write the media that `files` names by their options.

    Raises:
        ConfigError: one of the files cannot be written.
    """
    for medium in MEDIA:
        if medium.option in files:
            write_text(files[medium.option], medium.render(run), medium.option)


def summarize_step(run: Finished, variables: Mapping[str, str]) -> None:
    """Append the Markdown to the summary of a GitHub step. Outside a GitHub job this does nothing.

    `variables` are the environment variables of this process.

    Raises:
        ConfigError: the summary cannot be written.
    """
    if not (summary := variables.get("GITHUB_STEP_SUMMARY")):
        return
    try:
        with Path(summary).open("a") as steps:
            steps.write(f"{run.markdown}\n")
    except OSError as error:
        raise ConfigError(f"GITHUB_STEP_SUMMARY {summary} cannot be written: {error.strerror}") from None


def annotated(run: Finished, here: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """The lines that annotate the suites of a run in a GitHub job; none outside a GitHub job.

    `here` is the folder in which the run was started. `variables` are the environment variables of this process.
    """
    if variables.get("GITHUB_ACTIONS") == "true":
        top = variables.get("GITHUB_WORKSPACE") or here
        folder = Path(os.path.relpath(here, top)).as_posix()
        yield from annotate(run.recorded, run.failing, "" if folder == "." else folder)
