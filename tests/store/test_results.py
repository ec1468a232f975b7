"""All processes' records become one `results.json` that its schema describes."""

from __future__ import annotations

import json

import jsonschema
import pytest
from builders import FP32, INT8, MACHINE
from published import BOTH, plan

from harness import ConfigError
from harness.store.gather import gather
from harness.store.results import (
    SCHEMA_FILE,
    Plan,
    load_results,
    read_cells,
    results_file,
    results_to_json,
)


def validate(content):
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(content, allow_nan=False)))


def test_the_plan_keeps_the_order_of_the_suite_and_survives_json(run):
    made = plan(phases={INT8: ("latency",), FP32: BOTH})
    assert [planned.cell for planned in made.cells] == [FP32, INT8]
    made.publish(run)
    assert Plan.read(run / "made.plan.json") == made


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


def test_results_are_named_by_their_file_or_by_its_folder(tmp_path):
    assert results_file(tmp_path) == tmp_path / "results.json"
    assert results_file(tmp_path / "kept.json") == tmp_path / "kept.json"
