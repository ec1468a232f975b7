"""`quantgate export`: the artifact as it was built, and a card that tells the truth about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import sha
from demoproject import FP32, LOOSE, Demo

from harness.commands.cli import main


@pytest.fixture
def here(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Demo:
    monkeypatch.chdir(demo.path)
    return demo


def exported(*options: str) -> int:
    return main(["export", FP32, "-o", "out", "--suite", ".", *options])


def card(here: Demo) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((here.path / "out" / "card.json").read_text())
    return content


def test_a_cell_that_was_never_built_is_built_and_its_files_are_named_by_hash(
    here: Demo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(here.path / "cold"))
    assert exported() == 0
    printed = capsys.readouterr().out
    assert "out: model.json (built, 0.00 MB), card.json, README.md" in printed
    assert "metrics: not measured: no last results of this cell" in printed
    known = card(here)
    assert {file.name for file in (here.path / "out").iterdir()} == {"model.json", "card.json", "README.md"}
    assert known["files"] == {"model.json": sha(here.path / "model.json")}
    assert (known["cell"], known["suite"], known["names"]) == (FP32, "demo", ["box"])
    assert known["recipe"]["build"] == "null:copy"
    assert known["input"]["shape"] == [1, 3, 64, 64]
    assert (known["output"]["layout"], known["output"]["shape"]) == ("e2e", [1, 1, 6])
    assert known["decoding"] == {"conf": 0.001, "iou": 0.7, "max_det": 300, "operating_conf": 0.25}
    assert known["metrics"] is None


def test_metrics_are_those_of_the_last_results_of_this_artifact(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    here.run("-m", "accuracy")
    assert exported() == 0
    assert "out: model.json (from the cache" in capsys.readouterr().out
    known = card(here)
    assert known["metrics"]["map"] == pytest.approx(1.0)
    assert known["status"] == "no-baseline"
    readme = (here.path / "out" / "README.md").read_text()
    assert "| map | 1 |" in readme and "4 images of" in readme


def test_metrics_of_another_artifact_are_left_out(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    here.run("-m", "accuracy")
    here.model("model", LOOSE)
    assert exported() == 0
    assert "the last results are of another artifact (weights differ)" in capsys.readouterr().out
    assert card(here)["metrics"] is None


def test_a_folder_that_is_there_is_not_overwritten(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    (here.path / "out").mkdir()
    (here.path / "out" / "mine").write_text("")
    assert exported() == 2
    assert "out is there already" in capsys.readouterr().err
    assert [file.name for file in (here.path / "out").iterdir()] == ["mine"]
    (here.path / "out" / "mine").unlink()
    assert exported() == 0, "an empty one is taken"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--suite", "data"], "declares no suite"),
        (["--results", "none.json"], "none.json is not a results.json"),
    ],
)
def test_what_cannot_be_found_is_one_line(
    here: Demo, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert exported(*options) == 2
    assert message in capsys.readouterr().err
    assert not (here.path / "out").exists()


def test_a_cell_that_cannot_be_built_is_the_machine_s_fault(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    here.suite(precisions=["w8a16"])
    assert main(["export", "model-w8a16-null-cpu", "-o", "out", "--suite", "."]) == 3
    assert "no w8a16 recipe for null" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_leaves_nothing(here: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main(["export", FP32, "-o", "file/out", "--suite", "."]) == 2
    assert "cannot be written" in capsys.readouterr().err
