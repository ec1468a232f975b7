"""What a fresh process reports of the machine, and how a target is handed to the other side of a gate."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from builders import FP32

from harness import ConfigError
from harness.core.measurement import Artifact
from harness.core.processes import PRESSURE, STEAL, SWITCHES, Identity, Interference, Target

TARGET = Target(FP32, Artifact("model.onnx", "k1", 1), "pixels.npy", {"network": "n on ort 1", "numpy": "p"})


def test_a_machine_at_its_limits_is_quiet():
    assert Interference(STEAL, PRESSURE, SWITCHES).high == ""


@pytest.mark.parametrize(
    ("seen", "high"),
    [
        (Interference(0.011, 0.0, 0.0), "steal 1.1%"),
        (Interference(0.0, 0.06, 0.0), "CPU pressure 6%"),
        (Interference(0.0, 0.0, 21.0), "21 involuntary context switches a second"),
        (
            Interference(0.02, 0.4, 90.0),
            "steal 2.0%, CPU pressure 40%, 90 involuntary context switches a second",
        ),
    ],
)
def test_everything_above_its_limit_is_named(seen, high):
    assert seen.high == high


@pytest.mark.parametrize("unknown", ["steal", "pressure", "switches"])
def test_what_the_system_does_not_tell_disturbs_nothing(unknown):
    busy = Interference(1.0, 1.0, 100.0)
    told = dataclasses.replace(busy, **{unknown: None}).high
    assert told.count(",") == 1
    assert Interference(None, None, None).high == ""


def test_a_process_of_a_target_measures_its_artifact_and_references():
    assert TARGET.identity == Identity("k1", {"network": "n on ort 1", "numpy": "p"})


def test_a_target_is_published_whole_under_its_suite_and_cell(tmp_path: Path):
    TARGET.publish(tmp_path, "digits")
    written = json.loads((tmp_path / "digits" / f"{FP32.id}.target.json").read_text())
    assert written == json.loads(json.dumps(dataclasses.asdict(TARGET)))
    assert written["cell"]["imgsz"] == [640, 640]


def test_a_target_that_cannot_be_published_names_the_option_of_another_folder(tmp_path: Path):
    (tmp_path / "digits").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="name another folder with --qg-results-dir"):
        TARGET.publish(tmp_path, "digits")


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"references": {"network": "another"}}, True),  # follows from the environment
        ({"artifact": Artifact("elsewhere.onnx", "k1", 1)}, True),
        ({"artifact": Artifact("model.onnx", "k2", 1)}, False),
        ({"python": "/another/python"}, False),
        ({"package": "/tree/harness"}, False),
        ({"pixels": "other.npy"}, False),
        ({"cell": dataclasses.replace(FP32, batch=2)}, False),
    ],
)
def test_only_the_same_file_in_the_same_code_and_environment_needs_no_measuring(changes, same: bool) -> None:
    assert TARGET.same(dataclasses.replace(TARGET, **changes)) == same
