"""The accuracy job: what is fed, how outputs are read, which names classes have, and what comes back."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from builders import dataset, detections, null_weights
from jobs import Silent

from harness import ConfigError, Decoding
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.measure.accuracy.bootstrap import RESAMPLES
from harness.measure.accuracy.detections_file import detections_digest, load_detections, stored_class_names
from harness.measure.accuracy.score import ScoreJob, class_names_of, detect, remarks
from harness.tasks.base import Detections, OutputLayout

SIZE = 64
CELL = Cell("model", "fp32", "null", imgsz=SIZE)
CAT = (8.0, 8.0, 16.0, 16.0)  # x, y, width, height
ON_CAT = [8, 8, 24, 24, 0.9, 0]


def squares(images, annotations=(), names=("cat", "dog")):
    """A data set of images of 64 × 64 pixels, which the letterbox leaves as they are."""
    made = dataset(images, annotations, names)
    return dataclasses.replace(
        made, images=tuple(dataclasses.replace(image, width=SIZE, height=SIZE) for image in made.images)
    )


def job(folder, data, script, **changes):
    """A job of the null backend, which finds the boxes of `script` in every image."""
    weights = null_weights(folder / "model.json", **script)
    np.save(folder / "pixels.npy", np.zeros((len(data.images), 3, SIZE, SIZE), np.uint8))
    meta = {"names": json.loads(weights.read_text())["names"]}
    made = ScoreJob(
        CELL, Artifact(str(weights), "key", 1, meta), data, str(folder / "pixels.npy"), Decoding(),
        str(folder / "found.npz"),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


class Recorder:
    """A session that answers every batch with one output, and keeps what it was fed."""

    def __init__(self, output):
        self.output, self.fed = output, []

    def infer(self, batch):
        self.fed.append(batch)
        return (self.output,)


class Progress(Silent):
    """A channel that keeps the progress."""

    def __init__(self):
        self.told = []

    def progress(self, done, total):
        self.told.append((done, total))


# What comes back


def test_a_detector_that_finds_everything_scores_1(tmp_path):
    data = squares(3, [(n, 10, CAT) for n in (1, 2, 3)])
    scored = job(tmp_path, data, {"detections": [ON_CAT], "executed": {"f32": 7, "i8": 3}}).run(Silent())
    assert scored.metrics["map"] == pytest.approx(1)
    assert (scored.metrics["recall_op"], scored.metrics["f1_op"]) == (1, 1)
    assert scored.per_class == {"cat": pytest.approx(1), "dog": None}
    assert scored.instances == {"cat": 3, "dog": 0}
    assert scored.executed == {"f32": 7, "i8": 3}
    assert scored.unknown == ()
    assert scored.infer_s > 0


def test_the_detections_are_written_and_addressed_by_their_hash(tmp_path):
    made = job(tmp_path, squares(2, [(1, 10, CAT)]), {"detections": [ON_CAT]})
    scored = made.run(Silent())
    found = load_detections(tmp_path / "found.npz")
    assert [one.boxes.tolist() for one in found] == [[[8, 8, 24, 24]]] * 2
    assert scored.detections == detections_digest(found)
    assert stored_class_names(tmp_path / "found.npz") == ["cat", "dog"]


def test_map_is_resampled_to_six_decimals(tmp_path):
    scored = job(tmp_path, squares(3, [(1, 10, CAT), (2, 10, CAT)]), {"detections": [ON_CAT]}).run(Silent())
    assert scored.resampled.keys() == {"map"}
    assert len(scored.resampled["map"]) == RESAMPLES
    assert all(value == round(value, 6) for value in scored.resampled["map"])


def test_other_metrics_are_resampled_on_demand_and_the_boxes_of_a_detector_are_not_apart(tmp_path):
    data = squares(2, [(1, 10, CAT)])
    scored = job(tmp_path, data, {"detections": [ON_CAT]}, resampled=("map_50", "box_map")).run(Silent())
    assert scored.resampled.keys() == {"map_50"}


def test_the_operating_threshold_decides_what_recall_and_f1_count(tmp_path):
    scored = job(tmp_path, squares(1, [(1, 10, CAT)]), {"detections": [ON_CAT]}, operating_conf=0.95).run(Silent())
    assert (scored.metrics["recall_op"], scored.metrics["f1_op"]) == (0, 0)
    assert scored.metrics["map"] == pytest.approx(1)


def test_classes_that_the_model_does_not_know_are_named(tmp_path):
    data = squares(1, [(1, 10, CAT)], names=("cat", "dog", "unicorn"))
    assert job(tmp_path, data, {"detections": [ON_CAT]}).run(Silent()).unknown == ("unicorn",)


def test_a_model_that_knows_no_class_of_the_data_set_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="none of its classes"):
        job(tmp_path, squares(1, [(1, 10, CAT)], names=("ship",)), {"detections": [ON_CAT]}).run(Silent())


def test_progress_is_told_batch_by_batch(tmp_path):
    channel = Progress()
    cell = dataclasses.replace(CELL, batch=2)
    job(tmp_path, squares(3, [(1, 10, CAT)]), {"detections": [ON_CAT]}, cell=cell).run(channel)
    assert channel.told == [(2, 3), (3, 3)]


# What is fed


def test_the_last_batch_is_filled_up_with_black_images_that_give_no_detections():
    cell = dataclasses.replace(CELL, batch=2)
    session = Recorder(np.array([[ON_CAT], [ON_CAT]], np.float32))
    artifact = Artifact("", "", 1, {"names": ["cat", "dog"]})
    seen = detect(session, cell, artifact, squares(3), np.full((3, 3, SIZE, SIZE), 255, np.uint8), Decoding())
    assert len(seen.found) == 3
    assert [batch.shape for batch in session.fed] == [(2, 3, SIZE, SIZE)] * 4  # a look at the images comes first
    assert [batch.mean(axis=(1, 2, 3)).tolist() for batch in session.fed[2:]] == [[1, 1], [1, 0]]


def test_yolox_is_fed_blue_green_red_up_to_255():
    boxes = sum((SIZE // stride) ** 2 for stride in (8, 16, 32))
    offsets = np.random.default_rng(0).normal(0, 0.5, (1, boxes, 4))
    session = Recorder(np.concatenate([offsets, np.full((1, boxes, 3), 0.1)], axis=2).astype(np.float32))
    artifact = Artifact("", "", 1, {"names": ["cat", "dog"]})
    red = np.zeros((1, 3, SIZE, SIZE), np.uint8)
    red[:, 0] = 255
    detect(session, CELL, artifact, squares(1), red, Decoding())
    assert session.fed[-1][0, :, 0, 0].tolist() == [0, 0, 255]


def test_another_decoder_gets_the_outputs_and_the_sizes_of_the_images():
    asked = []

    def decoder(outputs, layout, decoding, size, originals):
        asked.append((len(outputs), layout.layout, size, originals))
        return [Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))]

    session = Recorder(np.zeros((1, 300, 6), np.float32))
    artifact = Artifact("", "", 1, {"names": ["cat", "dog"]})
    pixels = np.zeros((1, 3, SIZE, SIZE), np.uint8)
    detect(session, CELL, artifact, squares(1), pixels, Decoding(), decoder=decoder)
    assert asked == [(1, "e2e", (SIZE, SIZE), [(SIZE, SIZE)])]


# What the detections tell


def test_what_cannot_be_right_is_remarked_on():
    here, there = detections([8, 8, 9, 9, 1.66, 0]), detections([8, 8, 9, 9, 0.9, 0])
    assert remarks([here, there], {"map": 0.0}) == (
        "scores of the detections reach 1.66, above 1",
        "all boxes lie within two pixels: they are no detections",
        "mAP is 0: no detection lies on an object of its class",
    )
    assert remarks([dataclasses.replace(there, dropped=3)], {"map": 0.5}) == (
        "3 detections with a number that is NaN or infinite are left out",
    )
    assert remarks([detections([8, 8, 9, 9, 0.9, 0], [30, 8, 39, 9, 0.9, 0])], {"map": 0.5}) == ()
    same_large_box = detections([8, 8, 20, 30, 0.9, 0])
    assert remarks([same_large_box, same_large_box], {"map": 1.0}) == ()


# Class names


def test_class_names_come_from_the_file_else_from_the_data_set_by_id():
    data = dataclasses.replace(squares(1), categories={7: "dog", 3: "cat"})
    layout = OutputLayout("raw", 0, 2)
    assert class_names_of(layout, CELL, Artifact("", "", 1, {"names": ["cow"]}), data) == ["cow"]
    assert class_names_of(layout, CELL, Artifact("", "", 1, {"names": None}), data) == ["cat", "dog"]
    any_number = OutputLayout("e2e", 0, None)
    assert class_names_of(any_number, CELL, Artifact("", "", 1, {"names": None}), data) == ["cat", "dog"]


def test_a_data_set_with_another_number_of_classes_names_none():
    expected = "the file carries no class names and has 80 classes, the data set made has 2"
    with pytest.raises(ConfigError, match=expected):
        class_names_of(OutputLayout("raw", 0, 80), CELL, Artifact("", "", 1, {"names": None}), squares(1))
