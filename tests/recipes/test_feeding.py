"""What a quantizer feeds the network of a file from elsewhere: YOLOX's input is told by its outputs, or declared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forms import FORMS, scene

from harness.recipes.base import BuildInputs
from harness.recipes.feeding import takes_bgr_bytes

SIZE = 64


def inputs(folder: Path, family: str = "") -> BuildInputs:
    pixels = np.full((4, 3, SIZE, SIZE), 200, np.uint8)
    np.save(folder / "pixels.npy", pixels)
    return BuildInputs(Path("x.onnx"), Path("x.onnx"), (SIZE, SIZE), 1, False, folder / "pixels.npy", family=family)


@pytest.mark.parametrize(("form", "bytes_seen", "bgr"), [("yolox", True, True), ("objectness", True, True),
                                                         ("objectness", False, False), ("yolov6", False, False),
                                                         ("raw", False, False)])  # fmt: skip
def test_the_network_gets_the_input_in_which_it_sees(tmp_path: Path, form: str, bytes_seen: bool, bgr: bool) -> None:
    (sight,), (blind,) = (FORMS[form](scene(5, (SIZE, SIZE), 3, 1) * scale, (SIZE, SIZE)) for scale in dim(3))

    def infer(batch):
        return (sight if (batch.max() > 1) == bytes_seen else blind,)

    assert takes_bgr_bytes(inputs(tmp_path), [sight.shape], infer) == bgr


def dim(classes: int) -> list[np.ndarray]:
    """Factors of a raw output: as it is, and with scores that see nothing."""
    seen = np.ones((1, 4 + classes, 1), np.float32)
    blind = seen.copy()
    blind[:, 4:] = 0.01
    return [seen, blind]


def test_a_declared_family_is_believed(tmp_path: Path) -> None:
    assert takes_bgr_bytes(inputs(tmp_path, "yolox"), [], lambda batch: [])
    assert not takes_bgr_bytes(inputs(tmp_path, "yolov6"), [(1, 84, 8)], lambda batch: [])
