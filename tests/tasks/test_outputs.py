"""How the outputs of a model are read: by what its file says, by shapes, and by values."""

from __future__ import annotations

import numpy as np
import pytest
from builders import quick
from forms import FORMS, PLAIN, constant, quantized, scene
from hypothesis import given
from hypothesis import strategies as st

from harness import ConfigError, Decoding
from harness.backends.base import described
from harness.tasks.base import Content
from harness.tasks.decode import decode
from harness.tasks.outputs import content, read_outputs

SIZE = (128, 128)
SURE = Decoding(conf=0.25)

LAYOUTS = {
    "raw": "raw", "transposed": "raw", "fractions": "raw", "transposed fractions": "raw", "logits": "raw",
    "logits in fractions": "raw", "corners": "raw", "corners in fractions": "raw", "auxiliary output": "raw",
    "yolov6": "yolov6", "transposed yolov6": "yolov6",
    "yolov6 in fractions": "yolov6", "objectness": "yolox", "objectness in fractions": "yolox",
    "yolox": "yolox", "deepstream": "deepstream", "deepstream in fractions": "deepstream",
    "deepstream class first": "deepstream", "deepstream in three": "efficientnms", "e2e filled up with -1": "e2e",
    "deepstream in three fractions": "efficientnms", "e2e": "e2e", "e2e in fractions": "e2e", "e2e class first": "e2e",
    "efficientnms": "efficientnms", "split corners": "split", "split centres in fractions": "split",
}  # fmt: skip


def found(outputs, reading, size, images):
    return decode(outputs, reading, SURE, size, [size[::-1]] * images)


def same(one, other, size):
    """Whether two lists of detections are the same, in whatever order of equal scores."""

    def table(found):
        rows = np.column_stack([found.classes, found.boxes, found.scores])
        return rows[np.lexsort(np.round(rows[:, ::-1], 2).T)]

    return all(
        len(a.scores) == len(b.scores) and np.allclose(table(a), table(b), rtol=0, atol=2e-3 * max(size))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("form", LAYOUTS)
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_every_form_is_read_as_the_same_detections(form, classes):
    raw = scene(3, SIZE, classes)
    outputs = FORMS[form](raw, SIZE)
    judged = read_outputs(outputs, Content(classes), SIZE)
    assert (judged.reading.layout, judged.doubt) == (LAYOUTS[form], "")
    truth = found([raw], PLAIN, SIZE, len(raw))
    assert sum(len(one.scores) for one in truth) > 3
    assert same(found(outputs, judged.reading, SIZE, len(raw)), truth, SIZE)


@pytest.mark.parametrize("background", [(8, 8, 4, 4), (0, 0, 0, 0)], ids=["one box", "zeros"])
@pytest.mark.parametrize(
    "form", [form for form in LAYOUTS if form not in ("yolox", "objectness", "objectness in fractions")]
)
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_the_boxes_of_objects_tell_how_boxes_are_coded(form, classes, background):
    """Anchors that see nothing have the same box everywhere and tell nothing: read rightly, or a doubt."""
    raw = constant(classes, background)
    outputs = FORMS[form](raw, (256, 256))
    judged = read_outputs(outputs, Content(classes), (256, 256))
    assert (judged.reading.layout, judged.doubt) == (LAYOUTS[form], "")
    assert same(
        *(found(one, how, (256, 256), 1) for one, how in ((outputs, judged.reading), ([raw], PLAIN))), (256, 256)
    )


@given(
    st.integers(0, 2**32), st.sampled_from([(64, 64), (96, 160), (160, 96), (160, 160)]), st.integers(1, 90),
    st.sampled_from(list(FORMS)), st.sampled_from([1, 3]), st.booleans(), st.booleans(), st.booleans(),
    st.integers(1, 3),
)  # fmt: skip
@quick
def test_no_form_is_ever_read_as_other_detections(seed, size, classes, form, per_cell, coarse, told, hinted, images):
    """The same detections, or a named error or doubt, which becomes one; whatever the file says of its classes."""
    raw = scene(seed, size, classes, images, per_cell=per_cell if form.startswith("objectness") else 1)
    raw = quantized(raw) if coarse else raw
    outputs = FORMS[form](raw, size)
    try:
        judged = read_outputs(outputs, Content(classes if told else None), size, None, classes if hinted else None)
        if judged.doubt or judged.uncounted:
            return
        read = found(outputs, judged.reading, size, images)
    except ConfigError:
        return
    assert same(read, found([raw], PLAIN, size, images), size)


# What the file says


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


def test_the_anchors_of_a_square_in_an_input_that_is_no_square_are_a_contradiction():
    of_square, of_wide = (np.zeros((1, 6, anchors), np.float32) for anchors in (1344, 1008))
    with pytest.raises(ConfigError, match="has the 1344 anchors of an input of 256 px, and the input is 192x256 px"):
        read_outputs([of_square], Content(2), (192, 256))
    assert read_outputs([of_wide], Content(2), (192, 256)).reading.layout == "raw"
