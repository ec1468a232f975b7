"""`quantgate gate`: a working tree against a base revision, on one machine, in one run.

The base's suites are built and scored in a git worktree by the base's own files; their results take the place of stored
baselines. Then the working tree's suites run as they always do. Where a gate judges latency against the baseline, fresh
processes of both sides take turns (`measure.sequential`).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.commands.base import Exit
from harness.commands.gate import exit_code
from harness.commands.gate.exit_code import NOTHING
from harness.commands.gate.interpreter import BaseFailed, environment, last_words, refuse_older, run_to_end
from harness.core.errors import CellError, ConfigError
from harness.store import git, results
from harness.store.base_revision import Base

WRITING = ("--junitxml=", "--junit-xml=", "--qg-markdown=", "--qg-html=")  # options that change no verdict
RESERVED = ("--qg-base", "--qg-results-dir")  # how options of pytest begin that the gate itself gives
DECLARING = ("*requirements*.txt", "*pyproject.toml", "*.lock", "*environment.y*ml")  # files that name versions


@dataclass(frozen=True)
class GateOptions:
    """What the user asked for on the command line."""

    revision: str  # of the base, as git understands it
    suites: tuple[str, ...]  # files, folders or test ids, as pytest takes them
    pytest: tuple[str, ...] = ()  # further options of pytest, for both sides, each in its own tree
    results: Path = Path(".quantgate")  # the folder for results.json and base.log
    inconclusive_fails: bool = False  # an inconclusive verdict ends with exit 4
    allow_removed: bool = False  # a cell that only the base has is no regression
    python: Path | None = None  # the base's interpreter
    requirements: str = ""  # a file for pip; where the sides differ in it, the base gets its own environment

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that repeats the comparison, without the suites."""
        words = ["quantgate", "gate", "--base", self.revision]
        if self.python:
            words.append(f"--base-python={self.python}")
        if self.requirements:
            words.append(f"--base-requirements={self.requirements}")
        if self.inconclusive_fails:
            words.append("--inconclusive=fail")
        if self.allow_removed:
            words.append("--allow-removed")
        judging = [word for word in self.pytest if not word.startswith(WRITING)]
        if judging:
            words.append(f"--pytest={shlex.join(judging)}")
        return tuple(words)


@dataclass(frozen=True)
class Places:
    """The folders of the two sides."""

    here: Path  # the folder that the user is in
    top: Path  # the top of the user's repository
    tree: Path  # the top of the base's worktree

    def of_base(self, path: str | Path) -> Path:
        """The base's counterpart of a path in the repository; a relative path is relative to `here`.

        Raises:
            ConfigError: `path` lies outside the repository.
        """
        whole = Path(os.path.abspath(self.here / path))
        if not whole.is_relative_to(self.top):
            raise ConfigError(f"{path} lies outside the repository {self.top}, so the base has none to compare with")
        return self.tree / whole.relative_to(self.top)


def run_gate(wanted: GateOptions) -> Exit:
    """Judge the working tree of this folder, print what comes of it, and return the exit code of `quantgate gate`.

    Raises:
        ConfigError: this folder is in no repository, there is no such revision, or the options make no sense.
        CellError, Unavailable: the base cannot be checked out or measured.
    """
    reserved = [word for word in wanted.pytest if word.startswith(RESERVED)]
    if reserved:
        raise ConfigError(
            f"{reserved[0]}: the gate compares with {wanted.revision} and gives pytest its folders itself"
        )
    if "latency" in _selecting(wanted.pytest):
        raise ConfigError("-k with `latency` would select nothing of the base, which is scored only; use -m latency")
    here = Path.cwd()
    top = git.repository(here)
    commit = git.commit(top, wanted.revision)
    name = f"{wanted.revision} ({commit[:7]})" if not commit.startswith(wanted.revision) else commit[:7]
    with _interruptible(), tempfile.TemporaryDirectory(prefix="quantgate-base-") as scratch:
        folder = Path(scratch).resolve()
        with git.worktree(top, commit, folder / "tree") as tree:
            try:
                base = _score(wanted, Places(here, top, tree), folder, name)
            except BaseFailed as error:
                raise CellError(f"the base {name}: {error}") from None
            _warn(wanted, base, git.changed(top, commit, *DECLARING))
            base.write(folder / "base.json")
            return _judge(wanted, base, folder)


def _selecting(words: Sequence[str]) -> str:
    """The expression after the last -k among options of pytest; empty without one."""
    expression = ""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word.startswith("-k"):
            expression = word[2:] or following
    return expression


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM, which ends a job in CI, raise KeyboardInterrupt as Ctrl-C does, so that no worktree stays behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# The base


