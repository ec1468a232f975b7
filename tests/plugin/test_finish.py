"""The end of a run: what is merged, accepted, remembered and reported, and what a file that cannot be written costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import FP32 as FLOAT
from builders import MACHINE, measurement
from demoproject import FP32, LOOSE, Demo, output, section
from repositories import committed

from harness import Gate, Suite
from harness.plugin import finish
from harness.plugin.session import RunState
from harness.store import trends
from harness.store.base_revision import Base
from harness.store.records import Record
from harness.store.results import load_results, plan_of

GATES = (Gate("map", max_drop=0.01),)


def invoked(folder: Path, *arguments: str) -> pytest.Config.InvocationParams:
    """How pytest was started."""
    return pytest.Config.InvocationParams(args=arguments, plugins=None, dir=folder)


@pytest.fixture
def ended(make_state: Callable[..., RunState], tmp_path: Path) -> Callable[..., RunState]:
    """A function that makes the state of a run whose only test has finished; its arguments replace fields."""

    def ended(**changes: object) -> RunState:
        state = make_state(**changes)
        suite = Suite("made", "coco8", (FLOAT,), GATES)
        plan_of(suite, "test_made.py", {FLOAT: ("accuracy",)}, (), 1).publish(state.settings.run)
        measured = dataclasses.replace(measurement(FLOAT), machine=MACHINE)
        Record("made", "accuracy", measured).publish(state.settings.run)
        return state

    return ended


def end(state: RunState, folder: Path) -> RunState:
    """What the hooks do at the end of a run."""
    finish.merge(state, invoked(folder))
    finish.finish(state)
    return state


# Merge


def test_results_are_written_into_the_folder_of_the_run_and_of_all_results(ended, tmp_path: Path) -> None:
    state = ended()
    finish.merge(state, invoked(tmp_path, "-m", "not this"))
    files = [state.settings.run / "results.json", tmp_path / ".quantgate" / "results.json"]
    assert files[0].read_bytes() == files[1].read_bytes()
    known = load_results(files[0])
    assert [(cell.id, cell.metric("map")) for cell in known.cells] == [(FLOAT.id, 0.4185)]
    assert known.environment["command"] == "pytest -m 'not this'"
    assert (known.run["id"], known.run["started"]) == (
        state.settings.run.name, state.started.isoformat(timespec="seconds"),
    )  # fmt: skip
    assert (state.found.cells, state.found.gates) == (state.results, {"made": GATES})


def test_a_run_without_suites_writes_nothing(make_state, tmp_path: Path) -> None:
    state = make_state()
    state.settings.run.mkdir(parents=True)
    end(state, tmp_path)
    assert list(tmp_path.rglob("results.json")) == []
    assert (state.found, state.problem) == (None, "")


def test_a_run_against_a_base_names_it_and_is_repeated_by_the_gate(ended, tmp_path: Path) -> None:
    state = ended(base=Base("HEAD~1 (1a2b3c4)", ("quantgate", "gate", "--base", "HEAD~1"), "python", "", ""))
    finish.merge(state, invoked(tmp_path, "--qg-base=base.json"))
    assert state.found.environment["base"] == "HEAD~1 (1a2b3c4)"
    assert state.found.environment["command"] == "quantgate gate --base 'HEAD~1' test_made.py"


def test_results_that_cannot_be_written_are_a_problem_and_the_run_is_not_remembered(ended, tmp_path: Path) -> None:
    state = ended(history=tmp_path / "history.db")
    (state.settings.run / "results.json").mkdir()
    end(state, tmp_path)
    assert "results.json cannot be written: Is a directory" in state.problem
    assert state.outcome.problem == state.problem
    assert not (tmp_path / "history.db").exists()


# Accept, report, forget


def test_a_baseline_that_cannot_be_written_costs_no_report(ended, tmp_path: Path) -> None:
    (tmp_path / "baselines").write_text("not a folder")
    state = end(ended(update=True, outputs={"--qg-markdown": tmp_path / "report.md"}), tmp_path)
    assert "cannot be written: Not a directory; name another folder with --qg-baseline-dir" in state.problem
    assert FLOAT.model in (tmp_path / "report.md").read_text()


def test_a_report_that_cannot_be_written_costs_no_baseline(ended, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    state = end(ended(update=True, outputs={"--qg-markdown": tmp_path / "file" / "report.md"}), tmp_path)
    assert "report.md cannot be written: File exists; name another folder with --qg-markdown" in state.problem
    assert (state.accepted.written, state.accepted.unchanged) == (1, 0)
    assert [file.stem for file in (tmp_path / "baselines").rglob("*.json")] == [FLOAT.id]


def test_the_folders_of_the_last_ten_finished_runs_are_kept(ended, tmp_path: Path) -> None:
    runs = ended().settings.run.parent
    earlier = [runs / f"202611{day:02}-120000-abcdef" for day in range(1, 13)]
    unfinished, foreign = runs / "20261101-000000-000000", runs / "notes"
    for folder in (*earlier, unfinished, foreign):
        folder.mkdir()
    for folder in (*earlier, foreign):
        (folder / "results.json").write_text("{}")
    end(ended(), tmp_path)
    kept = sorted(folder.name for folder in runs.iterdir())
    assert kept == sorted(folder.name for folder in (*earlier[3:], ended().settings.run, unfinished, foreign))


def test_accepting_the_same_accuracy_again_leaves_its_file_alone(demo: Demo) -> None:
    first = demo.run("--qg-baseline-update")
    assert "baselines: 2 written, 0 unchanged" in output(first)
    before = demo.baselines("accuracy")
    assert [file.name for file in before] == [f"{FP32}.json"]
    again = demo.run("-m", "accuracy", "--qg-baseline-update")
    assert "baselines: 0 written, 1 unchanged" in output(again)
    assert demo.baselines("accuracy") == before


# The commit


def test_the_last_line_names_the_commit_and_says_that_tracked_files_differ(demo: Demo) -> None:
    commit = committed(demo.path)
    clean = demo.run("-m", "accuracy")
    demo.model("model", LOOSE)
    changed = demo.run("-m", "accuracy")
    assert f" at {commit[:7]}: 1 no-baseline" in section(clean, " quantgate ")[-1]
    assert f" at {commit[:7]}-dirty: 1 no-baseline" in section(changed, " quantgate ")[-1]


# The history


def test_every_run_is_appended_to_the_history_with_its_commit(demo: Demo) -> None:
    demo.run("-m", "accuracy")
    commit = committed(demo.path)
    demo.run("-m", "accuracy", "-n2")
    first, second = trends.known_runs(demo.path / ".quantgate" / "history.db")
    assert (first.revision, second.revision) == ("", commit)
    assert demo.results()["run"]["id"] == second.id


def test_the_history_is_switched_off_or_put_elsewhere(demo: Demo) -> None:
    demo.run("-m", "accuracy", "--qg-history=off")
    assert not list(demo.path.rglob("history.db"))
    demo.run("-m", "accuracy", "--qg-history=kept/all.db")
    assert len(trends.known_runs(demo.path / "kept" / "all.db")) == 1


def test_a_history_that_cannot_be_written_is_a_loud_line_and_the_verdicts_stand(demo: Demo) -> None:
    (demo.path / "broken.db").write_text("no database " * 99)
    result = demo.run("-m", "accuracy", "--qg-history=broken.db")
    assert result.ret == 0
    assert "this run is not in the history: history" in output(result)
