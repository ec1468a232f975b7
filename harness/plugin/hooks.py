"""pytest hooks: a module-level `Suite` becomes tests, workers publish records, the controller merges them."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import replace
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.core.suite import Suite
from harness.machine import fingerprint, noise
from harness.plugin import finish, options
from harness.plugin.items import BaselineTest, CellTest, declared_line
from harness.plugin.session import RunState, Selected
from harness.report import media
from harness.report.terminal import summary
from harness.store import results

STATE = pytest.StashKey[RunState]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


@pytest.hookimpl(trylast=True)  # after pytest's own, which registers the terminal reporter
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "accuracy: quantgate's scored tests")
    config.addinivalue_line("markers", "latency: quantgate's timed tests")
    inherited = getattr(config, "workerinput", {}).get("quantgate_run")
    run = inherited or f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    config.stash[STATE] = options.state(config, run)
    if not inherited:  # before this run loads the machine itself; its workers report nothing
        config.stash[STATE].stability = noise.warnings(cores=fingerprint.cores())


def pytest_unconfigure(config: pytest.Config) -> None:
    if state := config.stash.get(STATE, None):
        state.live.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker which run it belongs to."""
    node.workerinput["quantgate_run"] = node.config.stash[STATE].settings.run.name


# Collection


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> list[pytest.Item] | None:
    """A module-level Suite becomes `test_baselines`, and `test_accuracy` and `test_latency` of every cell."""
    if not isinstance(obj, Suite):
        return None
    state = collector.config.stash[STATE]
    taken = state.suites.get(obj.name)
    if taken and taken != collector.path:
        raise collector.CollectError(f"two suites are named {obj.name!r}: {taken} and {collector.path}; rename one")
    if collector.path in [path for other, path in state.suites.items() if other != obj.name]:
        raise collector.CollectError(f"{collector.path} declares a second suite, {obj.name!r}; one suite a file")
    state.suites[obj.name] = collector.path
    state.lines[obj.name] = declared_line(collector.path, name)
    items: list[pytest.Item] = [BaselineTest.of(collector, obj, state)]
    for phase in ("accuracy", "latency"):
        items += [CellTest.of(collector, obj, cell, phase, state) for cell in obj.cells]
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
    state = session.config.stash[STATE]
    mine = [item for item in session.items if isinstance(item, CellTest | BaselineTest)]
    state.selected = [
        Selected(item.suite, item.cell, item.phase, item.path.parent) for item in mine if isinstance(item, CellTest)
    ]
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
        plan = replace(
            results.plan_of(tests[0].suite, file, phases, stale, fingerprint.threads(tests[0].suite.threads)),
            line=state.lines[name],
        )
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
    state = session.config.stash[STATE]
    ours = _controls(session.config)
    if ours:
        finish.merge(state, session.config.invocation_params)
    returned = yield
    if ours:
        finish.merge(state, session.config.invocation_params)
        finish.finish(state)
        if state.problem:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return returned


def _controls(config: pytest.Config) -> bool:
    """Whether this process is the one that reports, and there is something to report."""
    return not hasattr(config, "workerinput") and config.stash[STATE].settings.run.exists()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Draw the outcome under pytest's own output, and annotate the suites in a GitHub job."""
    state = config.stash[STATE]
    outcome = state.outcome
    if outcome is None or not (outcome.results or outcome.problem):
        return
    terminalreporter.section("quantgate")
    writer = terminalreporter._tw
    watched = terminalreporter.isatty
    width = writer.fullwidth if watched or "COLUMNS" in os.environ else summary.WIDTH
    terminalreporter.write(summary.summary(outcome, width, colour=writer.hasmarkup, folded=watched))
    if state.forgotten:
        terminalreporter.write_line(f"this run is not in the history: {state.forgotten}", yellow=True)
    if run := finish.finished(state):
        for line in media.annotated(run, config.invocation_params.dir, os.environ):
            terminalreporter.write_line(line)
