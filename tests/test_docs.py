"""The documentation: its commands run and print what it says, its options, links and fields exist.

Blocks marked `console` run, one page in one copy of the project; a block whose first line is a comment with a path is
that file, for the commands to use. Blocks marked `bash` do not run and say why in a comment before them; what they name
has to exist.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pages
import pytest
from pages import PAGES, ROOT, Block, Page

import harness
from harness.commands.cli import parser
from harness.core.metrics import METRICS
from harness.core.status import SEVERITY
from harness.recipes.registry import PRECISIONS
from harness.store.results import SCHEMA_FILE

READ = [pages.read(path) for path in PAGES]
PYTHON = [(page, block) for page in READ for block in page.blocks_in("python") if not block.file]
CONSOLE = [page for page in READ if page.blocks_in("console")]
every_page = pytest.mark.parametrize("page", READ, ids=lambda page: page.path.name)


def place(page: Page, block: Block) -> str:
    return f"{page.path.name}:{block.line}"


# Links


@every_page
def test_every_link_leads_somewhere(page: Page) -> None:
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https"
            continue
        target = (page.path.parent / parts.path).resolve() if parts.path else page.path
        assert target.exists(), f"{link}: no such file"
        assert target.is_relative_to(ROOT)
        if parts.fragment:
            assert parts.fragment in pages.read(target).anchors, f"{link}: no such heading"


@every_page
def test_every_file_that_a_page_names_is_there(page: Page) -> None:
    for span in page.spans:
        if re.fullmatch(r"(?:harness|tests|suites|bench)/[\w./-]*", span) and not span.startswith("suites/mine"):
            assert (ROOT / span).exists(), span


def test_every_page_is_reached_from_the_readme() -> None:
    linked = {(ROOT / urlsplit(link).path).resolve() for link in pages.read(ROOT / "README.md").links}
    assert set(PAGES[1:]) <= linked


# Code


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=[place(*one) for one in PYTHON])
def test_the_python_runs(page: Page, block: Block) -> None:
    names = {name: getattr(harness, name) for name in harness.__all__}
    exec(compile(block.text, place(page, block), "exec"), names)


@pytest.fixture
def project(tmp_path: Path, shared_cache: Path):
    """A copy of what a user sees of this repository, committed, and a shell in it."""
    for name in ("suites", "baselines"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    copy = Project(tmp_path, shared_cache)
    identity = "-c user.name=reader -c user.email=reader@example.org"
    assert copy.run(f"git init -q && git add -A && git {identity} commit -qm start") == (0, "")
    return copy


class Project:
    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "QUANTGATE_", "GITHUB_"))}
        self.environment = {
            **kept,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "site")]),
            "QUANTGATE_CACHE": str(cache),
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }

    def write(self, block: Block) -> None:
        """A project among the files is installed as `pip install` would, beside the environment."""
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        if path.name == "pyproject.toml":
            options = "--quiet --no-index --no-deps --no-build-isolation --disable-pip-version-check"
            assert self.run(f"python -m pip install {options} --target site .") == (0, "")

    def run(self, line: str) -> tuple[int, str]:
        """Exit status and what was printed."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=self.folder, env=self.environment, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout


@pytest.mark.parametrize("page", CONSOLE, ids=lambda page: page.path.name)
def test_the_commands_print_what_the_page_says(project: Project, page: Page) -> None:
    for block in page.blocks:
        if block.file:
            project.write(block)
        for command in pages.console(block) if block.language == "console" else ():
            status, output = project.run(command.line)
            assert status == 0, f"{place(page, block)}: {command.line}\n{output}"
            assert pages.prints(command, output), f"{place(page, block)}: {command.line}\n{output}"


# What is named exists


@pytest.fixture(scope="session")
def options() -> dict[str, str]:
    """Help of pytest, and of every command of quantgate."""
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {"pytest": shown.stdout, **{name: whole_help(one) for name, one in below(parser()).items()}}


