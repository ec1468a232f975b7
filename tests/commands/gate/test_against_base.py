"""`quantgate gate` on real git repositories: what it says, its exit codes, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from demoproject import EXACT, FP32, INT8, LOOSE, write_coco
from repositories import run_git

from harness import ConfigError
from harness.commands.base import Exit
from harness.commands.cli import main
from harness.commands.gate.against_base import GateOptions, Places, python_path

WORK = 600  # products of the model; its reference makes 100
ACCURACY = "--pytest=-m accuracy"


@dataclass
class Project:
    """A repository of one suite whose first commit has one cell, `model-fp32-null-cpu`, of mAP 1."""

    path: Path

    def git(self, *words: str) -> str:
        return run_git(self.path, *words)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "a commit")

    def model(self, detections: list[float] = EXACT, **script: Any) -> None:
        content = {"names": ["box"], "detections": [detections], "work": WORK, **script}
        (self.path / "model.json").write_text(json.dumps(content))

    def suite(self, *precisions: str, gates: str = 'Gate("map", max_drop=0.01)', name: str = "demo") -> None:
        (self.path / f"test_{name}.py").write_text(
            "from harness import Gate, Suite, matrix\n"
            f"CELLS = matrix(['model.json'], {list(precisions)}, ['null'], imgsz=64)\n"
            f"SUITE = Suite({name!r}, 'data/val.json', CELLS, [{gates}])\n"
        )

    def cells(self) -> dict[str, dict[str, Any]]:
        content = json.loads((self.path / ".quantgate" / "results.json").read_text())
        return {cell["id"]: cell for cell in content["cells"]}

    def verdict(self, metric: str, cell: str = FP32) -> dict[str, Any]:
        return next(one for one in self.cells()[cell]["verdicts"] if one["metric"] == metric)


@pytest.fixture
def project(tmp_path: Path, warm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("QUANTGATE_CACHE", str(warm_cache))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio")
    for variable in ("QUANTGATE_WEIGHTS", "QUANTGATE_DATA"):
        monkeypatch.delenv(variable, raising=False)
    made = Project(tmp_path / "repository")
    write_coco(made.path / "data" / "val.json")
    (made.path / "pytest.ini").write_text("[pytest]\n")
    (made.path / ".gitignore").write_text(".quantgate\n.pytest_cache\n__pycache__\n")
    made.model()
    made.suite("fp32")
    made.git("init", "-q", "-b", "main")
    made.commit()
    monkeypatch.chdir(made.path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    yield made
    assert len(made.git("worktree", "list").splitlines()) == 1, "the base's worktree is gone"
    assert not list((tmp_path / "scratch").glob("quantgate-base-*"))


# Options and folders


def test_the_printed_command_repeats_what_decides_and_not_what_writes_files() -> None:
    assert GateOptions("main", ("suites",)).command == ("quantgate", "gate", "--base", "main")
    wanted = GateOptions(
        "main", ("suites",), ("-n", "auto", "-k", "int8 and not torch", "--junitxml=j.xml", "--qg-html=r.html"),
        Path("out"), inconclusive_fails=True, allow_removed=True, python=Path("p"), requirements="r.txt",
    )  # fmt: skip
    assert wanted.command[4:] == (
        "--base-python=p", "--base-requirements=r.txt", "--inconclusive=fail", "--allow-removed",
        "--pytest=-n auto -k 'int8 and not torch'",
    )  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A user below the top of a repository, and the base's worktree elsewhere."""
    return Places(here=tmp_path / "mine" / "below", top=tmp_path / "mine", tree=tmp_path / "base")


def test_a_path_in_the_repository_has_a_counterpart_in_the_base(places: Places) -> None:
    assert places.of_base("a.py") == places.tree / "below" / "a.py"
    assert places.of_base("../a.py") == places.of_base(places.top / "a.py") == places.tree / "a.py"
    with pytest.raises(ConfigError, match="lies outside the repository"):
        places.of_base("../../a.py")


