"""What a process publishes is read back as it was."""

from __future__ import annotations

import dataclasses

import pytest
from builders import INT8, measurement

from harness import ConfigError, Measurement, Verdict
from harness.store.records import Record

VERDICT = Verdict("map", "baseline", "regressed", 0.4, 0.41, "≥ 0.408")


def test_a_record_is_read_as_it_was_published(tmp_path):
    measured = dataclasses.replace(measurement(), notes=[])
    record = Record("made", "accuracy", measured, (VERDICT,), {"map": 0.41, "map_small": None})
    record.publish(tmp_path)
    assert Record.read(Record.path(tmp_path, "made", "accuracy", INT8)) == record


def test_a_test_that_has_not_finished_has_no_record(tmp_path):
    assert Record.read(Record.path(tmp_path, "made", "latency", INT8)) is None


def test_a_record_lies_in_the_folder_of_its_run_by_suite_cell_and_phase(tmp_path):
    assert Record.path(tmp_path, "made", "latency", INT8) == tmp_path / "made" / f"{INT8}.latency.record.json"


def test_a_failure_and_an_explanation_are_read_as_they_were_published(tmp_path):
    failed = Measurement(INT8, failure=("unavailable", "no runtime"), notes=[])
    record = Record("made", "accuracy", failed, explanation={"cell": INT8.id, "stages": []})
    record.publish(tmp_path)
    assert Record.read(Record.path(tmp_path, "made", "accuracy", INT8)) == record


def test_a_record_that_cannot_be_written_is_one_line_that_names_the_option(tmp_path):
    (tmp_path / "made").write_text("not a folder")
    with pytest.raises(ConfigError, match=r"record\.json cannot be written: .*with --qg-results-dir"):
        Record("made", "accuracy", measurement()).publish(tmp_path)