def _score(wanted: GateOptions, places: Places, folder: Path, name: str) -> Base:
    """Build and score the base's suites.

    `folder` is temporary and takes the base's results; `name` is the revision as messages name it.

    Raises:
        ConfigError: a suite lies outside the repository, or the base's interpreter is named wrongly.
        BaseFailed: the base cannot be measured.
    """
    python = environment(wanted.python, wanted.requirements, places.here, places.of_base, folder)
    path = python_path(places)
    title = name if python == sys.executable else f"{name}, in its own environment {python}"
    told = folder / "results"
    base = Base(title, wanted.command, python, path, str(told), wanted.allow_removed)
    suites = [_there(places, suite) for suite in wanted.suites]
    present = [suite for suite in suites if Path(suite.partition("::")[0]).exists()]
    if not present:
        return replace(base, results="")
    refuse_older(python, path, places.tree)
    print(f"base {title}: building and scoring {' '.join(wanted.suites)} …", flush=True)
    log = Path(os.path.abspath(wanted.results)) / "base.log"
    options = ["-m", "accuracy", "--maxfail=0", "--qg-baseline-update", f"--qg-baseline-dir={folder / 'baselines'}"]
    started = places.of_base(places.here)
    code = run_to_end(
        [python, "-m", "pytest", *present, *wanted.pytest, *options, f"--qg-results-dir={told}"],
        started if started.is_dir() else places.tree, _quiet({**os.environ, "PYTHONPATH": path}), log,
    )  # fmt: skip
    if code not in (0, 1, 4, 5) or (code == 4 and "(no match in any of" not in log.read_text()):
        raise BaseFailed(f"its suites cannot run: {last_words(log)}; everything: {log}")
    if not (told / "results.json").exists():  # it has the files, and no cell in them that was selected
        return replace(base, results="")
    rows = results.read_cells(told / "results.json")
    if rows and all(row.status == "error" for row in rows):
        raise BaseFailed(f"none of its {len(rows)} cells could be measured: {rows[0].id}: {rows[0].reason}")
    return base


def _there(places: Places, suite: str) -> str:
    """The base's counterpart of a file, a folder or a test.

    For a test of latency it is the test of accuracy, which alone runs on the base and measures the cell.
    """
    path, mark, test = suite.partition("::")
    return f"{places.of_base(path)}{mark}{test.replace('test_latency[', 'test_accuracy[')}"


def _quiet(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment variables without the two that make a run report to GitHub."""
    return {name: value for name, value in variables.items() if name not in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")}


def python_path(places: Places) -> str:
    """PYTHONPATH of the base's processes.

    It is this process's, with the base's counterparts of folders in the repository. Where quantgate itself is developed
    in the repository, the base's quantgate comes first.
    """
    named = [Path(os.path.abspath(entry)) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    entries = [places.of_base(entry) if entry.is_relative_to(places.top) else entry for entry in named]
    developed = [places.tree] if (places.tree / "harness" / "__init__.py").exists() else []
    return os.pathsep.join(map(str, dict.fromkeys([*developed, *entries])))


def _warn(wanted: GateOptions, base: Base, declaring: Sequence[str]) -> None:
    """Say that both sides share the installed packages, where files that name versions have changed since the base."""
    if declaring and base.python == sys.executable and not wanted.requirements:
        print(
            f"{', '.join(declaring)} changed since the base, and both sides run on the packages installed here; where "
            f"runtimes differ, give the base its own: --base-requirements FILE or --base-python PATH"
        )


# The working tree


def _judge(wanted: GateOptions, base: Base, folder: Path) -> Exit:
    """Run the working tree's suites against the base, and print what the table of one side cannot have."""
    kept = Path(os.path.abspath(wanted.results))
    runs = set(kept.glob("runs/*/results.json"))
    options = [f"--qg-base={folder / 'base.json'}", f"--qg-baseline-dir={folder / 'baselines'}"]
    if wanted.inconclusive_fails:
        options.append("--qg-inconclusive=fail")
    command = [sys.executable, "-m", "pytest", *wanted.suites, *wanted.pytest, *options, f"--qg-results-dir={kept}"]
    ended = run_to_end(command, Path.cwd(), os.environ)
    found = sorted(set(kept.glob("runs/*/results.json")) - runs)
    now = results.load_results(found[-1]) if found and ended in (0, 1, 2) else NOTHING
    then = results.load_results(Path(base.results, "results.json")) if base.results else NOTHING
    code = exit_code.code(ended, now, then, wanted.inconclusive_fails, wanted.allow_removed)
    if now.cells or ended in (0, 1):
        for line in exit_code.difference_lines(now, then):
            print(line)
    print(f"gate: {code.name.lower()} (exit {code.value}) against {base.title}")
    return code
