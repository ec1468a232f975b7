"""The end of a run, in the process that reports: merge what was published, accept, remember, report."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.core.files import write_text
from harness.machine.fingerprint import this_machine
from harness.plugin.session import RunState
from harness.report import media
from harness.report.outcome import Accepted, Outcome
from harness.store import accept, git, history_db, results
from harness.store.baselines import BaselineFile

KEPT_RUNS = 10  # folders of earlier runs in the results folder
RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
"""What the folder of a run is named: its start and six random digits."""


def merge(state: RunState, invoked: pytest.Config.InvocationParams) -> None:
    """Read what the processes of the run have published, and write `results.json`.

    A file that cannot be read or written becomes the state's `problem`.
    """
    try:
        state.plans, state.results = results.gather(state.settings.run)
        if not state.plans:
            return
        command = shlex.join(["pytest", *map(str, invoked.args)])
        if state.base:
            command = shlex.join([*state.base.command, *dict.fromkeys(plan.file for plan in state.plans)])
        state.revision = git.head((invoked.dir / state.plans[0].file).parent)
        held = results.intervals(state.settings.run)
        content = results.results_to_json(
            state.plans, state.results, this_machine(), command, held, state.stability, _run(state)
        )
        content["environment"] |= {"base": state.base.title} if state.base else {}
        text = json.dumps(content, indent=1) + "\n"
        for folder in (state.settings.run, state.settings.run.parent.parent):
            write_text(folder / "results.json", text, "--qg-results-dir")
        gates = {plan.suite: plan.gates for plan in state.plans}
        state.found = results.Recorded(
            state.results, content["suites"], gates, content["environment"], content["run"], state.stability
        )
    except ConfigError as error:
        state.problem = str(error)


def _run(state: RunState) -> dict[str, Any]:
    """The entry `run` of a results.json; see `results.schema.json`."""
    return {
        "id": state.settings.run.name,
        "started": state.started.isoformat(timespec="seconds"),
        "commit": state.revision and state.revision.commit,
        "dirty": state.revision and state.revision.dirty,
    }


def finish(state: RunState) -> None:
    """Accept, remember and report. What cannot be written becomes the state's `problem` and costs nothing else."""
    tries: list[Callable[[], None]] = []
    if state.update and state.results:
        tries.append(lambda: _accept(state))
    if state.history and state.plans and not state.problem:
        _remember(state, state.history)
    if run := finished(state):
        tries += [lambda: media.summarize_step(run, os.environ), lambda: media.write_media(run, state.outputs)]
    for attempt in tries:
        try:
            attempt()
        except ConfigError as error:
            state.problem = str(error)
    _forget(state.settings.run.parent)
    state.outcome = _outcome(state)


def finished(state: RunState) -> media.Finished | None:
    """The run as its media take it; None where it has no results."""
    return media.Finished(state.found, state.failing, state.settings.run, state.history) if state.found else None


def _outcome(state: RunState) -> Outcome:
    return Outcome(
        state.plans,
        state.results,
        state.view,
        this_machine(),
        commit=str(state.revision or ""),
        failing=state.failing,
        stability=state.stability,
        again=state.again,
        results_file=state.settings.run.parent.parent / "results.json",
        accepted=state.accepted,
        problem=state.problem,
    )


def _accept(state: RunState) -> None:
    """Write the baselines of everything that was measured."""
    gates = {plan.suite: plan.gates for plan in state.plans}
    wrote: list[bool] = []
    occasions: dict[str, list[str]] = {}
    for result in state.results:
        for phase in accept.phases(result):
            assert result.measured and result.measured.machine
            kind = result.measured.machine.kind(phase)
            file = BaselineFile(state.baselines, result.suite, phase, kind, result.id)
            change = accept.plan_change(file, result.measured, gates[result.suite])
            wrote.append(change.write())
            if change.happened:
                occasions.setdefault(change.happened, []).append(result.id)
    state.accepted = Accepted(state.baselines, sum(wrote), len(wrote) - sum(wrote), occasions)


def _remember(state: RunState, history: Path) -> None:
    try:
        history_db.add_file(history, state.settings.run / "results.json")
    except ConfigError as error:  # the verdicts stand without it
        state.forgotten = str(error)


def _forget(runs: Path) -> None:
    """Keep the folders of the last runs only."""
    ended = [folder for folder in runs.iterdir() if RUN.fullmatch(folder.name) and (folder / "results.json").exists()]
    for folder in sorted(ended)[:-KEPT_RUNS]:
        shutil.rmtree(folder, ignore_errors=True)
