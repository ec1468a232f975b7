"""The options of the plugin: what they are called, what they mean, and the state of a process that they describe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.backends.registry import backend_names
from harness.core.errors import ConfigError, nearest
from harness.inputs.finder import Settings
from harness.inputs.sources import cache_folder, folders_in
from harness.plugin.session import RunState
from harness.report.common.view import View
from harness.report.media import MEDIA
from harness.report.terminal.progress import Live
from harness.store import history_db
from harness.store.base_revision import Base


@dataclass(frozen=True)
class PathOption:
    """An option that names a file or folder."""

    name: str
    help: str
    repeatable: bool = False


PATHS = (
    PathOption("--qg-weights-dir", "folder of checkpoints, repeatable (also QUANTGATE_WEIGHTS)", repeatable=True),
    PathOption("--qg-data-dir", "folder of data sets, repeatable (also QUANTGATE_DATA)", repeatable=True),
    PathOption("--qg-dataset", "score on this instead: a YOLO YAML, a COCO JSON, or a folder with one"),
    PathOption("--qg-calibration", "calibrate int8 on the images of this data set or folder"),
    PathOption("--qg-cache-dir", "artifact cache (also QUANTGATE_CACHE; default: the user's cache folder)"),
    PathOption("--qg-results-dir", "where results.json goes (default: .quantgate beside pytest's configuration)"),
    PathOption("--qg-baseline-dir", "committed baselines (default: baselines beside pytest's configuration)"),
)
"""What a run reads and writes. The command that repeats a cell of the run needs these options too."""

BASE = "--qg-base"
SWITCHES = {
    "--qg-baseline-update": "accept what this run measures as the baseline",
    "--qg-fresh": "score again what an earlier run has scored of the same artifact, data and runtime",
    "--qg-explain": "say of every cell that an accuracy gate fails where the accuracy went",
    "--qg-require-baseline": "fail where there is no comparable baseline",
}
"""Options without a value, and their help."""


def add(parser: pytest.Parser) -> None:
    """Declare the options. All carry the prefix --qg-, since other plugins own the plain names."""
    group = parser.getgroup("quantgate", "quantgate: accuracy and latency gates of quantized detectors")
    for path in PATHS:
        group.addoption(path.name, action="append" if path.repeatable else "store", metavar="PATH", help=path.help)
    for medium in MEDIA:
        group.addoption(medium.option, metavar="FILE", help=medium.help)
    group.addoption(BASE, metavar="FILE", help="hold the run against the base that `quantgate gate` has measured")
    for name, text in SWITCHES.items():
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
    """The state of this pytest process, as its options describe it.

    Args:
        config: pytest's configuration, with its terminal reporter where there is one.
        run: the name of the run's folder, the same in every process of the run.

    Raises:
        pytest.UsageError: options make no sense, alone or together.
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
    """Raise pytest.UsageError for values that the parser lets pass and that make no sense."""
    for name in _required(config):
        known = _backends()
        if name not in known:
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
    """The base that `quantgate gate` has measured; None in any other run."""
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
    except ConfigError as error:  # the entry point of another package is broken
        raise pytest.UsageError(str(error)) from None


def _required(config: pytest.Config) -> tuple[str, ...]:
    """The names of the backends that may not be unavailable."""
    names = (name.strip() for name in config.getoption("--qg-require-backends").split(","))
    return tuple(name for name in names if name)


def _repeated(config: pytest.Config) -> tuple[str, ...]:
    """The options of this run that the command which repeats one of its cells needs too, with absolute paths."""
    words = []
    for path in PATHS:
        value = config.getoption(path.name)
        values: list[str] = value if isinstance(value, list) else [value]
        words += [f"{path.name}={_absolute(config, one)}" for one in values if one]
    if config.getoption("--qg-require-baseline"):
        words.append("--qg-require-baseline")
    if config.getoption("--qg-inconclusive") == "fail":
        words.append("--qg-inconclusive=fail")
    if required := _required(config):
        words.append(f"--qg-require-backends={','.join(required)}")
    return tuple(words)


def _absolute(config: pytest.Config, named: str | Path) -> Path:
    """A path that the user named, seen from the folder in which pytest was started."""
    return Path(os.path.abspath(config.invocation_params.dir / Path(named).expanduser()))


def _named(config: pytest.Config, name: str) -> Path | None:
    """The value of an option that names one path, made absolute; None where the option is not given."""
    value = config.getoption(name)
    return _absolute(config, value) if value else None


def _place(config: pytest.Config, name: str, default: str) -> Path:
    """The folder that an option names, or the `default` folder of the project.

    The project is where pytest's configuration lies, or else where pytest was started. It is not `config.rootpath`:
    without a configuration file pytest derives that from all arguments that are paths, the values of our own options
    among them.
    """
    project = config.inipath.parent if config.inipath else config.invocation_params.dir
    return _named(config, name) or project / default


def _history(config: pytest.Config) -> Path | None:
    """The history file: `--qg-history`, or the file in the results folder; None for `off`."""
    if config.getoption("--qg-history") == "off":
        return None
    return _named(config, "--qg-history") or _place(config, "--qg-results-dir", ".quantgate") / history_db.NAME


def _cache(config: pytest.Config) -> Path:
    return _absolute(config, config.getoption("--qg-cache-dir") or cache_folder())


def _folders(config: pytest.Config, name: str, variable: str) -> tuple[Path, ...]:
    """The folders that an option names, then the folders that an environment variable lists."""
    named: list[str | Path] = [*(config.getoption(name) or ()), *folders_in(variable)]
    return tuple(_absolute(config, folder) for folder in named if folder)