def test_the_base_finds_its_own_modules_where_the_working_tree_finds_its_own(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{places.top / 'src'}::{tmp_path / 'elsewhere'}")
    assert python_path(places) == f"{places.tree / 'src'}:{tmp_path / 'elsewhere'}"
    (places.tree / "harness").mkdir(parents=True)
    (places.tree / "harness" / "__init__.py").touch()
    monkeypatch.delenv("PYTHONPATH")
    assert python_path(places) == str(places.tree), "a quantgate that is developed in the repository"


# Whole runs


def judge(capfd: pytest.CaptureFixture[str], *arguments: str, base: str = "HEAD") -> tuple[int, str]:
    """Exit code and everything that was printed."""
    code = main(["gate", "--base", base, "test_demo.py", *arguments])
    said = capfd.readouterr()
    return code, said.out + said.err


def test_an_unchanged_tree_is_fine_and_its_latency_needs_no_measuring(project: Project, capfd) -> None:
    project.suite("fp32", gates='Gate("map", max_drop=0.01), Gate("latency", max_rise=0.2)')
    project.commit()
    code, said = judge(capfd)
    assert code == Exit.FINE, said
    assert "gate: fine (exit 0) against HEAD (" in said
    assert project.verdict("map")["detail"] == "identical detections"
    assert project.verdict("latency")["status"] == "unchanged"
    assert "nothing to measure" in project.verdict("latency")["detail"]
    assert not any("log_ratio" in name for name in project.cells()[FP32]["samples"])
    assert "baselines" not in os.listdir(project.path), "nothing is stored"

    assert main(["gate", "--base", "HEAD", f"test_demo.py::test_latency[{FP32}]"]) == Exit.FINE
    assert project.verdict("latency")["status"] == "unchanged", "a test of latency alone has a base too"


def test_a_lower_map_is_a_regression_which_the_printed_command_repeats(project: Project, capfd) -> None:
    project.model(LOOSE)
    code, said = judge(capfd, ACCURACY, "--pytest=--junitxml=junit.xml")
    assert code == Exit.REGRESSION, said
    assert (project.path / "junit.xml").exists()
    assert project.verdict("map")["status"] == "regressed"
    assert project.verdict("map")["reference"] == pytest.approx(1.0)
    (again,) = [line.partition("repeat: ")[2] for line in said.splitlines() if "repeat: " in line]
    assert again == f"quantgate gate --base HEAD '--pytest=-m accuracy' 'test_demo.py::test_accuracy[{FP32}]'"
    assert main(["gate", "--base", "HEAD", ACCURACY, f"test_demo.py::test_accuracy[{FP32}]"]) == Exit.REGRESSION


def test_twice_the_work_is_seen_by_processes_in_turns(project: Project, capfd) -> None:
    project.suite("fp32", gates='Gate("latency", max_rise=0.2)')
    project.commit()
    project.model(work=2 * WORK)
    project.commit()
    code, said = judge(capfd, "--inconclusive=fail", base="HEAD~1")
    verdict = project.verdict("latency")
    assert (code, verdict["status"]) in ((Exit.REGRESSION, "regressed"), (Exit.INCONCLUSIVE, "inconclusive")), said
    assert verdict["observed"] == pytest.approx(2.0, rel=0.3)
    assert "by 7 processes against 7, network reference" in verdict["detail"]


def test_a_revision_that_does_not_exist_is_one_clear_line(project: Project, capfd) -> None:
    code, said = judge(capfd, base="nowhere")
    assert code == Exit.USAGE
    assert said.splitlines() == [
        "quantgate: --base nowhere: this repository has no such commit; fetch it (in CI: fetch-depth: 0), "
        "or name another"
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--pytest=--qg-baseline-update"], "--qg-baseline-update: the gate compares with HEAD"),
        (["../elsewhere.py"], "../elsewhere.py lies outside the repository"),
        (["--base-requirements", "none.txt"], "none.txt does not exist; both sides need one"),
        (["--pytest=-k 'latency and int8'"], "-k with `latency` would select nothing of the base"),
        (["--pytest=-kint8 -klatency"], "-k with `latency` would select nothing of the base"),
        (["--base-python", "none"], "none cannot run: No such file or directory"),
    ],
)
def test_wrong_usage_is_2(project: Project, capfd, arguments: list[str], problem: str) -> None:
    code, said = judge(capfd, *arguments)
    assert code == Exit.USAGE
    assert problem in said


def test_outside_a_repository_there_is_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = judge(capfd)
    assert code == Exit.USAGE
    assert "is in no git repository" in said


def test_a_base_whose_suite_cannot_be_read_is_infrastructure_with_the_reason(project: Project, capfd) -> None:
    good = (project.path / "test_demo.py").read_text()
    (project.path / "test_demo.py").write_text("import no_such_module\n")
    project.commit()
    (project.path / "test_demo.py").write_text(good)
    code, said = judge(capfd)
    assert code == Exit.INFRASTRUCTURE
    assert "its suites cannot run: " in said and "No module named 'no_such_module'" in said
    assert "no_such_module" in (project.path / ".quantgate" / "base.log").read_text()


def test_a_base_that_crashes_is_infrastructure_with_the_reason(project: Project, capfd) -> None:
    project.model(fault="raise")
    project.commit()
    project.model()
    code, said = judge(capfd, ACCURACY)
    assert code == Exit.INFRASTRUCTURE
    assert f"none of its 1 cells could be measured: {FP32}: RuntimeError: null: raising as scripted" in said


def test_a_base_from_before_the_move_of_quantgate_s_modules_is_one_line_before_anything_is_measured(
    project: Project, capfd
) -> None:
    for name in ("__init__", "plugin", "worker"):  # where quantgate 0.1 had them
        file = project.path / "harness" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    project.commit()
    shutil.rmtree(project.path / "harness")
    code, said = judge(capfd, ACCURACY)
    assert code == Exit.INFRASTRUCTURE
    (line,) = said.splitlines()
    assert re.fullmatch(
        r"quantgate: the base HEAD \(\w{7}\): its quantgate is older than 0\.2, whose modules moved: .*; name a base "
        r"after the move, or run the gate with the base's quantgate",
        line,
    )
    assert not (project.path / ".quantgate").exists(), "nothing was run"


