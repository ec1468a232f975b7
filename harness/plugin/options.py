"""The options of the plugin: their names, what they mean, and the state of a process that they make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.backends.registry import backend_names
from harness.core.errors import ConfigError, nearest
from harness.inputs.finder import Settings
from harness.inputs.sources import cache_folder
from harness.plugin.session import RunState
from harness.report.common.view import View
from harness.report.media import MEDIA
from harness.report.terminal.progress import Live
from harness.store import history_db
from harness.store.base_revision import Base

FOLDERS = (
    ("--qg-weights-dir", "append", "folder of checkpoints, repeatable (also QUANTGATE_WEIGHTS)"),
    ("--qg-data-dir", "append", "folder of data sets, repeatable (also QUANTGATE_DATA)"),
    ("--qg-dataset", "store", "score on this instead: a YOLO YAML, a COCO JSON, or a folder with one"),
    ("--qg-calibration", "store", "calibrate int8 on the images of this data set or folder"),
    ("--qg-cache-dir", "store", "artifact cache (also QUANTGATE_CACHE; default: the user's cache folder)"),
    ("--qg-results-dir", "store", "where results.json goes (default: .quantgate beside pytest's configuration)"),
    ("--qg-baseline-dir", "store", "committed baselines (default: baselines beside it)"),
)
BASE = "--qg-base"
SWITCHES = (
    ("--qg-baseline-update", "accept what this run measures as the baseline"),
    ("--qg-fresh", "score again what an earlier run has scored of the same artifact, data and runtime"),
    ("--qg-explain", "say of every cell that an accuracy gate fails where the accuracy went"),
    ("--qg-require-baseline", "fail where there is no comparable baseline"),
)


def add(parser: pytest.Parser) -> None:
    """All carry the prefix --qg-, since other plugins own the plain names."""
    group = parser.getgroup("quantgate", "quantgate: accuracy and latency gates of quantized detectors")
    for name, action, text in FOLDERS:
        group.addoption(name, action=action, metavar="PATH", help=text)
    for medium in MEDIA:
        group.addoption(medium.option, metavar="FILE", help=medium.help)
    group.addoption(BASE, metavar="FILE", help="hold the run against the base that `quantgate gate` has measured")
    for name, text in SWITCHES:
        group.addoption(name, action="store_true", help=text)
    group.addoption(
        "--qg-require-backends", metavar="A,B", default="", help="fail where one of these backends is not installed"
    )
    group.addoption(
        "--qg-history",
        metavar="PATH",
        help="append this run to that file, or `off` (default: history.db with the results)",
    )
    group.addoption(
        "--qg-inconclusive", choices=("pass", "fail"), default="pass",
        help="what a verdict that the data cannot decide does to its test (default: pass, with a loud line)",
    )  # fmt: skip
    group.addoption(
        "--qg-sort", metavar="ORDER", default="status",
        help="of the table: status (worst first, the default), cell (as declared) or a metric, the best first",
    )  # fmt: skip
    group.addoption(
        "--qg-show", metavar="A,B", default="",
        help="cells of the table: a status, a part of a cell's id, or a pattern of it (default: all)",
    )  # fmt: skip
    group.addoption(
        "--qg-timeout", metavar="S", type=float, default=600.0, help="seconds without a sign of life that end a cell"
    )


def state(config: pytest.Config, run: str) -> RunState:
    """The state of this pytest process.

    Raises:
        pytest.UsageError: options that make no sense, alone or together.
    """
    settings = Settings(
        run=_place(config, "--qg-results-dir", ".quantgate") / "runs" / run,
        cache=_cache(config),
        weights=_folders(config, "--qg-weights-dir", "QUANTGATE_WEIGHTS"),
        data=_folders(config, "--qg-data-dir", "QUANTGATE_DATA"),
        dataset=_named(config, "--qg-dataset"),
        calibration=_named(config, "--qg-calibration"),
        timeout_s=config.getoption("--qg-timeout"),
        fresh=config.getoption("--qg-fresh"),
    )
    _check(config, settings)
    base = _base(config)
    terminal = None if hasattr(config, "workerinput") else config.pluginmanager.getplugin("terminalreporter")
    return RunState(
        settings,
        baselines=_place(config, "--qg-baseline-dir", "baselines"),
        update=config.getoption("--qg-baseline-update"),
        require_baseline=config.getoption("--qg-require-baseline"),
        explain=config.getoption("--qg-explain"),
        inconclusive_fails=config.getoption("--qg-inconclusive") == "fail",
        require_backends=_required(config),
        again=base.command if base else ("pytest", *_repeated(config)),
        view=_view(config),
        live=Live(terminal),
        outputs={medium.option: file for medium in MEDIA if (file := _named(config, medium.option))},
        history=_history(config),
        base=base,
    )


def _view(config: pytest.Config) -> View:
    try:
        return View(config.getoption("--qg-sort"), config.getoption("--qg-show"), config.getoption("verbose", 0))
    except ConfigError as error:
        raise pytest.UsageError(f"--qg-sort: {error}") from None


def _check(config: pytest.Config, settings: Settings) -> None:
    for name in _required(config):
        if name not in (known := _backends()):
            raise pytest.UsageError(f"--qg-require-backends: unknown backend {name!r}; {nearest(name, known)}")
    if settings.timeout_s <= 0:
        raise pytest.UsageError(f"--qg-timeout: {settings.timeout_s:g} is not a number of seconds above 0")
    update = config.getoption("--qg-baseline-update")
    if settings.dataset and update and not config.getoption("--qg-baseline-dir"):
        raise pytest.UsageError(
            "--qg-baseline-update with --qg-dataset would replace the suite's baselines by those of other data; "
            "name a folder of their own with --qg-baseline-dir"
        )


def _base(config: pytest.Config) -> Base | None:
    file = _named(config, BASE)
    if file and config.getoption("--qg-baseline-update"):
        raise pytest.UsageError(f"{BASE} holds the run against a commit; --qg-baseline-update accepts a run of its own")
    try:
        return Base.read(file) if file else None
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


def _backends() -> tuple[str, ...]:
    try:
        return backend_names()
    except ConfigError as error:  # another package's
        raise pytest.UsageError(str(error)) from None


def _required(config: pytest.Config) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, config.getoption("--qg-require-backends").split(","))))


def _repeated(config: pytest.Config) -> tuple[str, ...]:
    """The options that the command which repeats a cell of this run needs too, as absolute paths."""
    words = []
    for name, *_ in FOLDERS:
        value = config.getoption(name)
        values = value if isinstance(value, list) else [value] * bool(value)
        words += [f"{name}={_absolute(config, one)}" for one in values]
    words += ["--qg-require-baseline"] * config.getoption("--qg-require-baseline")
    words += ["--qg-inconclusive=fail"] * (config.getoption("--qg-inconclusive") == "fail")
    words += [f"--qg-require-backends={','.join(_required(config))}"] * bool(_required(config))
    return tuple(words)


def _absolute(config: pytest.Config, named: str | Path) -> Path:
    """What the user named, seen from where the user is."""
    return Path(os.path.abspath(config.invocation_params.dir / Path(named).expanduser()))


def _named(config: pytest.Config, name: str) -> Path | None:
    value = config.getoption(name)
    return _absolute(config, value) if value else None


def _place(config: pytest.Config, name: str, default: str) -> Path:
    """A folder that belongs to the project where the user names no other.

    Not in `config.rootpath`: without a configuration file pytest derives that from all arguments that are paths, the
    values of our own options among them.
    """
    project = config.inipath.parent if config.inipath else config.invocation_params.dir
    return _named(config, name) or project / default


def _history(config: pytest.Config) -> Path | None:
    if config.getoption("--qg-history") == "off":
        return None
    return _named(config, "--qg-history") or _place(config, "--qg-results-dir", ".quantgate") / history_db.NAME


def _cache(config: pytest.Config) -> Path:
    return _absolute(config, config.getoption("--qg-cache-dir") or cache_folder())


def _folders(config: pytest.Config, name: str, variable: str) -> tuple[Path, ...]:
    named: list[Any] = [*(config.getoption(name) or ()), *os.environ.get(variable, "").split(os.pathsep)]
    return tuple(_absolute(config, folder) for folder in named if folder)
