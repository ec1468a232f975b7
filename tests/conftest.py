"""Fixtures of the tests that run a real pytest in a project of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from demoproject import Demo, write_coco

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def no_github_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run under test says is not for the job that runs the tests."""
    for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact cache that tests share, as users' projects do."""
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
