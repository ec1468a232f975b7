"""What the report says of one suite beside its figures: where accuracy went, gates, versions, hashes."""

from __future__ import annotations

import dataclasses

from reports import FP32, INT8, explained, read, regressed, result, scored

from harness import Gate
from harness.report.html.pictures import Gallery
from harness.report.html.sections import declaration, hashes, losses, sections, versions


def test_an_explained_cell_says_where_and_which_errors_it_has_more_of():
    (loss,) = losses([result(FP32), result(INT8, explanation=explained())], [], first=5)
    assert (loss.index, loss.id) == (6, INT8.id)
    assert loss.said.startswith("Most was lost in export (mAP 0.4000 → 0.3000")
    assert loss.changed.counts["missed"] == 2
    assert round(loss.changed.cost["background"], 6) == 0.03


def test_a_gallery_stands_without_an_explanation_and_a_missing_one_does_not():
    cells = [result(FP32), result(INT8)]
    (loss,) = losses(cells, [Gallery(INT8.id, (), 2, 3)], 0)
    assert (loss.gallery.changed, loss.said) == (
        2,
        "No gate of accuracy failed; this cell agrees least with its fp32 sibling",
    )
    (worse,) = losses(regressed(), [Gallery(INT8.id, (), 2, 3)], 0)
    assert worse.said == ""
    assert losses(cells, [Gallery(INT8.id, missing="gone")], 0) == []


def test_cells_are_counted_through_all_suites(tmp_path):
    other = [dataclasses.replace(one, suite="other") for one in regressed()]
    made = sections(read(tmp_path, [*regressed(), *other]), tmp_path, None)
    assert [[row.index for row in section.rows] for section in made] == [[0, 1, 2], [3, 4, 5]]
    assert made[1].unpictured == [f"{tmp_path}/datasets/dd22.json is not here: the results were moved without it"]
    assert (made[0].timed, made[0].gated, made[0].scored, made[0].models) == (True, True, True, ["yolo26n"])


def test_gates_are_written_as_in_a_suite():
    assert declaration(Gate("map", max_drop=0.02, against="fp32", backends="torch")) == (
        "Gate('map', max_drop=0.02, against='fp32', backends=['torch'])"
    )
    assert declaration(Gate("attested_share", min=0.65)) == "Gate('attested_share', min=0.65)"


def test_versions_that_differ_are_all_told():
    other = scored(INT8, provenance={"versions": {"onnxruntime": "1.31.0"}})
    assert versions([result(FP32), result(INT8, measured=other)]) == [("onnxruntime", ["1.30.0", "1.31.0"])]


def test_hashes_trace_a_cell_to_its_inputs():
    (row,) = hashes([result(INT8)])
    assert row == {
        "cell": INT8.id, "weights": "aa11", "data": "dd22", "recipe": "onnx:static_int8", "detections": "int80",
        "calibration": "cc33 (64 images)",
    }  # fmt: skip
