"""What NNCF quantizes in the default recipe of OpenVINO, and what OpenVINO makes of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import openvino
import pytest


@pytest.fixture(scope="module")
def quantized(built) -> openvino.Model:
    return openvino.Core().read_model(built("openvino", "int8").path)


def test_convolutions_execute_in_int8(built):
    path = built("openvino", "int8").path
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ran = Counter(
        info["primitiveType"].astype(str).rpartition("_")[2]
        for info in (op.get_rt_info() for op in compiled.get_runtime_model().get_ops())
        if info["layerType"].astype(str) in ("Convolution", "GroupConvolution")
    )
    assert ran["I8"] > 95
    assert sum(ran.values()) - ran["I8"] <= 2


def test_the_decoding_of_the_head_stays_in_float(quantized):
    names = [op.get_friendly_name() for op in quantized.get_ordered_ops() if op.get_type_name() == "FakeQuantize"]
    head = [name for name in names if name.startswith("/model.23/")]
    assert head
    assert all("cv2" in name or "cv3" in name for name in head)


def test_int8_weights_are_stored_as_int8(built, quantized):
    stored = sum(
        op.data.nbytes for op in quantized.get_ordered_ops()
        if op.get_type_name() == "Constant" and op.get_element_type() == openvino.Type.i8
    )  # fmt: skip
    artifact = built("openvino", "int8")
    assert stored > 0.6 * artifact.size_bytes
    assert artifact.size_bytes < 0.43 * built("openvino", "fp32").size_bytes


def test_it_sees_what_the_float_model_sees(built, few_to_calibrate):
    import cv2

    from harness.tasks.preprocess import letterbox, normalize

    batch = normalize(letterbox(cv2.imread(str(sorted(few_to_calibrate.iterdir())[0])), (256, 256))[None])
    core = openvino.Core()
    scores = []
    for precision in ("fp32", "int8"):
        compiled = core.compile_model(built("openvino", precision).path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        scores.append(compiled(batch)[0][0, 4:].max(axis=0))
    seen = scores[0] > 0.5
    assert seen.any()
    assert np.abs(scores[1] - scores[0])[seen].mean() < 0.1
