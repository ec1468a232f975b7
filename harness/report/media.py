"""What a run writes for others than the terminal's reader: Markdown into files, annotations for GitHub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from harness.core.errors import ConfigError
from harness.core.status import Status
from harness.report import markdown
from harness.report.annotations import annotate
from harness.store.records import write_text
from harness.store.results import Recorded


def write(found: Recorded, failing: Set[Status], file: Path | None, variables: Mapping[str, str]) -> None:
    """Markdown into `file`, and at the end of the step's summary where `variables` are those of a GitHub job.

    Raises:
        ConfigError: one of them cannot be written.
    """
    summary = variables.get("GITHUB_STEP_SUMMARY")
    text = markdown.render(found, failing) if file or summary else ""
    if file:
        write_text(file, text, "--qg-markdown")
    if summary:
        try:
            with Path(summary).open("a") as steps:
                steps.write(f"{text}\n")
        except OSError as error:
            raise ConfigError(f"GITHUB_STEP_SUMMARY {summary} cannot be written: {error.strerror}") from None


def annotated(found: Recorded, failing: Set[Status], here: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """Lines that annotate the suites, in a GitHub job; `here` is where the run was started."""
    if variables.get("GITHUB_ACTIONS") == "true":
        top = variables.get("GITHUB_WORKSPACE") or here
        folder = Path(os.path.relpath(here, top)).as_posix()
        yield from annotate(found, failing, "" if folder == "." else folder)
