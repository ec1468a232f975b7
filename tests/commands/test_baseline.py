"""`quantgate baseline`: results of a run elsewhere become what that run would have written itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from demoproject import FP32, INT8, LOOSE, Demo
from repositories import committed

from harness.commands.cli import main
from harness.machine import fingerprint
from harness.store.baselines import BaselineFile

REASON = ["--reason", "new boxes, #12"]


@pytest.fixture
def here(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Demo:
    monkeypatch.chdir(demo.path)
    demo.suite(precisions=["fp32", "int8"])
    return demo


@pytest.fixture
def measured(here: Demo) -> Demo:
    """The project after a run that accepted nothing."""
    here.run("-m", "accuracy")
    return here


def edited(demo: Demo, **changes: Any) -> None:
    """Another results.json: `changes` are of its first cell, or of the environment."""
    file = demo.path / ".quantgate" / "results.json"
    content = json.loads(file.read_text())
    for name, value in changes.items():
        (content["cells"][0] if name in content["cells"][0] else content["environment"])[name] = value
    file.write_text(json.dumps(content))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["baseline", *arguments])
    out, err = capsys.readouterr()
    return code, out + err


def without_reason(files: dict[Path, bytes]) -> dict[str, Any]:
    contents = {file.as_posix().partition("/demo/")[2]: json.loads(content) for file, content in files.items()}
    for content in contents.values():
        content.pop("reason", None)
    return contents


def test_accepted_results_are_what_an_update_writes_and_say_why(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    here.suite(precisions=["fp32", "int8"], gates='Gate("map", max_drop=0.01), Gate("latency", max_rise=0.2)')
    here.run("--qg-baseline-update", "--qg-baseline-dir=updated", "-k", "not int8")
    updated = {file: file.read_bytes() for file in (here.path / "updated").rglob("*.json")}
    assert len(updated) == 2
    code, text = said(capsys, "accept", ".quantgate", *REASON)
    assert (code, "2 written, 0 unchanged" in text) == (0, True)
    assert {name.partition("demo/")[2]: content for name, content in without_reason(updated).items()} == {
        name.partition("demo/")[2]: content for name, content in without_reason(here.baselines()).items()
    }
    assert {json.loads(content)["reason"] for content in here.baselines().values()} == {"new boxes, #12"}
    assert "2 written" not in said(capsys, "accept", ".quantgate", *REASON)[1], "accepted once"


def test_a_run_with_the_accepted_results_is_unchanged(measured: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "accept", ".quantgate/results.json", *REASON)[0] == 0
    assert measured.run("-m", "accuracy", "--qg-require-baseline").ret == 0
    assert set(measured.statuses().values()) == {"unchanged"}


def test_a_dry_run_shows_what_changes_and_writes_nothing(measured: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "accept", ".quantgate", *REASON, "-k", "fp32")
    before = measured.baselines()
    measured.model("model", LOOSE)
    measured.run("-m", "accuracy")
    code, text = said(capsys, "accept", ".quantgate", *REASON, "--dry-run")
    assert code == 0
    (row,) = [line for line in text.splitlines() if FP32 in line]
    assert row.split() == [FP32, "1.0000", "→", "0.7000", "0.00", "changed"]
    assert "baselines: 2 to write, 0 unchanged" in text
    assert measured.baselines() == before


def test_they_belong_to_the_machine_that_measured(measured: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    edited(measured, isa="neon-i8mm", machine_class="graviton")
    assert said(capsys, "accept", ".quantgate", *REASON)[0] == 0
    assert {file.parent.name for file in measured.baselines()} == {"neon-i8mm"}
    assert fingerprint.isa() != "neon-i8mm"


def test_a_failed_cell_is_refused_before_anything_is_written(
    measured: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(measured, status="error", reason="test_accuracy did not finish")
    code, text = said(capsys, "accept", ".quantgate", *REASON)
    assert code == 2
    assert f"nothing is accepted of a cell that failed ({FP32}: test_accuracy did not finish)" in text
    assert not measured.baselines()
    assert said(capsys, "accept", ".quantgate", *REASON, "-k", f"not ({FP32})")[0] == 0
    assert [file.stem for file in measured.baselines()] == [INT8]


def test_a_regression_can_be_accepted_and_a_missed_limit_is_said(
    here: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    here.run("-m", "accuracy", "--qg-baseline-update")
    here.model("model", LOOSE)
    here.suite(precisions=["fp32", "int8"], gates='Gate("map", max_drop=0.01), Gate("map", min=0.9, backends="null")')
    assert here.run("-m", "accuracy").ret == 1
    code, text = said(capsys, "accept", ".quantgate", *REASON, "-k", "fp32")
    assert code == 0
    assert f"{FP32}: fails on, whatever the baseline: map missed: observed 0.7" in text
    assert here.run("-m", "accuracy", "-k", "int8").ret == 1


def test_other_data_are_not_accepted_into_the_suite_s_baselines(
    measured: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(measured, command="pytest --qg-dataset other")
    assert "measured with --qg-dataset" in said(capsys, "accept", ".quantgate", *REASON)[1]
    assert said(capsys, "accept", ".quantgate", *REASON, "--baselines", "others")[0] == 0


def test_what_is_not_comparable_is_said(measured: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "accept", ".quantgate", *REASON)
    content = json.loads((measured.path / ".quantgate" / "results.json").read_text())
    edited(measured, provenance={**content["cells"][0]["provenance"], "dataset": "other"})
    assert (
        f"{FP32}: not comparable with what it replaces: dataset differs"
        in (said(capsys, "accept", ".quantgate", *REASON)[1])
    )


def test_latency_that_a_run_did_not_record_is_left_as_it_is(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    here.suite(gates='Gate("latency", max_rise=0.2)')
    here.run()
    code, text = said(capsys, "accept", ".quantgate", *REASON)
    assert code == 0
    assert f"left as it is: {FP32}: latency: this run did not record the processes that judge it" in text
    assert {file.parts[-3] for file in here.baselines()} == {"accuracy"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([".quantgate", *REASON, "-k", "int4"], "has no such cell; it has model-fp32"),
        ([".quantgate", *REASON, "--suite", "other"], "has no such cell"),
        ([".quantgate", "--reason", " "], "--reason is empty"),
        (["test_demo.py", *REASON], "is not a results.json"),
    ],
)
def test_what_cannot_be_accepted_is_one_line(
    measured: Demo, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, text = said(capsys, "accept", *arguments)
    assert (code, text.count("\n")) == (2, 1)
    assert message in text
    assert not measured.baselines()


@pytest.mark.parametrize("name", ["../../elsewhere", "..", "", "/tmp", "a\\\\b"])
@pytest.mark.parametrize("known", ["demo", fingerprint.isa(), fingerprint.machine_class()])
def test_names_that_are_paths_write_nothing(
    measured: Demo, capsys: pytest.CaptureFixture[str], known: str, name: str
) -> None:
    before = sorted(measured.path.rglob("*"))
    file = measured.path / ".quantgate" / "results.json"
    file.write_text(file.read_text().replace(f'"{known}"', f'"{name}"'))
    assert "which is no name of a suite, cell or machine" in said(capsys, "accept", ".quantgate", *REASON)[1]
    assert sorted(measured.path.rglob("*")) == before


def test_a_reason_with_brackets_is_no_markup(measured: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "accept", ".quantgate", "--reason", "see [#12] and [/red]")[1]
    assert "because: see [#12] and [/red]" in text
    assert "[#12]" in said(capsys, "list")[1]


def test_an_anchor_stays_and_that_is_said(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    here.run("-k", "fp32", "--qg-baseline-update")
    file = BaselineFile(here.path / "baselines", "demo", "anchor", fingerprint.machine_class(), FP32).path
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert f"{FP32}: its anchor stays" in said(capsys, "accept", ".quantgate", *REASON)[1]


def test_list_and_show_tell_values_date_and_reason(measured: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "accept", ".quantgate", *REASON)
    code, text = said(capsys, "list", "-k", "int8")
    assert code == 0
    assert text.splitlines()[0].rstrip() == f"demo: accuracy on {fingerprint.isa()}"
    assert text.splitlines()[-1].split()[:5] == [INT8, "not", "committed", "1.0000", "0.00"]
    assert "new boxes, #12" in text
    committed(Path.cwd())
    assert "not committed" not in said(capsys, "list")[1]
    code, text = said(capsys, "show", INT8)
    assert code == 0
    assert "because" in text and "new boxes, #12" in text and "decoding.iou" in text
    assert said(capsys, "show", "model-int8-null-cpo")[1].endswith(f"did you mean '{INT8}'?\n")


def test_prune_removes_what_no_suite_declares_and_only_when_told(
    measured: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "accept", ".quantgate", *REASON)
    foreign = measured.path / "baselines" / "elsewhere" / "accuracy" / "avx2" / "x.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("{}")
    measured.suite(precisions=["fp32"])
    code, text = said(capsys, "prune", "--suite", ".")
    assert code == 0
    assert f"to remove: baselines/demo/accuracy/{fingerprint.isa()}/{INT8}.json" in text
    assert "kept: 1 baselines of suites that . does not declare (elsewhere)" in text
    assert len(measured.baselines()) == 2
    said(capsys, "prune", "--suite", ".", "--yes")
    assert [file.stem for file in measured.baselines()] == [FP32]
    assert foreign.exists()
    assert "every other baseline is of a cell" in said(capsys, "prune", "--suite", ".")[1]
    said(capsys, "prune", "--suite", ".", "--yes", "--whole-suites")
    assert not foreign.exists()
