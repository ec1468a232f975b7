"""pytest hooks: a module-level `Suite` becomes tests, workers publish records, the controller merges them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.commands import suite_files
from harness.core.errors import ConfigError
from harness.core.suite import Suite
from harness.machine import fingerprint, stability
from harness.plugin import options
from harness.plugin.items import BaselineTest, CellTest
from harness.plugin.session import Session
from harness.report import media
from harness.report.terminal import summary
from harness.store import accept, git, history_db, results
from harness.store.records import write_text

KEPT_RUNS = 10  # folders of earlier runs in the results folder
RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")  # their names
SESSION = pytest.StashKey[Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


@pytest.hookimpl(trylast=True)  # after pytest's own, which registers the terminal reporter
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "accuracy: quantgate's scored tests")
    config.addinivalue_line("markers", "latency: quantgate's timed tests")
    inherited = getattr(config, "workerinput", {}).get("quantgate_run")
    run = inherited or f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    config.stash[SESSION] = options.session(config, run)
    if not inherited:  # before this run loads the machine itself; its workers report nothing
        config.stash[SESSION].stability = stability.warnings(cores=fingerprint.cores())


def pytest_unconfigure(config: pytest.Config) -> None:
    if state := config.stash.get(SESSION, None):
        state.live.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker which run it belongs to."""
    node.workerinput["quantgate_run"] = node.config.stash[SESSION].settings.run.name


# Collection


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> list[pytest.Item] | None:
    """A module-level Suite becomes `test_baselines`, and `test_accuracy` and `test_latency` of every cell."""
    if not isinstance(obj, Suite):
        return None
    session = collector.config.stash[SESSION]
    taken = session.suites.get(obj.name)
    if taken and taken != collector.path:
        raise collector.CollectError(f"two suites are named {obj.name!r}: {taken} and {collector.path}; rename one")
    if collector.path in [path for other, path in session.suites.items() if other != obj.name]:
        raise collector.CollectError(f"{collector.path} declares a second suite, {obj.name!r}; one suite a file")
    session.suites[obj.name] = collector.path
    session.lines[obj.name] = suite_files.line(collector.path, name)
    items: list[pytest.Item] = [BaselineTest.of(collector, obj, session)]
    for phase in ("accuracy", "latency"):
        items += [CellTest.of(collector, obj, cell, phase, session) for cell in obj.cells]
    return items


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    """A mistake in a suite file is one line, not the traceback of an import."""
    report = yield
    call = getattr(report, "call", None)
    error = call.excinfo.value if call and call.excinfo else None
    if isinstance(error, ConfigError):
        report.longrepr = f"{collector.nodeid}: {error}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Timed tests last: by then the machine has no heavy work left. Long ones first, so that workers end together."""
    items.sort(key=lambda item: _order(item) if isinstance(item, CellTest) else (0, 0))


