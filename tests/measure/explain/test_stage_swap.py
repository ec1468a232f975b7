"""One stage swapped at a time, with scripted networks, and which stage takes the blame."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from builders import dataset, null_weights
from jobs import Silent

from harness import ConfigError, Decoding
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.judge.gates import AGREEMENT
from harness.measure.explain.stage_swap import Stage, WalkJob, blamed

SIZE = 64
INT8 = Cell("model:e2e", "int8", "null", imgsz=SIZE)
CAT, DOG = (1, 10, (8, 8, 16, 16)), (1, 11, (40, 8, 16, 16))
ON_CAT, ON_DOG = [8, 8, 24, 24, 0.9, 0], [40, 8, 56, 24, 0.8, 1]


@pytest.fixture
def walk(tmp_path):
    """Walks a null cell that finds `cell`, whose fp32 finds `fp32`."""

    def artifact(name, rows):
        weights = null_weights(tmp_path / f"{name}.json", detections=rows)
        return Artifact(str(weights), name, 1, {"names": json.loads(weights.read_text())["names"]})

    def run(cell, fp32=None):
        made = dataset(1, [CAT, DOG])
        images = tuple(dataclasses.replace(image, width=SIZE, height=SIZE) for image in made.images)
        np.save(tmp_path / "pixels.npy", np.zeros((1, 3, SIZE, SIZE), np.uint8))
        exported = (INT8.sibling("fp32"), artifact("fp32", fp32)) if fp32 is not None else None
        return WalkJob(
            INT8, artifact("int8", cell), exported, None, None, dataclasses.replace(made, images=images),
            str(tmp_path / "pixels.npy"), Decoding(), 0.25,
        ).run(Silent())  # fmt: skip

    return run


def stages(walked):
    return {stage.name: stage for stage in walked.stages}


def test_every_stage_has_its_place_and_those_that_cannot_run_a_reason(walk):
    walked = walk([ON_CAT], fp32=[ON_CAT, ON_DOG])
    assert list(stages(walked)) == ["reference", "export", "quantization", "head", "NMS"]
    assert {name: stage.skipped for name, stage in stages(walked).items() if stage.skipped} == {
        "reference": "the model is no checkpoint that PyTorch opens",
        "head": "one with the quantization: null keeps no names of tensors",
        "NMS": "the network ends in its detections",
    }


def test_a_step_is_held_against_the_step_before_it(walk):
    found = stages(walk([ON_CAT], fp32=[ON_CAT, ON_DOG]))
    assert (found["export"].against, found["quantization"].against) == ("", "export")
    assert found["export"].map == pytest.approx(1)
    assert found["quantization"].map == pytest.approx(0.5)


def test_all_pipelines_agree_or_not_with_the_first_that_runs(walk):
    walked = walk([[*ON_CAT[:4], 0.6, 0]], fp32=[ON_CAT, ON_DOG])
    assert (stages(walked)["export"].agreement, stages(walked)["export"].score_shift) == (1, 0)
    assert stages(walked)["quantization"].agreement == 0.5
    assert stages(walked)["quantization"].score_shift == pytest.approx(-0.3)
    assert walked.reference.per_class == {"cat": pytest.approx(1), "dog": pytest.approx(1)}
    assert walked.cell.per_class == {"cat": pytest.approx(1), "dog": 0}
    assert walked.names == ("cat", "dog")


def test_a_cell_without_any_fp32_has_nothing_to_compare_with(walk):
    with pytest.raises(ConfigError, match="model~e2e-int8-null-cpu has nothing to compare with"):
        walk([ON_CAT])


def test_the_blame_follows_from_the_walk(walk):
    assert blamed(walk([ON_CAT], fp32=[ON_CAT, ON_DOG]).stages) == "quantization"
    assert blamed(walk([ON_CAT, ON_DOG], fp32=[ON_CAT, ON_DOG]).stages) == ""


# Who takes the blame

REFERENCE = Stage("reference", "", 0.75, 1.0, 0.0)
EXPORT = Stage("export", "reference", 0.75, 1.0, 0.0)


def quantization(ap, agreement):
    return Stage("quantization", "export", ap, agreement, 0.0)


def head(ap, agreement):
    return Stage("head", "quantization", ap, agreement, 0.0)


def test_the_step_that_lost_most_map_is_blamed():
    assert blamed([REFERENCE, EXPORT, quantization(0.74, 0.98), head(0.70, 0.97)]) == "head"
    assert blamed([REFERENCE, EXPORT, quantization(0.70, 0.98), head(0.69, 0.80)]) == "quantization"


def test_where_no_step_lost_map_the_agreement_decides():
    assert blamed([REFERENCE, EXPORT, quantization(0.76, 0.98), head(0.76, 0.90)]) == "head"


def test_where_the_cell_no_longer_agrees_the_agreement_decides_whatever_map_says():
    lost_map = quantization(0.70, 0.98)
    assert blamed([REFERENCE, EXPORT, lost_map, head(0.71, AGREEMENT)]) == "quantization"
    assert blamed([REFERENCE, EXPORT, lost_map, head(0.71, AGREEMENT - 0.01)]) == "head"


def test_a_stage_that_is_swapped_sideways_or_skipped_never_takes_the_blame():
    aside = Stage("preprocessing", "reference", 0.10, 0.1, 0.0)
    skipped = Stage("NMS", "quantization", skipped="the network ends in its detections")
    assert blamed([REFERENCE, aside, EXPORT, quantization(0.74, 0.98), skipped]) == "quantization"


def test_without_numbers_nobody_is_blamed():
    assert blamed([]) == ""
    assert blamed([REFERENCE, EXPORT, quantization(None, None)]) == ""
