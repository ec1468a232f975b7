"""The base of a gate: when both sides open the same file, what the base has and lacks, and how it is read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from builders import FP32, INT8, MACHINE, measurement

from harness.core.errors import ConfigError
from harness.core.measurement import Artifact, Measurement, Observation, measurement_to_json
from harness.core.processes import Side, Target
from harness.store import baselines
from harness.store.base_revision import Base, other_versions
from harness.store.baselines import BaselineFile
from harness.store.results import CellResult, Plan, PlannedCell, results_to_json

TARGET = Target(FP32, Artifact("model.onnx", "k1", 1), "pixels.npy", {"network": "n"})
BASE = Base("HEAD~1 (1a2b3c4)", ("quantgate", "gate"), "python", "/tree", "")


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """A base that scored fp32, could not run int8, and left the target of fp32."""
    rows = [
        CellResult("s", FP32.id, FP32, "met", None, Measurement(FP32)),
        CellResult("s", INT8.id, INT8, "error", "it crashed", Measurement(INT8)),
    ]
    plan = Plan("s", "test_s.py", (), tuple(PlannedCell(row.cell, ("accuracy",)) for row in rows if row.cell))
    (tmp_path / "results.json").write_text(json.dumps(results_to_json([plan], rows, MACHINE, "pytest")))
    TARGET.publish(tmp_path / "runs" / "one", "s")
    made = dataclasses.replace(BASE, results=str(tmp_path))
    made.write(tmp_path / "base.json")
    return Base.read(tmp_path / "base.json")


def test_a_base_is_read_back_with_what_its_run_left(base: Base) -> None:
    assert base.target("s", FP32) == TARGET
    assert base.target("s", INT8) is None
    assert base.side == Side("the base", "python", {"PYTHONPATH": "/tree"})
    assert base.removed("s", [FP32]) == [INT8.id]
    assert dataclasses.replace(base, allow_removed=True).removed("s", [FP32]) == []
    assert base.removed("another", [FP32]) == []


def test_what_a_base_lacks_has_a_reason(base: Base) -> None:
    assert base.lacks("s", INT8) == f"error on the base {BASE.title}: it crashed"
    assert base.lacks("s", dataclasses.replace(FP32, model="m")) == f"new: the base {BASE.title} has no such cell"
    assert "older than `quantgate gate`?" in base.lacks("s", FP32)
    assert BASE.lacks("s", FP32).startswith("new: "), "no suite, no cell"
    assert BASE.target("s", FP32) is None


def test_a_file_that_is_no_base_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"--qg-base .*base\.json: KeyError 'command'; `quantgate gate` writes it"):
        Base.read(tmp_path / "base.json")


def test_versions_that_differ_from_the_base_s_are_noted(tmp_path: Path) -> None:
    def at(**versions: str) -> Measurement:
        return dataclasses.replace(measurement(), provenance={"versions": versions})

    def base(**versions: str) -> Observation | None:
        """The base's accuracy as the candidate's run reads it."""
        file = BaselineFile(tmp_path, "s", "accuracy", "avx2", INT8.id)
        baselines.save_baseline(file, at(**versions))
        return baselines.load_baseline(file)

    noted = other_versions(at(onnx="1", onnxruntime="2", nncf="3"), base(onnx="1", onnxruntime="1", torch="2"))
    assert noted.notes == (
        "nncf absent on the base, 3 here",
        "onnxruntime 1 on the base, 2 here",
        "torch 2 on the base, absent here",
    )
    assert measurement_to_json(noted)["notes"] == noted.notes
    assert other_versions(at(onnx="1"), base(onnx="1")).notes == ()
    assert other_versions(at(onnx="1"), base()).notes == (), "a base that does not say"
    assert other_versions(at(onnx="1"), None).notes == ()