def _order(test: CellTest) -> tuple[int, int]:
    """Eager PyTorch takes longest to run, static int8 to build."""
    cost = 0 if test.cell.backend == "torch" else 1 if test.cell.family == "int8" else 2
    return (2, 0) if test.phase == "latency" else (1, cost)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Publish the plan, so that what never finishes is still known; every worker writes the same."""
    state = session.config.stash[SESSION]
    mine = [item for item in session.items if isinstance(item, CellTest | BaselineTest)]
    state.selected = [item for item in mine if isinstance(item, CellTest)]
    if session.config.option.collectonly:
        return
    for name in dict.fromkeys(item.suite.name for item in mine):
        tests = [item for item in mine if item.suite.name == name]
        phases: dict[Any, tuple[str, ...]] = {}
        for test in tests:
            if isinstance(test, CellTest):
                phases[test.cell] = (*phases.get(test.cell, ()), test.phase)
        complete = state.base or any(isinstance(test, BaselineTest) for test in tests)
        stale = state.stale(tests[0].suite) if complete and not state.update else ()
        file = os.path.relpath(tests[0].path, session.config.invocation_params.dir)
        plan = replace(results.plan_of(tests[0].suite, file, phases, stale), line=state.lines[name])
        try:
            (replace(plan, accepted=f"the base {state.base.title} has") if state.base else plan).publish(
                state.settings.run
            )
        except ConfigError:  # every test will say so by itself
            return


# The end of a run


@pytest.hookimpl(wrapper=True, trylast=True)  # within the terminal reporter's, which prints our summary
def pytest_sessionfinish(session: pytest.Session) -> Any:
    """Merge what was published, also after an interruption.

    Twice: xdist waits up to ten seconds for its workers to end, and an impatient second signal may not let it.
    """
    ours = _controls(session.config)
    if ours:
        _merge(session)
    outcome = yield
    if ours:
        _merge(session)
        _finish(session)
    return outcome


def _controls(config: pytest.Config) -> bool:
    """Whether this process is the one that reports, and there is something to report."""
    return not hasattr(config, "workerinput") and config.stash[SESSION].settings.run.exists()


def _merge(session: pytest.Session) -> None:
    state = session.config.stash[SESSION]
    try:
        state.plans, state.results = results.gather(state.settings.run)
        if state.plans:
            invoked = session.config.invocation_params
            command = shlex.join(["pytest", *map(str, invoked.args)])
            if state.base:
                command = shlex.join([*state.base.command, *dict.fromkeys(plan.file for plan in state.plans)])
            known = git.head((invoked.dir / state.plans[0].file).parent)
            held = results.intervals(state.settings.run)
            content = results.to_json(state.plans, state.results, command, held, state.stability, _run(state, known))
            content["environment"] |= {"base": state.base.title} if state.base else {}
            text = json.dumps(content, indent=1) + "\n"
            for folder in (state.settings.run, state.settings.run.parent.parent):
                write_text(folder / "results.json", text, "--qg-results-dir")
            gates = {plan.suite: plan.gates for plan in state.plans}
            state.found = results.Recorded(
                state.results, content["suites"], gates, content["environment"], content["run"], state.stability
            )
    except ConfigError as error:
        _fail(session, str(error))


def _run(state: Session, known: git.Revision | None) -> dict[str, Any]:
    """What run it was; see `results.schema.json`."""
    return {
        "id": state.settings.run.name,
        "started": state.started.isoformat(timespec="seconds"),
        "commit": known and known.commit,
        "dirty": known and known.dirty,
    }


def _finish(session: pytest.Session) -> None:
    state = session.config.stash[SESSION]
    try:
        if state.update and state.results:
            state.updated = _update(state)
        if state.found:
            media.write(state.found, state.failing, state.markdown, os.environ)
    except ConfigError as error:
        _fail(session, str(error))
    if state.history and state.plans and not state.problem:
        try:
            history_db.add_file(state.history, state.settings.run / "results.json")
        except ConfigError as error:  # the verdicts stand without it
            state.forgotten = str(error)
    try:
        if state.html and state.plans:
            from harness.report.html import page  # templates and images take time to import

            page.write(state.settings.run, state.html, "--qg-html", state.history)
    except ConfigError as error:
        _fail(session, str(error))
    _forget(state.settings.run.parent)


def _fail(session: pytest.Session, problem: str) -> None:
    session.config.stash[SESSION].problem = problem
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _update(state: Session) -> dict[str, list[str]]:
    """Write the baselines of everything that was measured; returns the cells by what happened to their files."""
    changed: dict[str, list[str]] = {"written": [], "unchanged": []}
    gates = {plan.suite: plan.gates for plan in state.plans}
    for result in state.results:
        for phase in accept.phases(result):
            assert result.measured is not None
            change = accept.plan(state.baselines, result.suite, phase, result.measured, gates[result.suite])
            changed["written" if change.write() else "unchanged"].append(f"{result.id} ({phase})")
            if change.happened:
                state.recorded.setdefault(change.happened, []).append(result.id)
    return changed


def _forget(runs: Path) -> None:
    """Keep the folders of the last runs only."""
    finished = [
        folder for folder in runs.iterdir() if RUN.fullmatch(folder.name) and (folder / "results.json").exists()
    ]
    for folder in sorted(finished)[:-KEPT_RUNS]:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    state = config.stash[SESSION]
    if not state.results and not state.problem:
        return
    terminalreporter.section("quantgate")
    writer = terminalreporter._tw
    watched = terminalreporter.isatty
    width = writer.fullwidth if watched or "COLUMNS" in os.environ else summary.WIDTH
    terminalreporter.write(summary.summary(state, width, colour=writer.hasmarkup, folded=watched))
    if state.forgotten:
        terminalreporter.write_line(f"this run is not in the history: {state.forgotten}", yellow=True)
    if state.found:
        for line in media.annotated(state.found, state.failing, config.invocation_params.dir, os.environ):
            terminalreporter.write_line(line)