def test_a_suite_that_cannot_be_read_here_is_usage(project: Project, capfd) -> None:
    (project.path / "test_demo.py").write_text("import no_such_module\n")
    code, said = judge(capfd, ACCURACY)
    assert code == Exit.USAGE
    assert "gate: usage (exit 2)" in said


def test_cells_of_one_side_only_are_named(project: Project, capfd) -> None:
    project.suite("int8")
    code, said = judge(capfd, ACCURACY)
    assert code == Exit.REGRESSION
    assert f"demo: 1 new cell: {INT8}" in said
    assert f"demo: 1 removed cell: {FP32}" in said
    assert {name: cell["status"] for name, cell in project.cells().items()} == {INT8: "no-baseline", FP32: "missing"}
    assert project.verdict("map", INT8)["detail"].startswith("new: the base HEAD (")
    assert re.fullmatch(r"the base HEAD \(\w{7}\) has this cell and the suite has not", project.cells()[FP32]["reason"])

    code, said = judge(capfd, ACCURACY, "--allow-removed")
    assert code == Exit.FINE
    assert f"demo: 1 removed cell: {FP32}" in said


def test_a_suite_that_the_base_has_not_is_new(project: Project, capfd) -> None:
    project.git("rm", "-q", "--cached", "test_demo.py")
    project.git("commit", "-qm", "without a suite")
    code, said = judge(capfd, ACCURACY)
    assert code == Exit.FINE
    assert f"demo: 1 new cell: {FP32}" in said


def test_a_cell_that_the_base_measured_may_not_be_unavailable(project: Project, capfd) -> None:
    project.suite("fp32", "int8")
    project.commit()
    (project.path / "conftest.py").write_text(
        "from harness import Unavailable\nfrom harness.backends import null\n"
        "def probe(cell, known=null.probe):\n"
        "    if cell.precision == 'int8': raise Unavailable('no int8 today')\n"
        "    return known(cell)\n"
        "null.probe = probe\n"
    )
    code, said = judge(capfd, ACCURACY)
    assert code == Exit.REGRESSION
    assert f"{INT8}: unavailable but measured on the base HEAD (" in said


def test_each_side_reads_its_own_tree_from_a_folder_below_the_top(project: Project, capfd, monkeypatch) -> None:
    (project.path / "below").mkdir()
    for name in ("data", "model.json", "test_demo.py"):
        project.git("mv", name, "below")
    project.commit()
    (project.path / "below" / "model.json").write_text(json.dumps({"names": ["box"], "detections": [LOOSE]}))
    monkeypatch.chdir(project.path / "below")
    code, said = judge(capfd, ACCURACY, "--results-dir=../.quantgate")
    assert code == Exit.REGRESSION, said
    assert project.verdict("map")["status"] == "regressed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_worktree(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    """The fixture looks whether anything is left."""
    project.model(fault="hang")
    project.commit()
    command = [sys.executable, "-m", "harness.commands.cli", "gate", "--base", "HEAD", "test_demo.py"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    with subprocess.Popen(command, cwd=project.path, env=environment, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "scratch").glob("quantgate-base-*/results/runs/*/demo.plan.json")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said.splitlines() == ["quantgate: interrupted; the base's worktree is removed"]


def test_the_base_runs_in_the_environment_that_it_is_given(project: Project, capfd, tmp_path: Path) -> None:
    """One that sees this one's packages, under another path."""
    project.suite("fp32", gates='Gate("map", max_drop=0.01), Gate("latency", max_rise=1.0)')
    project.commit()
    venv.create(tmp_path / "own", with_pip=False)
    (site,) = (tmp_path / "own").glob("lib/python*/site-packages")
    ours = [entry for entry in sys.path if entry.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({entry!r})" for entry in ours]  # with its .pth files: editable packages
    site.joinpath("ours.pth").write_text("\n".join(lines))
    python = tmp_path / "own" / "bin" / "python"
    code, said = judge(capfd, "--base-python", str(python))
    assert code == Exit.FINE, said
    assert f"in its own environment {python}" in said
    assert "network reference" in project.verdict("latency")["detail"], "the same artifact is measured all the same"


def test_requirements_that_differ_make_an_environment(project: Project, capfd) -> None:
    requirements = project.path / "requirements.txt"
    requirements.write_text("# the base's\n")
    project.commit()
    assert judge(capfd, ACCURACY, "--base-requirements=requirements.txt")[0] == Exit.FINE, "they are the same"
    requirements.write_text("# another\n")
    code, said = judge(capfd, ACCURACY, "--base-requirements=requirements.txt")
    assert code == Exit.INFRASTRUCTURE
    assert "requirements.txt differs from the base's: installing" in said
    assert "has no quantgate: ModuleNotFoundError" in said, "these requirements do not name it"

    code, said = judge(capfd, ACCURACY)
    assert code == Exit.FINE
    assert "requirements.txt changed since the base, and both sides run on the packages installed here" in said
