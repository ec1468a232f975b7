"""All processes' records become one `results.json` that its schema describes."""

from __future__ import annotations

import json

import jsonschema
import pytest
from builders import FP32, INT8, MACHINE, measurement

from harness import ConfigError, Gate, Measurement, Suite, Verdict
from harness.store.records import Record
from harness.store.results import (
    SCHEMA_FILE,
    Plan,
    gather,
    intervals,
    load_results,
    plan_of,
    read_cells,
    results_file,
    results_to_json,
)

GATES = (Gate("map", max_drop=0.002, precisions=["int8"]),)
REGRESSED = Verdict("map", "baseline", "regressed", 0.4, 0.41, "≥ 0.408")
BOTH = ("accuracy", "latency")


def plan(name="made", phases=None, stale=()):
    return plan_of(Suite(name, "coco8", (FP32, INT8), GATES), "suites/test_made.py", phases, stale, 2)


@pytest.fixture
def run(tmp_path):
    """A run that finished everything of fp32, and of int8 only the accuracy test."""
    plan(phases={FP32: BOTH, INT8: BOTH}, stale=["old-cell"]).publish(tmp_path)
    timed = Measurement(
        FP32, metrics={"latency_p50_ms": 9.5}, samples={"latency_ms": [9.5]}, timings={"latency_s": 1.0}
    )
    Record("made", "accuracy", measurement(FP32), (), {"map": 0.4}).publish(tmp_path)
    Record("made", "latency", timed, (), {"latency_p50_ms": 9.0}).publish(tmp_path)
    Record("made", "accuracy", measurement(INT8), (REGRESSED,)).publish(tmp_path)
    return tmp_path


def validate(content):
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(content, allow_nan=False)))


def test_both_phases_of_a_cell_are_one_row(run):
    _, (fp32, *_) = gather(run)
    assert fp32.metric("map") == 0.4185
    assert fp32.metric("latency_p50_ms") == 9.5
    assert fp32.baseline == {"map": 0.4, "latency_p50_ms": 9.0}
    assert (fp32.status, fp32.reason) == ("met", None)


def test_a_phase_that_did_not_finish_is_an_error_worse_than_any_verdict(run):
    _, (_, int8, _) = gather(run)
    assert int8.status == "error"
    assert int8.reason.startswith("test_latency did not finish")
    assert int8.verdicts == (REGRESSED,)


def test_a_phase_that_was_not_selected_is_not_missed(run):
    plan(phases={INT8: ("accuracy",)}).publish(run)
    _, (int8,) = gather(run)
    assert (int8.status, int8.reason) == ("regressed", None)


def test_a_cell_that_only_the_baselines_have_is_missing(run):
    _, (*_, gone) = gather(run)
    assert (gone.id, gone.status, gone.cell, gone.measured) == ("old-cell", "missing", None, None)


@pytest.mark.parametrize("failure", [("unavailable", "no runtime"), ("error", "crashed")])
def test_a_failure_is_the_status_with_its_reason(run, failure):
    for phase in BOTH:
        Record("made", phase, Measurement(INT8, failure=failure)).publish(run)
    _, (_, int8, _) = gather(run)
    assert (int8.status, int8.reason) == failure


def test_the_plan_keeps_the_order_of_the_suite_and_survives_json(run):
    made = plan(phases={INT8: ("latency",), FP32: BOTH})
    assert [planned.cell for planned in made.cells] == [FP32, INT8]
    made.publish(run)
    assert Plan.read(run / "made.plan.json") == made


def test_suites_do_not_mix(run):
    plan("other", {FP32: ("accuracy",)}).publish(run)
    plans, results = gather(run)
    assert [plan.suite for plan in plans] == ["made", "other"]
    assert results[-1].status == "error"
    assert results[0].status == "met"


def test_results_json_is_what_its_schema_says(run):
    content = results_to_json(*gather(run), MACHINE, command="pytest suites")
    validate(content)
    assert [cell["id"] for cell in content["cells"]] == [FP32.id, INT8.id, "old-cell"]
    assert content["environment"]["command"] == "pytest suites"
    assert content["suites"][0]["gates"][0]["metric"] == "map"


def test_the_schema_refuses_other_statuses_and_unknown_keys(run):
    content = results_to_json(*gather(run), MACHINE, command="")
    for change in ({"status": "green"}, {"surprise": 1}, {"verdicts": [{"metric": "map"}]}):
        broken = {**content, "cells": [{**content["cells"][0], **change}]}
        with pytest.raises(jsonschema.ValidationError):
            validate(broken)


def test_results_are_read_as_they_were_written(run):
    plans, results = gather(run)
    file = run / "results.json"
    file.write_text(json.dumps(results_to_json(plans, results, MACHINE, "")))
    back = read_cells(file)
    assert results_to_json(plans, back, MACHINE, "") == results_to_json(plans, results, MACHINE, "")
    assert [result.status for result in back] == [result.status for result in results]


def test_a_size_of_one_number_by_an_older_quantgate_is_a_square(run):
    content = results_to_json(*gather(run), MACHINE, "")
    older = {**content, "schema": 1, "cells": content["cells"][:1]}
    older["cells"][0]["cell"]["imgsz"] = older["cells"][0]["provenance"]["imgsz"] = 640
    file = run / "results.json"
    file.write_text(json.dumps(older))
    read = load_results(file)
    assert read.schema == 1
    (result,) = read.cells
    assert result.cell.imgsz == (640, 640)
    assert result.measured.provenance["imgsz"] == [640, 640]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 3}', "has schema 3, this quantgate reads up to 2; upgrade"),
        ('{"schema": 1, "cells": [{}]}', "is not a results.json: KeyError"),
        ('{"schema": 1', "is not a results.json: JSONDecodeError"),
        ("[]", "is not a results.json: TypeError"),
        (None, "is not a results.json: FileNotFoundError"),
    ],
)
def test_anything_else_is_one_line(tmp_path, text, message):
    file = tmp_path / "results.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        read_cells(file)
    assert "\n" not in str(raised.value)


def test_an_interval_that_a_killed_process_left_half_written_is_skipped(tmp_path):
    assert intervals(tmp_path) == [], "nothing held the machine"
    (tmp_path / "intervals.jsonl").write_text('{"kind": "timed", "start": 1.0}\n{"kind": "heavy", "st')
    assert intervals(tmp_path) == [{"kind": "timed", "start": 1.0}]


def test_results_are_named_by_their_file_or_by_its_folder(tmp_path):
    assert results_file(tmp_path) == tmp_path / "results.json"
    assert results_file(tmp_path / "kept.json") == tmp_path / "kept.json"
