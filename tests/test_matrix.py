"""models × precisions × backends, sorted, every name checked."""

from __future__ import annotations

import pytest

from harness import ConfigError, matrix
from harness.backends.registry import own_backends


def ids(**axes):
    return [cell.id for cell in matrix(**{"models": "m.pt", "precisions": "fp32", "backends": "torch", **axes})]


def test_every_combination_is_there_fp32_first():
    cells = matrix(["b.pt", "a.pt"], ["int8", "fp16", "fp32"], ["torch", "onnxruntime"])
    assert [cell.id for cell in cells[:4]] == [
        "a-fp32-onnxruntime-cpu", "a-fp16-onnxruntime-cpu", "a-int8-onnxruntime-cpu", "a-fp32-torch-cpu",
    ]  # fmt: skip
    assert len(cells) == 12


def test_the_order_does_not_depend_on_the_order_of_the_axes():
    axes = [["b", "a"], ["int8:ultralytics", "int8", "fp32"], ["torch", "onnxruntime"]]
    assert matrix(*axes) == matrix(*(axis[::-1] for axis in axes))


def test_a_repeated_name_makes_one_cell():
    assert ids(precisions=["fp32", "fp32"]) == ["m-fp32-torch-cpu"]


def test_the_model_is_the_stem_of_its_weights_and_keeps_its_head():
    (cell,) = matrix("weights/mine.pt:e2e", "fp32", "torch")
    assert (cell.model, cell.weights) == ("mine:e2e", "weights/mine.pt")


def test_image_size_and_batch_are_named_where_there_are_several():
    assert ids(imgsz=320) == ["m-fp32-torch-cpu"]
    assert ids(imgsz=[640, 320]) == ["m-fp32-torch-cpu-320px", "m-fp32-torch-cpu-640px"]
    assert ids(imgsz=[320], batch=[1, 2]) == ["m-fp32-torch-cpu-b1", "m-fp32-torch-cpu-b2"]
    assert ids(imgsz=[320, 640], batch=[1, 2])[0] == "m-fp32-torch-cpu-320px-b1"


def test_a_tuple_is_one_size_height_first_and_is_always_named():
    assert ids(imgsz=(384, 640)) == ids(imgsz=[(384, 640)]) == ["m-fp32-torch-cpu-384x640px"]
    assert ids(imgsz=[(384, 640), 640]) == ["m-fp32-torch-cpu-384x640px", "m-fp32-torch-cpu-640px"]
    assert ids(imgsz=(640, 640)) == ids(imgsz=640)
    assert ids(imgsz=[(320, 640)]) == ["m-fp32-torch-cpu-320x640px"], "in a list it is meant so"
    (cell,) = matrix("m", "fp32", "torch", imgsz=(384, 640), batch=2)
    assert (cell.imgsz, cell.shape) == ((384, 640), (2, 3, 384, 640))


def test_backends_of_a_later_version_may_be_declared_now():
    assert {cell.backend for cell in matrix("m", "int8", own_backends())} == set(own_backends())


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"precisions": "int9"}, "unknown precision 'int9'; did you mean 'int8'"),
        ({"precisions": "int8:ultralitics"}, "unknown recipe 'int8:ultralitics'; did you mean 'int8:ultralytics'"),
        ({"backends": "onnxruntim"}, "unknown backend 'onnxruntim'; did you mean 'onnxruntime'"),
        ({"backends": "zzz"}, "unknown backend 'zzz'; known: litert, null, onnxruntime"),
        ({"models": "m.pt:end"}, "model 'm.pt:end': after ':' comes a head or family; known: e2e, raw"),
        ({"models": ".pt"}, "model '.pt'"),
        ({"models": []}, r"models=\[\] must be one or more"),
        ({"models": ""}, "models=.* must be one or more"),
        ({"precisions": []}, "precisions=.* must be one or more"),
        ({"backends": [None]}, "backends=.* must be one or more"),
        ({"device": []}, "device=.* must be one or more"),
        ({"imgsz": []}, r"imgsz=\[\] must be whole numbers > 0"),
        ({"imgsz": 0}, "imgsz=.* whole numbers > 0"),
        ({"imgsz": 100}, "imgsz=100 is not a multiple of 32"),
        ({"imgsz": (384, 200)}, "imgsz=200 is not a multiple of 32"),
        ({"imgsz": (320, 640)}, r"looks like two sizes: list squares as \[320, 640\]; .* write \[\(320, 640\)\]"),
        ({"imgsz": (320, 480, 640)}, r"a tuple is one size, \(height, width\); list sizes as \[320, 480, 640\]"),
        ({"imgsz": [(320, 480, 640)]}, r"imgsz=.* must be whole numbers > 0, or tuples \(height, width\)"),
        ({"imgsz": ("320", "640")}, "imgsz=.* must be whole numbers > 0"),
        ({"batch": 0}, "batch=.* whole numbers > 0"),
    ],
)
def test_a_wrong_axis_is_one_line(axes, message):
    with pytest.raises(ConfigError, match=message) as raised:
        ids(**axes)
    assert "\n" not in str(raised.value)
