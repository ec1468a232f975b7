"""The sensitivity sweep: groups, images, the table, and what is refused."""

from __future__ import annotations

import pytest
from builders import yolo
from onnx import helper

from harness import ConfigError
from harness.measure.explain.sensitivity import SplitJob, layer_groups

OBJECT = "0 0.5 0.5 0.4 0.4\n"


def graph(*nodes: tuple[str, str]):
    made = [helper.make_node(kind, ["x"], [name], name=name) for kind, name in nodes]
    return helper.make_model(helper.make_graph(made, "g", [], []))


def test_groups_are_modules_and_the_heads_branches_and_hold_a_convolution():
    found = layer_groups(
        graph(
            ("Conv", "/model.0/conv/Conv"), ("Mul", "/model.0/act/Mul"), ("Resize", "/model.11/Resize"),
            ("Conv", "/model.12/cv1/conv/Conv"), ("Softmax", "/model.12/attn/Softmax"),
            ("Conv", "/model.23/cv2.0/cv2.0.0/conv/Conv"), ("Conv", "/model.23/cv3.1/cv3.1.2/Conv"),
            ("Mul", "/model.23/Mul_2"), ("Concat", "/model.23/Concat_3"),
        )
    )  # fmt: skip
    assert found == {
        "0": ["/model.0/conv/Conv", "/model.0/act/Mul"],
        "12": ["/model.12/cv1/conv/Conv"],
        "23 cv2.0": ["/model.23/cv2.0/cv2.0.0/conv/Conv"],
        "23 cv3.1": ["/model.23/cv3.1/cv3.1.2/Conv"],
    }


@pytest.fixture
def data(tmp_path):
    """Six training images and two scored ones."""
    images = {f"train/{number}": OBJECT for number in range(6)} | {f"val/{number}": OBJECT for number in (7, 8)}
    return yolo(tmp_path, images)


def names(dataset) -> list[str]:
    return [image.path.rpartition("/")[2] for image in dataset.images]


def test_half_of_the_train_split_calibrates_and_the_rest_judges(data):
    split = SplitJob(data, None, 2, scored=False).run(None)
    assert names(split.calibration) == ["0.png", "1.png", "2.png"]
    assert names(split.judged) == ["3.png", "4.png"]
    assert len(split.judged.annotations) == 2
    assert len(SplitJob(data, None, 0, scored=False).run(None).judged.images) == 3


def test_the_scored_split_is_judged_only_when_asked(data):
    split = SplitJob(data, None, 0, scored=True).run(None)
    assert names(split.calibration) == [f"{number}.png" for number in range(6)]
    assert names(split.judged) == ["7.png", "8.png"]


def test_named_calibration_images_never_judge(data):
    split = SplitJob(data, data.parent / "images" / "train", 0, scored=True).run(None)
    assert len(split.calibration.images) == 6
    with pytest.raises(ConfigError, match="no image with ground truth is left"):
        SplitJob(data, data.parent / "images" / "train", 0, scored=False).run(None)


def test_a_data_set_without_a_train_split_is_one_line(data):
    data.write_text("val: images/val\nnames: [cat, dog]\n")
    with pytest.raises(ConfigError, match="no images to calibrate on; give --calibration"):
        SplitJob(data, None, 0, scored=False).run(None)
    with pytest.raises(ConfigError, match="no train split with ground truth"):
        SplitJob(data, data.parent / "images" / "train", 0, scored=False).run(None)
