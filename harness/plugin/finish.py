"""The end of a run, in the process that reports: merge what was published, accept, remember, report."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.core.files import write_text
from harness.machine.fingerprint import this_machine
from harness.plugin.session import RunState
from harness.report import media
from harness.report.outcome import Accepted, Outcome
from harness.store import accept, gather, git, history_db, results
from harness.store.baselines import BaselineFile

KEPT_RUNS = 10  # folders of earlier runs in the results folder
RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
"""The name of a run's folder: when the run began, and six random digits."""


def merge(state: RunState, invoked: pytest.Config.InvocationParams) -> None:
    """Read what the processes of the run have published, and write `results.json`.

    Sets the state's `plans`, `results`, `revision` and `found`. A file that cannot be read or written becomes the
    state's `problem`. Nothing is written where no test of a suite was run: the results of an earlier run stay.

    Args:
        state: the state of the process that reports.
        invoked: how pytest was started; suites are named relative to its folder.
    """
    with _problems_of(state):
        state.plans, state.results = gather.gather(state.settings.run, state.failed)
        if not _executed(state):
            state.plans, state.results = (), ()
            return
        state.revision = git.head((invoked.dir / state.plans[0].file).parent)
        content = results.results_to_json(
            state.plans, state.results, this_machine(), _command(state, invoked),
            gather.intervals(state.settings.run), state.stability, _run(state),
        )  # fmt: skip
        if state.base:
            content["environment"]["base"] = state.base.title
        text = json.dumps(content, indent=1) + "\n"
        for folder in (state.settings.run, _results_folder(state)):
            write_text(folder / "results.json", text, "--qg-results-dir")
        gates = {plan.suite: plan.gates for plan in state.plans}
        state.found = results.Recorded(
            state.results, content["suites"], gates, content["environment"], content["run"], state.stability
        )


def _executed(state: RunState) -> bool:
    """Whether a test of a suite has left a record, or has ended without one."""
    nodes = {plan.node for plan in state.plans}
    return any(state.settings.run.glob("*/*.record.json")) or any(
        test.partition("::")[0] in nodes for test in state.ended
    )


@contextlib.contextmanager
def _problems_of(state: RunState) -> Iterator[None]:
    """A ConfigError ends the block and becomes the state's `problem`; the last one counts."""
    try:
        yield
    except ConfigError as error:
        state.problem = str(error)


def _results_folder(state: RunState) -> Path:
    """The folder of `--qg-results-dir`; the run's own is `runs/<run>` below it."""
    return state.settings.run.parent.parent


def _command(state: RunState, invoked: pytest.Config.InvocationParams) -> str:
    """The command line that the user has typed: pytest's, or that of `quantgate gate`."""
    if state.base:
        return shlex.join([*state.base.command, *dict.fromkeys(plan.file for plan in state.plans)])
    return shlex.join(["pytest", *map(str, invoked.args)])


def _run(state: RunState) -> dict[str, Any]:
    """The entry `run` of a results.json, as `results.schema.json` describes it."""
    return {
        "id": state.settings.run.name,
        "started": state.started.isoformat(timespec="seconds"),
        "commit": state.revision and state.revision.commit,
        "dirty": state.revision and state.revision.dirty,
    }


def finish(state: RunState) -> None:
    """Accept, remember and report; then forget old runs, and set the state's `outcome` for the terminal.

    What cannot be written becomes the state's `problem` and keeps nothing else from being written. A run with a
    problem is not remembered. Of a run without results nothing is left.
    """
    if state.history and state.plans and not state.problem:
        _remember(state, state.history)
    if state.update and state.results:
        with _problems_of(state):
            _accept(state)
    if run := finished(state):
        with _problems_of(state):
            media.summarize_step(run, os.environ)
        with _problems_of(state):
            media.write_media(run, state.outputs)
    if not state.plans and not state.problem:
        shutil.rmtree(state.settings.run, ignore_errors=True)
    _forget(state.settings.run.parent)
    state.outcome = _outcome(state)


def finished(state: RunState) -> media.Finished | None:
    """The run in the form that its media take; None where it has no results."""
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
        results_file=_results_folder(state) / "results.json",
        accepted=state.accepted,
        problem=state.problem,
    )


def _accept(state: RunState) -> None:
    """Write the baselines of everything that was measured, and say in the state's `accepted` what became of them.

    Raises:
        ConfigError: a baseline cannot be written, or the baseline of a gated latency is damaged.
    """
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
    refused = [result.id for result in state.results if accept.unscored(result)]
    state.accepted = Accepted(state.baselines, sum(wrote), len(wrote) - sum(wrote), occasions, refused)


def _remember(state: RunState, history: Path) -> None:
    """Append the run to the history. Where that fails, the state's `forgotten` says why, and the verdicts stand."""
    try:
        history_db.add_file(history, state.settings.run / "results.json")
    except ConfigError as error:
        state.forgotten = str(error)


def _forget(runs: Path) -> None:
    """Delete the folders of all finished runs but the last `KEPT_RUNS`."""
    ended = [folder for folder in runs.iterdir() if RUN.fullmatch(folder.name) and (folder / "results.json").exists()]
    for folder in sorted(ended)[:-KEPT_RUNS]:
        shutil.rmtree(folder, ignore_errors=True)
