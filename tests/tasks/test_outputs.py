"""Which family the outputs of a model belong to: told by shapes, with what the file says of itself."""

from __future__ import annotations

import pytest

from harness import ConfigError
from harness.backends.base import described
from harness.tasks.base import Content, OutputLayout
from harness.tasks.outputs import content, layout_of, read_outputs


def test_the_shape_of_an_output_tells_its_family():
    assert layout_of((1, 84, 8400), 80, (640, 640)) == "raw"
    assert layout_of((8, 300, 6), 80, (640, 640)) == "e2e"
    assert layout_of((1, 6, 8400), 2, (640, 640)) == "raw"
    assert layout_of((1, 84, 8400), 10, (640, 640)) is None
    assert layout_of((1, 300, 38), 80, (640, 640)) is None
    assert layout_of((300, 6), 80, (640, 640)) is None


@pytest.mark.parametrize(
    ("shape", "classes", "layout"),
    [
        ((1, 25200, 85), 80, "yolov5"),
        ((1, 8400, 85), 80, "yolox"),
        ((1, 25200, 6), 1, "yolov5"),
        ((1, 84, 8400), None, "raw"),
        ((1, 25200, 85), None, "yolov5"),
        ((1, 8400, 85), None, "yolox"),
        ((1, 300, 6), None, "e2e"),
        ((1, 84, 2100), None, None),  # another image size
    ],
)
def test_the_family_is_told_by_the_shape(shape, classes, layout):
    assert layout_of(shape, classes, (640, 640)) == layout


def test_the_output_that_fits_is_found_among_several():
    reading = read_outputs([(1, 32, 160, 160), (1, 84, 8400)], Content(80), (640, 640))
    assert (reading.output, reading.layout, reading.classes) == (1, "raw", 80)


def test_an_output_of_no_known_family_is_one_line_with_the_shapes_seen():
    with pytest.raises(ConfigError, match=r"1×3×80×80×85, 1×3×40×40×85 does not fit any known family .* 80 classes"):
        read_outputs([(1, 3, 80, 80, 85), (1, 3, 40, 40, 85)], Content(80), (640, 640))


def test_a_declared_family_is_believed_only_where_the_shape_allows_it():
    assert read_outputs([(1, 8400, 85)], Content(80), (640, 640), "yolox").layout == "yolox"
    with pytest.raises(ConfigError, match="does not fit the family 'yolov5'"):
        read_outputs([(1, 8400, 85)], Content(80), (640, 640), "yolov5")


def test_a_declared_family_may_have_other_strides_than_8_16_and_32():
    four_scales = [(1, 84, 34000)]  # strides 4 to 32
    with pytest.raises(ConfigError, match="any known family"):
        read_outputs(four_scales, Content(None), (640, 640))
    assert read_outputs(four_scales, Content(None), (640, 640), "raw").classes == 80
    assert read_outputs([(1, 102000, 85)], Content(None), (640, 640), "yolov5").classes == 80


# Masks and key points


@pytest.mark.parametrize(
    ("detections", "layout", "classes"), [((1, 116, 8400), "raw", 80), ((1, 300, 38), "e2e", None)]
)
@pytest.mark.parametrize("known", [80, None])
def test_a_segmentation_model_has_prototypes_in_another_output(detections, layout, classes, known):
    reading = read_outputs([(1, 32, 160, 160), detections], Content(known, "segment"), (640, 640))
    assert reading == OutputLayout(layout, 1, classes, extra=32, protos=0, task="segment")


def test_a_pose_models_key_points_stand_behind_its_classes():
    said = content({"names": ["person"], "task": "pose", "points": [17, 3]})
    assert read_outputs([(1, 56, 8400)], said, (640, 640)) == OutputLayout(
        "raw", 0, 1, extra=51, points=(17, 3), task="pose"
    )
    assert read_outputs([(1, 300, 57)], said, (640, 640)) == OutputLayout(
        "e2e", 0, None, extra=51, points=(17, 3), task="pose"
    )


def test_a_segmentation_model_without_prototypes_fits_nothing():
    with pytest.raises(ConfigError, match=r"1×116×8400 does not fit .* with 80 classes and mask coefficients"):
        read_outputs([(1, 116, 8400)], Content(80, "segment"), (640, 640))


def test_a_model_of_another_task_is_refused_by_name():
    with pytest.raises(ConfigError, match="task 'obb'; quantgate scores detect, segment, pose"):
        content({"names": ["ship"], "task": "obb"})


def test_a_pose_model_that_hides_its_key_points_is_told():
    with pytest.raises(ConfigError, match="does not say how many key points it has"):
        content({"names": ["person"], "task": "pose"})


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, {"names": None}),
        ({"names": "{1: 'b', 0: 'a'}", "task": "detect"}, {"names": ["a", "b"]}),
        ({"names": ["a"], "task": "pose", "kpt_shape": "[17, 3]"}, {"names": ["a"], "task": "pose", "points": [17, 3]}),
        ({"names": "{0: ", "task": "segment"}, {"names": None, "task": "segment"}),
        ({"task": None}, {"names": None}),
    ],
)
def test_what_a_file_says_of_itself_is_read_entry_by_entry(metadata, said):
    assert described(metadata) == said
