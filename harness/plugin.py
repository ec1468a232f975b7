"""pytest hooks: a module-level `Suite` becomes tests, workers publish records, the controller merges them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from harness import baselines, results
from harness.errors import ConfigError
from harness.inputs import Settings
from harness.items import BaselineTest, CellTest, Session
from harness.records import Record, write_text
from harness.report import terminal
from harness.types import Suite

FOLDERS = (
    ("--qg-weights-dir", "append", "folder of checkpoints, repeatable (also QUANTGATE_WEIGHTS)"),
    ("--qg-data-dir", "append", "folder of data sets, repeatable (also QUANTGATE_DATA)"),
    ("--qg-dataset", "store", "score on this instead: a YOLO YAML, a COCO JSON, or a folder with one"),
    ("--qg-calibration", "store", "calibrate int8 on the images of this data set or folder"),
    ("--qg-cache-dir", "store", "artifact cache (also QUANTGATE_CACHE; default: the user's cache folder)"),
    ("--qg-results-dir", "store", "where results.json goes (default: .quantgate in pytest's root)"),
    ("--qg-baseline-dir", "store", "committed baselines (default: baselines in pytest's root)"),
)
SWITCHES = (
    ("--qg-baseline-update", "accept what this run measures as the baseline"),
    ("--qg-require-baseline", "fail where there is no comparable baseline"),
)
KEPT_RUNS = 10  # folders of earlier runs in the results folder
SESSION = pytest.StashKey[Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("quantgate", "quantgate: accuracy and latency gates of quantized detectors")
    for name, action, text in FOLDERS:
        group.addoption(name, action=action, metavar="PATH", help=text)
    for name, text in SWITCHES:
        group.addoption(name, action="store_true", help=text)
    group.addoption(
        "--qg-require-backends", metavar="A,B", default="", help="fail where one of these backends is unavailable"
    )
    group.addoption(
        "--qg-timeout", metavar="S", type=float, default=600.0, help="seconds without a sign of life that end a cell"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "accuracy: quantgate's scored tests")
    config.addinivalue_line("markers", "latency: quantgate's timed tests")
    folder = Path(config.rootpath, config.getoption("--qg-results-dir") or ".quantgate")
    inherited = getattr(config, "workerinput", {}).get("quantgate_run")
    run = inherited or f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    settings = Settings(
        run=folder / "runs" / run,
        cache=Path(_option(config, "--qg-cache-dir", "QUANTGATE_CACHE") or platformdirs.user_cache_dir("quantgate")),
        weights=_folders(config, "--qg-weights-dir", "QUANTGATE_WEIGHTS"),
        data=_folders(config, "--qg-data-dir", "QUANTGATE_DATA"),
        dataset=_path(config, "--qg-dataset"),
        calibration=_path(config, "--qg-calibration"),
        timeout_s=config.getoption("--qg-timeout"),
    )
    required = tuple(name for name in config.getoption("--qg-require-backends").split(",") if name)
    live = None if hasattr(config, "workerinput") else config.pluginmanager.getplugin("terminalreporter")
    config.stash[SESSION] = Session(
        settings,
        baselines=Path(config.rootpath, config.getoption("--qg-baseline-dir") or "baselines"),
        update=config.getoption("--qg-baseline-update"),
        require_baseline=config.getoption("--qg-require-baseline"),
        require_backends=required,
        options=_repeated(config),
        terminal=live,
    )


def _repeated(config: pytest.Config) -> tuple[str, ...]:
    """The options that the command which repeats a cell of this run needs too."""
    given = {name: config.getoption(name) for name, *_ in FOLDERS}
    given |= {name: config.getoption(name) for name in ("--qg-require-baseline", "--qg-require-backends")}
    words = []
    for name, value in given.items():
        values = value if isinstance(value, list) else [value] * bool(value)
        words += [name if one is True else f"{name}={one}" for one in values]
    return tuple(words)


def _option(config: pytest.Config, name: str, variable: str) -> Any:
    return config.getoption(name) or os.environ.get(variable)


def _folders(config: pytest.Config, name: str, variable: str) -> tuple[Path, ...]:
    named = [*(config.getoption(name) or ()), *filter(None, os.environ.get(variable, "").split(os.pathsep))]
    return tuple(Path(config.invocation_params.dir, folder) for folder in named)


def _path(config: pytest.Config, name: str) -> Path | None:
    value = config.getoption(name)
    return Path(config.invocation_params.dir, value).resolve() if value else None


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
    """Timed tests last: by then the machine has no heavy work left."""
    items.sort(key=lambda item: isinstance(item, CellTest) and item.phase == "latency")


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
        complete = any(isinstance(test, BaselineTest) for test in tests)
        stale = _stale(state, tests[0].suite) if complete and not state.update else ()
        file = os.path.relpath(tests[0].path, session.config.rootpath)
        try:
            results.plan_of(tests[0].suite, file, phases, stale).publish(state.settings.run)
        except ConfigError:  # every test will say so by itself
            return


def _stale(state: Session, suite: Suite) -> Sequence[str]:
    files = baselines.stale(state.baselines, suite.name, {cell.id for cell in suite.cells})
    return sorted({file.stem for file in files})


# The end of a run


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Merge what was published, also after an interruption; xdist has shut its workers down by now."""
    config = session.config
    state = config.stash[SESSION]
    if hasattr(config, "workerinput") or not state.settings.run.exists():
        return
    try:
        state.plans, state.results = results.gather(state.settings.run)
        if not state.plans:
            return
        command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
        text = json.dumps(results.to_json(state.plans, state.results, command), indent=1) + "\n"
        for folder in (state.settings.run, state.settings.run.parent.parent):
            write_text(folder / "results.json", text, "--qg-results-dir")
        if state.update:
            state.updated = _update(state)
    except ConfigError as error:
        state.problem = str(error)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    _forget(state.settings.run.parent)


def _update(state: Session) -> dict[str, list[str]]:
    """Write the baselines of everything that was measured; returns the cells by what happened to their files."""
    changed: dict[str, list[str]] = {"written": [], "unchanged": []}
    for result in state.results:
        if result.measured and not result.measured.failure and result.status != "error":
            phases: list[Any] = [
                phase
                for phase, name in (("accuracy", "map"), ("latency", "latency_p50_ms"))
                if result.metric(name) is not None
            ]
            for phase in phases:
                record = Record.read(Record.path(state.settings.run, result.suite, phase, result.measured.cell))
                assert record is not None
                new = baselines.save(state.baselines, result.suite, phase, record.measured)
                changed["written" if new else "unchanged"].append(f"{result.id} ({phase})")
    return changed


def _forget(runs: Path) -> None:
    """Keep the folders of the last runs only."""
    for folder in sorted(runs.iterdir())[:-KEPT_RUNS]:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    state = config.stash[SESSION]
    if not state.results and not state.problem:
        return
    terminalreporter.section("quantgate")
    writer = terminalreporter._tw
    width = writer.fullwidth if terminalreporter.isatty else max(writer.fullwidth, terminal.WIDTH)
    terminalreporter.write(terminal.summary(state, width, colour=writer.hasmarkup))
