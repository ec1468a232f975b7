"""A cell has a name, a family and siblings; a training that cannot be is refused."""

from __future__ import annotations

import pickle

import pytest
from builders import INT8

from harness import Cell, ConfigError, Qat


def test_a_cell_is_named_by_its_parts_and_a_colon_becomes_a_tilde():
    assert str(INT8) == "yolo26n-int8-onnxruntime-cpu"
    tagged = Cell("yolo26n:e2e", "int8:entropy", "torch", "cuda", tag="640px-b2")
    assert tagged.id == "yolo26n~e2e-int8~entropy-torch-cuda-640px-b2"


def test_a_sibling_differs_in_precision_only():
    assert Cell("m", "int8:entropy", "torch", "cuda", 320, 4).sibling("fp32") == Cell(
        "m", "fp32", "torch", "cuda", 320, 4
    )


def test_a_whole_number_is_the_side_of_a_square_and_two_are_height_and_width():
    assert Cell("m", "fp32", "torch", imgsz=320) == Cell("m", "fp32", "torch", imgsz=(320, 320))
    assert Cell("m", "fp32", "torch", imgsz=(384, 640), batch=2).shape == (2, 3, 384, 640)


def test_a_square_travels_as_one_number_which_an_older_process_knows():
    square, wide = Cell("m", "fp32", "torch", imgsz=320), Cell("m", "fp32", "torch", imgsz=(384, 640))
    assert square.__getstate__()["imgsz"] == 320
    assert [pickle.loads(pickle.dumps(cell)) for cell in (square, wide)] == [square, wide]


def test_the_family_of_a_precision_leaves_its_recipe_out():
    assert Cell("m", "int8:entropy", "torch").family == "int8"
    assert Cell("m", "int8-dynamic", "torch").family == "int8-dynamic"


def test_the_head_is_what_follows_the_colon_of_the_model():
    heads = {name: Cell(name, "fp32", "torch").head for name in ("yolo26n:e2e", "bought:yolox", "yolo26n")}
    assert heads == {"yolo26n:e2e": "e2e", "bought:yolox": "yolox", "yolo26n": ""}


def test_cells_are_equal_whatever_path_and_training_made_them():
    assert Cell("m", "int8-qat", "torch", weights="a/m.pt", qat=Qat(epochs=2)) == Cell("m", "int8-qat", "torch")


def test_cells_sort_by_model_then_precision_then_backend():
    named = [("b", "fp32", "torch"), ("a", "int8", "torch"), ("a", "int8", "openvino"), ("a", "fp32", "torch")]
    ordered = [named[3], named[2], named[1], named[0]]
    assert sorted(Cell(*names) for names in named) == [Cell(*names) for names in ordered]


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"lr": 0.0}, {"lr": 1.5}, {"batch": 0}, {"images": -1}])
def test_a_training_that_cannot_be_is_one_line(wrong):
    with pytest.raises(ConfigError, match="epochs and batch must be ≥ 1, images ≥ 0, lr between 0 and 1"):
        Qat(**wrong)
