"""`quantgate init`: what is written, what is left alone, and that pytest takes it as it is."""

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
from demoproject import Demo

from harness import Suite
from harness.commands.cli import main
from harness.commands.init import scaffold
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS

SUITE, WORKFLOW = "suites/starter/test_starter.py", ".github/workflows/quantgate.yml"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def workflow(repository: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((repository / WORKFLOW).read_text())
    return content


def test_every_file_is_named_and_what_to_do_next_is_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[:4] == [
        f"{SUITE}: written", "baselines/README.md: written", f"{WORKFLOW}: written", ".gitignore: .quantgate/ added",
    ]  # fmt: skip
    assert re.findall(r"^  (pytest .*?)  ", printed, re.MULTILINE) == [
        "pytest suites -n auto --qg-baseline-update",
        "pytest suites -n auto --qg-require-baseline",
    ]
    assert "no git repository" not in printed


def test_nothing_is_overwritten_and_that_is_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / ".gitignore").write_text("build/")
    (repository / SUITE).parent.mkdir(parents=True)
    (repository / SUITE).write_text("# mine\n")
    main(["init"])
    assert f"{SUITE}: is there already, with other content; left as it is" in capsys.readouterr().out
    assert (repository / SUITE).read_text() == "# mine\n"
    assert (repository / ".gitignore").read_text() == "build/\n.quantgate/\n"
    before = {file: file.read_bytes() for file in repository.rglob("*") if file.is_file()}
    main(["init"])
    assert capsys.readouterr().out.count("left as it is") == 4
    assert {file: file.read_bytes() for file in repository.rglob("*") if file.is_file()} == before


def test_the_suite_is_of_bundled_files_and_of_runtimes_that_are_here(repository: Path) -> None:
    main(["init"])
    suite: Suite = runpy.run_path(str(repository / SUITE))["SUITE"]
    assert {cell.model for cell in suite.cells} <= set(BUNDLED_WEIGHTS)
    assert set(suite.datasets) <= set(BUNDLED_DATA)
    assert {cell.backend for cell in suite.cells} == set(scaffold.installed())
    assert {cell.precision for cell in suite.cells} == {"fp32", "int8"}


def test_a_runtime_that_is_not_here_is_in_neither_file(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaffold, "QUICK", ("onnxruntime", "tensorrt"))
    monkeypatch.setattr(scaffold, "_runs", lambda backend, precision: backend == "onnxruntime")
    main(["init"])
    assert "tensorrt" not in (repository / SUITE).read_text()
    assert workflow(repository)["env"]["QUANTGATE"].startswith("quantgate==")


def test_pytest_collects_the_suite(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.path)
    (demo.path / "test_demo.py").unlink()
    main(["init"])
    result = demo.run("--collect-only", "-q", "suites")
    assert f"{SUITE}::test_baselines[starter]" in result.outlines


def test_the_workflow_may_only_read_and_runs_no_code_of_a_fork_with_secrets(repository: Path) -> None:
    main(["init"])
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
    main(["init"])
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
    assert ("git+https://…" in list(scaffold.write_starter(repository))[-1]) is not findable


def test_a_folder_elsewhere_without_git(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert f"Next, in {tmp_path / 'new'}:" in printed
    assert "this is no git repository yet" in printed
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file")]) == 2
    assert "is no folder" in capsys.readouterr().err
