"""What a process publishes is read back as it was, and a file appears whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import json
import os

import pytest
from builders import FP32, INT8, measurement

from harness import ConfigError, Measurement, Verdict
from harness.core.files import write_text
from harness.core.measurement import measurement_from_json, measurement_to_json
from harness.store.records import Record

VERDICT = Verdict("map", "baseline", "regressed", 0.4, 0.41, "≥ 0.408")


@pytest.mark.parametrize(
    "measured",
    [
        dataclasses.replace(measurement(), samples={"latency_ms": [1.5]}, executed={"i8": 3}, notes=["note"]),
        Measurement(FP32, failure=("unavailable", "no runtime"), notes=[]),
    ],
)
def test_a_measurement_survives_json(measured):
    assert measurement_from_json(json.loads(json.dumps(measurement_to_json(measured)))) == measured


def test_a_record_is_read_as_it_was_published(tmp_path):
    measured = dataclasses.replace(measurement(), notes=[])
    record = Record("made", "accuracy", measured, (VERDICT,), {"map": 0.41, "map_small": None})
    record.publish(tmp_path)
    assert Record.read(Record.path(tmp_path, "made", "accuracy", INT8)) == record


def test_a_test_that_has_not_finished_has_no_record(tmp_path):
    assert Record.read(Record.path(tmp_path, "made", "latency", INT8)) is None


def test_folders_are_made_and_old_text_is_replaced(tmp_path):
    target = tmp_path / "a" / "b.json"
    write_text(target, "one", "--option")
    write_text(target, "two", "--option")
    assert target.read_text() == "two"
    assert os.listdir(target.parent) == ["b.json"]


@pytest.mark.parametrize("step", ["replace", "write"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch, step):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "b.json"
    write_text(target, "old", "--qg-results-dir")
    monkeypatch.setattr(*((os, "replace") if step == "replace" else (type(target), "write_bytes")), full)
    with pytest.raises(ConfigError, match=r"b\.json cannot be written: No space left.*with --qg-results-dir"):
        write_text(target, "new", "--qg-results-dir")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["b.json"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ConfigError, match=r"cannot be written: .*name another folder with --option"):
        write_text(tmp_path / "file" / "below.json", "new", "--option")
    assert (tmp_path / "file").read_text() == "kept"
