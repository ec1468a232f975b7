"""Weights in files beside a model are found in every part of a graph, and the key of an artifact covers them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import ConfigError
from harness.inputs.artifact_cache import file_digest
from harness.recipes.beside import companions, inside, load_onnx

WEIGHT = np.arange(8, dtype=np.float32)


def external(name: str, place: str, offset: int = 0, length: int = WEIGHT.nbytes) -> onnx.TensorProto:
    """A tensor whose numbers lie in a file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[8], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def initializer(place: str) -> onnx.GraphProto:
    return graph([helper.make_node("Identity", ["w"], ["output"])], [external("w", place)])


def constant_node(place: str) -> onnx.GraphProto:
    return graph([helper.make_node("Constant", [], ["output"], value=external("w", place))])


def subgraph(place: str) -> onnx.GraphProto:
    made = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [8])
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["inner"], value=external("w", place))], "b", [], [made]
    )
    chosen = numpy_helper.from_array(np.array(True), "chosen")
    node = helper.make_node("If", ["chosen"], ["output"], then_branch=branch, else_branch=branch)
    return graph([node], [chosen])


def graph(nodes, constants=()) -> onnx.GraphProto:
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, [8])
    return helper.make_graph(nodes, "g", [], [made], list(constants))


def saved(path: Path, made: onnx.GraphProto) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10).SerializeToString()
    )
    return path


@pytest.mark.parametrize("part", [initializer, constant_node, subgraph])
@pytest.mark.parametrize("place", ["weights.bin", "mine.onnx.data", "parts/0", "w" * 140])
def test_weights_are_taken_from_every_part_of_a_graph_and_any_place_inside(tmp_path, part, place) -> None:
    model = saved(tmp_path / "mine.onnx", part(place))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(WEIGHT.tobytes())
    assert companions(model, model.read_bytes()) == [tmp_path / place]
    loaded = load_onnx(model)
    assert "EXTERNAL" not in str(loaded) and WEIGHT.tobytes() in loaded.SerializeToString()
    before = file_digest(model)
    (tmp_path / place).write_bytes(WEIGHT[::-1].tobytes())
    assert file_digest(model) != before


def test_the_places_are_parts_of_one_file(tmp_path) -> None:
    constants = [external("a", "w", 0, 16), external("w", "w", 16, 16)]
    constants[0].dims[0] = constants[1].dims[0] = 4
    model = saved(tmp_path / "m.onnx", graph([helper.make_node("Add", ["a", "w"], ["output"])], constants))
    (tmp_path / "w").write_bytes(WEIGHT.tobytes())
    found = {one.name: numpy_helper.to_array(one).tolist() for one in load_onnx(model).graph.initializer}
    assert found == {"a": [0, 1, 2, 3], "w": [4, 5, 6, 7]}


@pytest.mark.parametrize("end", [".data", "_data"])
def test_weights_that_were_renamed_with_the_model_are_found(tmp_path, end) -> None:
    model = saved(tmp_path / "model.onnx", initializer("best.onnx.data"))
    place = tmp_path / f"model.onnx{end}"
    place.write_bytes(WEIGHT.tobytes())
    assert companions(model, model.read_bytes()) == [place]
    assert WEIGHT.tobytes() in load_onnx(model).SerializeToString()
    (tmp_path / "best.onnx.data").write_bytes(WEIGHT[::-1].tobytes())  # the name in the model comes first
    assert companions(model, model.read_bytes()) == [tmp_path / "best.onnx.data"]


def test_links_are_followed_with_the_neighbours_of_the_link(tmp_path) -> None:
    """A snapshot of Hugging Face: every file is a link to a blob, whose folder has no such neighbours."""
    blob = saved(tmp_path / "blobs" / "c3", initializer("model.onnx_data"))
    (tmp_path / "blobs" / "d4").write_bytes(WEIGHT.tobytes())
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "model.onnx").symlink_to(blob)
    (snapshot / "model.onnx_data").symlink_to(tmp_path / "blobs" / "d4")
    assert WEIGHT.tobytes() in load_onnx(snapshot / "model.onnx").SerializeToString()


@pytest.mark.parametrize(
    ("place", "content", "said"),
    [
        ("weights.bin", None, r"mine.onnx keeps weights in 'weights.bin', which is not beside it; put that file there"),
        ("weights.bin", WEIGHT[:3], r"weights.bin, the weights of mine.onnx, is cut short"),
        ("../weights.bin", None, r"keeps weights in '../weights.bin', outside its folder"),
        ("/etc/passwd", None, "outside its folder"),
        ("C:\\w.bin", None, "outside its folder"),
    ],
)
def test_weights_that_are_not_there_are_one_line(tmp_path, place, content, said) -> None:
    model = saved(tmp_path / "mine.onnx", subgraph(place))
    if content is not None:
        (tmp_path / place).write_bytes(content.tobytes())
    with pytest.raises(ConfigError, match=said) as caught:
        load_onnx(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "..", "a/../../b", "/a", "\\\\host\\a", "..\\a", "C:a"])
def test_these_names_leave_the_folder(name) -> None:
    assert not inside(name)


def test_an_ir_has_its_weights_and_its_class_names_beside_it(tmp_path) -> None:
    found = companions(tmp_path / "m.xml", b"<net/>")
    assert [file.name for file in found] == ["m.bin", "metadata.yaml"]
    assert companions(tmp_path / "m.tflite", b"") == []
