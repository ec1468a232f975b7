"""At how many images a network is looked at before its outputs are read."""

from __future__ import annotations

import numpy as np
import pytest
from forms import FORMS, constant

from harness.tasks.base import Content, Declared
from harness.tasks.look import look

SIZE = (256, 256)


def network(form, classes, seeing):
    """A function that sees objects in one image alone: in that whose pixels are `seeing`."""
    raw = constant(classes, (0, 0, 0, 0))
    blank = np.concatenate([np.zeros_like(raw[:, :4]), np.full_like(raw[:, 4:], 1e-4)], axis=1)
    seen, unseen = FORMS[form](raw, SIZE), FORMS[form](blank, SIZE)

    def infer(batch):
        return seen if np.isclose(batch.mean() * 255, seeing, atol=0.1) else unseen

    return infer, seen


def images(count):
    return np.repeat(np.arange(count, dtype=np.uint8), 3 * 256 * 256).reshape(count, 3, *SIZE)


@pytest.mark.parametrize("seeing", [0, 5, 40])
@pytest.mark.parametrize(
    "form", ["raw", "transposed", "fractions", "corners", "yolov6", "deepstream", "e2e in fractions", "e2e class first"]
)
def test_a_network_is_read_alike_whichever_image_shows_its_first_object(form, seeing):
    infer, _ = network(form, 2, seeing)
    always, _ = network(form, 2, 0)
    told = look(infer, images(41), 1, Content(2), SIZE, Declared())
    expected = look(always, images(1), 1, Content(2), SIZE, Declared())
    assert (told, told.notes) == (expected, expected.notes)


def test_a_network_that_sees_nothing_for_long_is_noted():
    infer, _ = network("raw", 2, 200)
    told = look(infer, images(65), 1, Content(2), SIZE, Declared())
    assert told.notes == ("no object was seen in the first 64 images: how outputs are read rests on their shapes",)
    assert look(infer, images(64), 1, Content(2), SIZE, Declared()).notes == ()


@pytest.mark.parametrize("rows", [5, 1, 0])
@pytest.mark.parametrize("form", ["raw", "transposed", "e2e"])
def test_an_output_without_a_batch_is_read(form, rows):
    """Rows of detections also where their number changes from image to image."""
    _, seen = network(form, 2, 0)
    output = seen[0][0]

    def infer(batch):
        return [output[:rows] if form == "e2e" and batch.mean() > 0.5 / 255 else output]

    assert look(infer, images(6), 1, Content(2), SIZE, Declared()).layout == ("e2e" if form == "e2e" else "raw")
