"""`quantgate gate`: a working tree against a base revision, on one machine, in one run.

The base's suites are built and scored in a git worktree by the base's own files; what they reach stands in the place of
stored baselines. Then the working tree's suites run as ever, and where a gate asks for latency against the baseline,
fresh processes of both sides take turns (`looks.against_base`).
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
from harness.commands.gate.interpreter import BaseFailed, environment, last_words, run_to_end
from harness.core.errors import CellError, ConfigError
from harness.store import git, results
from harness.store.base_revision import Base

WRITING = ("--junitxml=", "--junit-xml=", "--qg-markdown=", "--qg-html=")  # options that shape no verdict
RESERVED = ("--qg-base", "--qg-results-dir")  # options of pytest that the gate itself gives
DECLARING = ("*requirements*.txt", "*pyproject.toml", "*.lock", "*environment.y*ml")  # files that name versions


@dataclass(frozen=True)
class GateOptions:
    """What was asked for on the command line."""

    revision: str
    suites: tuple[str, ...]  # files, folders or test ids, as pytest takes them
    pytest: tuple[str, ...] = ()  # further options of pytest, for both sides, each in its own tree
    results: Path = Path(".quantgate")
    inconclusive_fails: bool = False
    allow_removed: bool = False
    python: Path | None = None  # the base's interpreter
    requirements: str = ""  # file that names the base's packages, where they differ from the working tree's

    @property
    def command(self) -> tuple[str, ...]:
        """What repeats the comparison, less the suites."""
        words = ["quantgate", "gate", "--base", self.revision]
        words += [f"--base-python={self.python}"] * bool(self.python)
        words += [f"--base-requirements={self.requirements}"] * bool(self.requirements)
        words += ["--inconclusive=fail"] * self.inconclusive_fails
        words += ["--allow-removed"] * self.allow_removed
        judging = [word for word in self.pytest if not word.startswith(WRITING)]
        words += [f"--pytest={shlex.join(judging)}"] * bool(judging)
        return tuple(words)


@dataclass(frozen=True)
class Places:
    """Where the two sides lie."""

    here: Path  # where the user is
    top: Path  # of the repository
    tree: Path  # of the base

    def of_base(self, path: str | Path) -> Path:
        """The base's counterpart of a path in the repository."""
        whole = Path(os.path.abspath(self.here / path))
        if not whole.is_relative_to(self.top):
            raise ConfigError(f"{path} lies outside the repository {self.top}, so the base has none to compare with")
        return self.tree / whole.relative_to(self.top)


def run_gate(wanted: GateOptions) -> Exit:
    """Judge the working tree; returns the exit code of `quantgate gate`.

    Raises:
        ConfigError: no repository, no such revision, or options that make no sense.
        CellError, Unavailable: the base cannot be checked out or measured.
    """
    if reserved := [word for word in wanted.pytest if word.startswith(RESERVED)]:
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
    """The expression of pytest's -k, the last one given."""
    given = [words[n + 1] if word == "-k" else word[2:] for n, word in enumerate(words) if word.startswith("-k")]
    return given[-1] if given else ""


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does: what ends a job in CI must not leave a worktree behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# The base


def _score(wanted: GateOptions, places: Places, folder: Path, name: str) -> Base:
    """Build and score the base's suites."""
    python = environment(wanted.python, wanted.requirements, places.here, places.of_base, folder)
    path = python_path(places)
    title = name if python == sys.executable else f"{name}, in its own environment {python}"
    told = folder / "results"
    base = Base(title, wanted.command, python, path, str(told), wanted.allow_removed)
    suites = [_there(places, suite) for suite in wanted.suites]
    present = [suite for suite in suites if Path(suite.partition("::")[0]).exists()]
    if not present:
        return replace(base, results="")
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
    """The base's counterpart of a file, a folder or a test; what measures a cell there is its test of accuracy."""
    path, mark, test = suite.partition("::")
    return f"{places.of_base(path)}{mark}{test.replace('test_latency[', 'test_accuracy[')}"


def _quiet(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without what makes a run report to GitHub."""
    return {name: value for name, value in variables.items() if name not in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")}


def python_path(places: Places) -> str:
    """PYTHONPATH of the base: what lies in the repository is its own, and so is a quantgate that is developed there."""
    named = [Path(os.path.abspath(entry)) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    entries = [places.of_base(entry) if entry.is_relative_to(places.top) else entry for entry in named]
    developed = [places.tree] if (places.tree / "harness" / "__init__.py").exists() else []
    return os.pathsep.join(map(str, dict.fromkeys([*developed, *entries])))


def _warn(wanted: GateOptions, base: Base, declaring: Sequence[str]) -> None:
    """What the two sides share though their commits may not want to."""
    if declaring and base.python == sys.executable and not wanted.requirements:
        print(
            f"{', '.join(declaring)} changed since the base, and both sides run on the packages installed here; where "
            f"runtimes differ, give the base its own: --base-requirements FILE or --base-python PATH"
        )


# The working tree


def _judge(wanted: GateOptions, base: Base, folder: Path) -> Exit:
    """Run the working tree's suites against the base, and say what comes of both."""
    kept = Path(os.path.abspath(wanted.results))
    runs = set(kept.glob("runs/*/results.json"))
    options = [f"--qg-base={folder / 'base.json'}", f"--qg-baseline-dir={folder / 'baselines'}"]
    options += ["--qg-inconclusive=fail"] * wanted.inconclusive_fails
    command = [sys.executable, "-m", "pytest", *wanted.suites, *wanted.pytest, *options, f"--qg-results-dir={kept}"]
    ended = run_to_end(command, Path.cwd(), os.environ)
    found = sorted(set(kept.glob("runs/*/results.json")) - runs)
    now = results.load_results(found[-1]) if found and ended in (0, 1) else NOTHING
    then = results.load_results(Path(base.results, "results.json")) if base.results else NOTHING
    code = exit_code.code(ended, now, then, wanted.inconclusive_fails, wanted.allow_removed)
    said = exit_code.difference_lines(now, then) if now.cells or ended in (0, 1) else ()
    print("\n".join([*said, f"gate: {code.name.lower()} (exit {code.value}) against {base.title}"]))
    return code