def below(command: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The commands of a command."""
    return next((action.choices for action in command._actions if isinstance(action.choices, dict)), {})


def whole_help(command: argparse.ArgumentParser) -> str:
    return "\n".join([command.format_help(), *map(whole_help, below(command).values())])


@every_page
def test_what_does_not_run_says_why(page: Page) -> None:
    for block in page.blocks_in("bash"):
        assert block.excuse, f"{place(page, block)}: <!-- not executed: reason --> is missing"
    assert not page.blocks_in("sh") + page.blocks_in("shell"), "console or bash"
    assert page in CONSOLE or not any(block.file for block in page.blocks), "a file that no command uses"


@every_page
def test_every_command_that_a_page_names_exists(page: Page, options: dict[str, str]) -> None:
    blocks = [block.text for block in page.blocks_in("bash")]
    lines = [command.line for block in page.blocks_in("console") for command in pages.console(block)]
    spans = [span for span in page.spans if span.split()[:1] and span.split()[0] in pages.PROGRAMS]
    for text in (*blocks, *lines, *spans):
        for words in pages.commands(text):
            assert not (unknown := unknown_words(words, options)), f"{page.path.name}: {text.strip()}: {unknown}"
    for span in page.spans:
        for option in re.findall(r"(?<!\S)--qg-[a-z-]+", span):
            assert re.search(rf"{option}\b(?!-)", options["pytest"]), f"{page.path.name}: {option}"


def unknown_words(words: list[str], options: dict[str, str]) -> list[str]:
    """What a command names and nothing knows."""
    program, *rest = words
    given = [word.partition("=")[0] for word in rest if re.match("--[a-z]", word)]
    if program == "pytest":
        known = options["pytest"]
    elif program == "quantgate":
        name = next((word for word in rest if not word.startswith("-")), "")
        if name and name not in options:
            return [name]
        known = options[name] if name else parser().format_help()
    elif program == "python" and rest and not rest[0].startswith("-"):
        if not (ROOT / rest[0]).is_file():
            return [rest[0]]
        known = (ROOT / rest[0]).read_text()
    elif program == "pip":
        extras = importlib.metadata.metadata("quantgate").get_all("Provides-Extra")
        return [extra for word in rest for extra in re.findall(r"\w[\w-]*(?=[,\]])", word) if extra not in extras]
    else:
        return []
    known = known.replace("--junit-xml", "--junitxml --junit-xml")  # its help names one of two spellings
    return [option for option in given if not re.search(rf"(?<![\w-]){option}(?![\w-])", known)]


def test_every_option_and_command_is_documented(options: dict[str, str]) -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    declared = set(re.findall(r"^ +(--qg-[a-z-]+)", options["pytest"], re.MULTILINE))
    assert len(declared) > 10
    assert {option for option in declared if not re.search(rf"{option}(?![a-z-])", text)} == set()
    assert {name for name in options.keys() - {"pytest"} if f"quantgate {name}" not in text} == set()


def test_the_page_of_suites_names_every_metric_precision_and_status() -> None:
    named = {word for span in pages.read(ROOT / "docs" / "suites.md").spans for word in span.split()}
    assert {*METRICS, *PRECISIONS, *SEVERITY} - named == set()


def test_the_architecture_page_names_every_wing() -> None:
    rows = re.findall(r"^\| `([\w./]+)` \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    package = ROOT / "harness"
    known = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    known |= {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()}
    assert set(rows) == known


def test_the_tree_of_the_contributing_page_is_what_is_there() -> None:
    (tree,) = [block.text for block in pages.read(ROOT / "CONTRIBUTING.md").blocks_in("") if "harness/ " in block.text]
    lines = tree.splitlines()
    assert len(lines) <= 30
    place: list[str] = []
    named = set()
    for line in lines:
        depth = (len(line) - len(line.lstrip())) // 2
        place[depth:] = [line.split()[0]]
        named.add("".join(place))
        assert (ROOT / "".join(place)).exists(), line
    wings = {f"harness/{path.name}/" for path in (ROOT / "harness").iterdir() if (path / "__init__.py").exists()}
    assert wings <= named


# results.md


def fields(schema: Mapping[str, object], whole: Mapping[str, object], path: str = "") -> set[str]:
    """Every field of a schema by its path, items of lists as `[]`."""
    if "$ref" in schema:
        schema = whole["$defs"][str(schema["$ref"]).rpartition("/")[2]]
    named = {**{name: {} for name in schema.get("required", ())}, **schema.get("properties", {})}
    found = set()
    for name, below in named.items():
        found |= {f"{path}{name}"} | fields(below, whole, f"{path}{name}.")
    for below in schema.get("oneOf", ()):
        found |= fields(below, whole, path)
    if "items" in schema:
        found |= fields(schema["items"], whole, f"{path[:-1]}[].")
    return found


def test_the_page_of_results_has_every_field_of_the_schema_and_no_other() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    rows = re.findall(r"^\| `([\w.\[\]]+)`", (ROOT / "docs" / "results.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == fields(schema, schema)
