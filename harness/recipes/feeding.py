"""How the network of a file from elsewhere is fed with calibration images."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.recipes.base import BuildInputs
from harness.tasks.base import Content, Declared
from harness.tasks.grids import strides_of
from harness.tasks.look import Infer, look


def takes_bgr_bytes(inputs: BuildInputs, shapes: Sequence[tuple[int, ...]], infer: Infer) -> bool:
    """Whether the network takes BGR in 0–255, as YOLOX does, and not RGB in 0–1; for `tasks.decode.prepare`.

    Args:
        inputs: with the calibration images.
        shapes: of all outputs; the network runs only where one of them may be YOLOX's.
        infer: runs the float network on a batch.

    Raises:
        ConfigError: the outputs fit no family, or several.
    """
    assert inputs.calibration is not None
    if inputs.family:
        return inputs.family == "yolox"
    if not any(len(one) == 3 and one[2] > 5 and strides_of(one[1], inputs.imgsz) for one in shapes):
        return False
    pixels = np.load(inputs.calibration, mmap_mode="r")
    return look(infer, pixels, inputs.batch, Content(), inputs.imgsz, Declared()).bgr_bytes


def onnxruntime_of(model: Any) -> Infer:
    """A function that runs an ONNX graph on a batch; the session is made at the first call."""

    @functools.cache
    def session() -> Any:
        import onnxruntime

        return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(batch: NDArray[np.float32]) -> Any:
        return session().run(None, {session().get_inputs()[0].name: batch})

    return run
