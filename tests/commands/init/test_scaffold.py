"""The files of a starter project: which runtimes they name, what CI installs, and what the workflow may do."""

from __future__ import annotations

import importlib.metadata
import os
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import ConfigError, Suite, Unavailable
from harness.commands.init import scaffold
from harness.commands.init.scaffold import write_starter
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS

SUITE, WORKFLOW = "suites/starter/test_starter.py", ".github/workflows/quantgate.yml"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path


def workflow(repository: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((repository / WORKFLOW).read_text())
    return content


def test_the_suite_is_of_bundled_files_and_of_runtimes_that_are_here(repository: Path) -> None:
    list(write_starter(repository))
    suite: Suite = runpy.run_path(str(repository / SUITE))["SUITE"]
    assert {cell.model for cell in suite.cells} <= set(BUNDLED_WEIGHTS)
    assert set(suite.datasets) <= set(BUNDLED_DATA)
    assert {cell.backend for cell in suite.cells} == set(scaffold.installed())
    assert {cell.precision for cell in suite.cells} == {"fp32", "int8"}


def test_a_runtime_that_is_not_here_is_in_neither_file(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaffold, "QUICK", ("onnxruntime", "tensorrt"))
    monkeypatch.setattr(scaffold, "_runs", lambda backend, precision: backend == "onnxruntime")
    list(write_starter(repository))
    assert "tensorrt" not in (repository / SUITE).read_text()
    assert workflow(repository)["env"]["QUANTGATE"].startswith("quantgate==")


def test_the_workflow_may_only_read_and_runs_no_code_of_a_fork_with_secrets(repository: Path) -> None:
    list(write_starter(repository))
    content = workflow(repository)
    assert content["permissions"] == {"contents": "read"}
    assert set(content[True]) == {"push", "pull_request"}, "YAML 1.1 reads `on` as true"
    text = (repository / WORKFLOW).read_text()
    assert "secrets." not in text
    steps = [step.get("run", "") for step in content["jobs"]["gate"]["steps"]]
    assert not any("${{" in step for step in steps), "no expression is pasted into a script"
    assert any("--qg-require-backends " + ",".join(scaffold.installed()) in step for step in steps)


@pytest.mark.parametrize(
    ("event", "command"),
    [("pull_request", "quantgate gate --base HEAD^1 suites --pytest=-n auto"), ("push", "pytest suites -n auto")],
)
def test_a_pull_request_is_held_against_its_base_and_a_push_against_the_baselines(
    repository: Path, event: str, command: str
) -> None:
    list(write_starter(repository))
    for name in ("quantgate", "pytest"):
        tool = repository / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f'#!/bin/sh\necho {name} "$@"\n')
        tool.chmod(0o755)
    (script,) = [step["run"] for step in workflow(repository)["jobs"]["gate"]["steps"] if step.get("name") == "Gate"]
    environment = {**os.environ, "PATH": f"{repository / 'bin'}:{os.environ['PATH']}", "GITHUB_EVENT_NAME": event}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(command)


@pytest.mark.parametrize(
    ("origin", "expected", "findable"),
    [
        (None, r"quantgate\[openvino\]==[\d.]+", True),
        ('{"url": "file:///src", "dir_info": {"editable": true}}', r"quantgate\[openvino\]==[\d.]+", False),
        (
            '{"url": "https://example.org/q.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}',
            r"quantgate\[openvino\] @ git\+https://example\.org/q\.git@c0ffee",
            True,
        ),
    ],
)
def test_ci_installs_what_runs_here_or_says_that_it_cannot(
    repository: Path, monkeypatch: pytest.MonkeyPatch, origin: str | None, expected: str, findable: bool
) -> None:
    class Distribution:
        def read_text(self, name: str) -> str | None:
            return origin

    known = importlib.metadata.distribution
    monkeypatch.setattr(
        importlib.metadata, "distribution", lambda name: Distribution() if name == "quantgate" else known(name)
    )
    assert re.fullmatch(expected, scaffold.requirement("openvino"))
    assert ("git+https://…" in list(write_starter(repository))[-1]) is not findable


def test_a_runtime_that_cannot_run_both_precisions_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def runnable(cell):
        if (cell.backend, cell.precision) == ("openvino", "int8"):
            raise Unavailable("nncf is not installed")
        return None, "1.0"

    monkeypatch.setattr(scaffold, "runnable", runnable)
    assert scaffold.installed() == ["onnxruntime"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, ".quantgate/\n", ".quantgate/ added"),
        ("", ".quantgate/\n", ".quantgate/ added"),
        ("build", "build\n.quantgate/\n", ".quantgate/ added"),
        ("build\n/.quantgate\n", "build\n/.quantgate\n", "ignores .quantgate/ already; left as it is"),
        (".quantgate/ \n", ".quantgate/ \n", "ignores .quantgate/ already; left as it is"),
    ],
)
def test_results_are_ignored_by_git_once(repository: Path, before: str | None, after: str, said: str) -> None:
    file = repository / ".gitignore"
    if before is not None:
        file.write_text(before)
    assert list(write_starter(repository))[3] == f"{file}: {said}"
    assert file.read_text() == after


def test_a_folder_that_cannot_be_written_is_one_line(repository: Path) -> None:
    (repository / "suites").write_text("a file")
    with pytest.raises(
        ConfigError, match=r"test_starter\.py cannot be written: .*; name another folder with quantgate i"
    ):
        list(write_starter(repository))
