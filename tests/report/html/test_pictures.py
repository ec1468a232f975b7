"""Which images a report shows, and what it says where there are none."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from builders import detections
from PIL import Image
from reports import CAT, DOG, FAINT, FP32, INT8, keep_detections, regressed, result, scored

from harness.measure.accuracy.score_cache import detections_file
from harness.report.html.pictures import SIDE, fates, galleries, gallery, worst_cells


@pytest.fixture
def run(tmp_path):
    keep_detections(tmp_path)
    return tmp_path


def shown(run):
    (made,) = galleries(regressed(), run)
    return made


def test_what_differs_above_the_operating_confidence_is_lost_or_new():
    old, new = fates(detections(CAT, DOG), detections(CAT, FAINT), 0.25)
    assert (old.shared, old.different) == ([True, False], 1)
    assert (new.shared, new.different) == ([True], 0)


def test_the_images_that_changed_are_shown_and_no_others(run):
    made = shown(run)
    assert (made.cell, made.changed, made.images, made.missing) == (INT8.id, 2, 3, "")
    assert [(one.name, one.lost, one.new) for one in made.pictures] == [("2.png", 1, 0), ("3.png", 0, 1)]


def test_boxes_are_in_pixels_of_the_shrunken_picture_and_named(run):
    lost = shown(run).pictures[0]
    assert (lost.width, lost.height) == (SIDE, 200)
    kept, dog = lost.before
    assert (kept.fate, dog.fate, dog.name) == ("kept", "lost", "dog 0.60")
    assert (dog.left, dog.top, dog.width, dog.height) == (50, 40, 40, 35)
    (truth,) = lost.truth
    assert (truth.left, truth.width, truth.fate) == (50, 40, "truth")
    packed = base64.b64decode(lost.source.removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(packed)).size == (SIDE, 200)


def test_the_cells_are_those_that_an_accuracy_gate_fails_or_else_the_one_that_agrees_least():
    assert [one.cell for one in worst_cells(regressed())] == [INT8]
    close, far = (scored(INT8.sibling(f"int8:{name}")) for name in ("close", "far"))
    far = scored(far.cell, metrics={**far.metrics, "agreement": 0.8})
    assert [one.cell for one in worst_cells([result(FP32), *(result(m.cell, measured=m) for m in (close, far))])] == [
        far.cell
    ]
    same = scored(INT8, metrics={"map": 0.4, "agreement": 1.0})
    assert worst_cells([result(FP32), result(INT8, measured=same)]) == []


def test_detections_that_are_gone_are_said_to_be(run):
    detections_file(run, "int81").unlink()
    assert "int81.npz is not here" in shown(run).missing
    detections_file(run, "int81").write_bytes(b"other")
    assert "cannot be read" in shown(run).missing
    detections_file(run, "int81").write_bytes(detections_file(run, "fp320").read_bytes()[:-100])  # torn
    assert "cannot be read" in shown(run).missing


def test_images_that_are_gone_or_changed_are_said_to_be(run):
    (run / "images" / "2.png").unlink()
    made = shown(run)
    assert [one.name for one in made.pictures] == ["3.png"]
    (run / "images" / "3.png").write_bytes(b"another")
    assert "cannot be shown" in shown(run).missing


def test_a_class_without_a_name_keeps_its_number(run):
    with np.load(detections_file(run, "fp320")) as stored:
        kept = {name: stored[name] for name in stored if name != "names"}
    for name in ("fp320", "int81"):
        old = dict(np.load(detections_file(run, name)))
        np.savez(detections_file(run, name), **{key: old[key] for key in kept})
    assert shown(run).pictures[0].before[1].name == "class 1 0.60"


def test_at_most_so_many_pictures(run):
    cells = regressed()
    assert len(gallery(cells[2], cells[0], run, most=1).pictures) == 1
    assert galleries(cells, run, only=0) == []
