"""Fixtures of the whole test suite: a demo project in which a real pytest runs; `built.py` adds built artifacts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import TESTS
from demoproject import Demo, write_coco

pytest_plugins = ["pytester", "built"]


@pytest.fixture(autouse=True)
def no_github_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the CI job that runs the tests, so that a run under test does not write annotations or a summary for it."""
    for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact cache that all tests of the session share, as the projects of a user share theirs."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def demo(pytester: pytest.Pytester, warm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """A project whose suite has one cell, `model-fp32-null-cpu`, that reaches mAP 1."""
    for variable in ("QUANTGATE_WEIGHTS", "QUANTGATE_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("QUANTGATE_CACHE", str(warm_cache))
    monkeypatch.setenv("COLUMNS", "200")
    # hypothesis is imported whole at the end of any run that has its plugin; anyio's warns under pytest 9.2.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio")
    pytester.makeini(
        "[pytest]\nfilterwarnings =\n error\n"
        " ignore:Module already imported:pytest.PytestAssertRewriteWarning"  # a plugin under test twice in a process
    )
    project = Demo(pytester)
    write_coco(project.path / "data" / "val.json")
    project.model()
    project.suite()
    return project


@pytest.fixture
def lockers(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start processes of `lockers.py` on locks of this test alone: kind, seconds, sections; they end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str, seconds: float, sections: int = 1) -> subprocess.Popen[str]:
        command = [sys.executable, str(TESTS / "lockers.py"), kind, str(tmp_path), str(seconds), str(sections)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()
