"""pytest hooks: a module-level `Suite` becomes tests, workers publish records, the controller merges them.

What each hook is for and when pytest calls it: https://docs.pytest.org/en/stable/reference/reference.html#hooks
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.core.cell import Cell
from harness.core.errors import ConfigError, headline
from harness.core.suite import Suite
from harness.machine import fingerprint, noise
from harness.plugin import finish, options
from harness.plugin.items import BaselineTest, CellTest, declared_line
from harness.plugin.session import RunState, Selected
from harness.report import media
from harness.report.terminal import summary
from harness.store import results

STATE = pytest.StashKey[RunState]()
"""Where pytest's configuration keeps the state of the process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of quantgate."""
    options.add(parser)


@pytest.hookimpl(trylast=True)  # after pytest's own, which registers the terminal reporter
def pytest_configure(config: pytest.Config) -> None:
    """Make the state of the process. An xdist worker takes part in the run of its controller; any other begins one."""
    config.addinivalue_line("markers", "accuracy: quantgate's scored tests")
    config.addinivalue_line("markers", "latency: quantgate's timed tests")
    inherited = getattr(config, "workerinput", {}).get("quantgate_run")
    run = inherited or f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    config.stash[STATE] = options.state(config, run)
    config.pluginmanager.register(Reports(config.stash[STATE]))
    if not inherited:  # look before this run loads the machine itself; workers report nothing
        config.stash[STATE].stability = noise.warnings(cores=fingerprint.cores(), processors=fingerprint.processors())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the terminal back."""
    if state := config.stash.get(STATE, None):
        state.live.close()


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Where a quota leaves fewer cores than xdist sees, `-n auto` means so many; else xdist decides."""
    told = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    return fingerprint.cores() if fingerprint.cores() < fingerprint.processors() and not told else None


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
    """Show a mistake in a suite file as one line, not as the traceback of an import."""
    report = yield
    call = getattr(report, "call", None)
    error = call.excinfo.value if call and call.excinfo else None
    if isinstance(error, ConfigError):
        report.longrepr = f"{collector.nodeid}: {error}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Any:
    """Put timed tests last, when no heavy work is left, and long ones first, so that all workers end together.

    Sorted twice: before --sw takes away what ran earlier, and after plugins that shuffle.
    """
    _sort(items)
    returned = yield
    _sort(items)
    return returned


def _sort(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _order(item) if isinstance(item, CellTest) else (0, 0))


def _order(test: CellTest) -> tuple[int, int]:
    """The key to sort by. Eager PyTorch takes longest to run, static int8 takes longest to build."""
    cost = 0 if test.cell.backend == "torch" else 1 if test.cell.family == "int8" else 2
    return (2, 0) if test.phase == "latency" else (1, cost)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember the selected tests: heavy work and siblings of a timed one are among them."""
    cells = [item for item in session.items if isinstance(item, CellTest)]
    session.config.stash[STATE].selected = [
        Selected(item.suite, item.cell, item.phase, item.path.parent) for item in cells
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Publish the plan of every suite, so that a test that never finishes is still known.

    A process that only lists tests, fixtures or setups does not come here, or says that it calls no test.
    """
    if session.config.option.collectonly or session.config.getoption("setuponly", False):
        return
    state = session.config.stash[STATE]
    mine = [item for item in session.items if isinstance(item, CellTest | BaselineTest)]
    for name in dict.fromkeys(item.suite.name for item in mine):
        tests = [item for item in mine if item.suite.name == name]
        plan = _plan(state, tests, os.path.relpath(tests[0].path, session.config.invocation_params.dir))
        try:
            plan.publish(state.settings.run)
        except ConfigError:  # the folder cannot be written: every test will say so by itself
            return


def _plan(state: RunState, tests: Sequence[CellTest | BaselineTest], file: str) -> results.Plan:
    """The plan of a suite whose selected tests are `tests`. All workers of a run make the same one.

    Cells are missed where `test_baselines` is among the tests, which it is in a run of the whole suite. Against a base
    they always are: the base has run the same selection.
    """
    suite = tests[0].suite
    phases: dict[Cell, tuple[str, ...]] = {}
    for test in tests:
        if isinstance(test, CellTest):
            phases[test.cell] = (*phases.get(test.cell, ()), test.phase)
    complete = state.base or any(isinstance(test, BaselineTest) for test in tests)
    stale = state.stale(suite) if complete and not state.update else ()
    made = results.plan_of(suite, file, phases, stale, fingerprint.threads(suite.threads))
    accepted = f"the base {state.base.title} has" if state.base else made.accepted
    node = tests[0].nodeid.partition("::")[0]
    return replace(made, line=state.lines[suite.name], accepted=accepted, node=node)


class Reports:
    """The hook of pytest's reports, which alone is not told the configuration: an object knows the state instead."""

    def __init__(self, state: RunState) -> None:
        self._state = state

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember which tests have run and which have failed, as a test has that killed its xdist worker."""
        if report.when == "call" or report.failed:
            self._state.ended.add(report.nodeid)
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self._state.failed[report.nodeid] = headline(crash.message if crash else str(report.longrepr))


# The end of a run


@pytest.hookimpl(wrapper=True, trylast=True)  # within the terminal reporter's, which prints our summary
def pytest_sessionfinish(session: pytest.Session) -> Any:
    """Merge what was published, also after an interruption, and fail a run whose results could not be written.

    Merged twice: xdist waits up to ten seconds for its workers to end, and a second Ctrl-C may end that wait.
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
    """Whether this process is the one that reports, and the run has published something."""
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
