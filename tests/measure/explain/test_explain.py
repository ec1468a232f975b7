"""Two ways to break a detector in int8, made here on the bundled model, and what `explain` says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, quantize_static

from harness import ConfigError, Gate, Model, Suite, matrix
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.inputs.datasets.loading import load_scored
from harness.inputs.pixels import read_image
from harness.inputs.sources import BUNDLED_DATA
from harness.judge import gates
from harness.machine.child import Child
from harness.measure.accuracy.agreement import survival
from harness.measure.explain.explain import ExplainJob, Explanation, explain
from harness.measure.explain.stage_swap import WalkJob
from harness.tasks.preprocess import letterbox, normalize

IMAGES = 16
INT8 = Cell("yolo26n-digits", "int8", "onnxruntime", imgsz=256)
TORCH = Cell("yolo26n-digits", "fp32", "torch", imgsz=256)


@dataclass
class Scene:
    """The float artifacts, and images to look at."""

    graph: Artifact
    torch: Artifact
    folder: Path

    @property
    def pixels(self) -> Path:
        return self.folder / "pixels.npy"

    def explain(self, broken: Path) -> Explanation:
        data = load_scored(BUNDLED_DATA["digits"]).first(IMAGES)
        artifact = replace(self.graph, path=str(broken))
        exported = INT8.sibling("fp32"), self.graph
        walk = WalkJob(INT8, artifact, exported, (TORCH, self.torch), self.graph.path, data, str(self.pixels),
                       Decoding(), 0.25)  # fmt: skip
        with Child(ExplainJob(walk), self.folder / "log", 300) as child:
            return child.answer()


@pytest.fixture(scope="module")
def scene(built, tmp_path_factory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    images = load_scored(BUNDLED_DATA["digits"]).first(IMAGES).images
    np.save(folder / "pixels.npy", np.stack([letterbox(read_image(image), (256, 256)) for image in images]))
    return Scene(built("onnxruntime", "fp32"), built("torch", "fp32"), folder)


class Reader(CalibrationDataReader):
    """The images, one at a time."""

    def __init__(self, pixels: Path, name: str) -> None:
        self._batches = ({name: normalize(one[None])} for one in np.load(pixels)[:4])

    def get_next(self):
        return next(self._batches, None)


@pytest.fixture(scope="module")
def whole(scene: Scene) -> Explanation:
    """Every operator in int8, the decoded output among them: one scale for pixels and probabilities."""
    target = scene.folder / "whole.onnx"
    name = onnx.load(scene.graph.path).graph.input[0].name
    quantize_static(scene.graph.path, target, Reader(scene.pixels, name))
    return scene.explain(target)


@pytest.fixture(scope="module")
def collapsed(scene: Scene) -> Explanation:
    """The logits of all classes lowered alike: the ranking, and so mAP, stays."""
    model = onnx.load(scene.graph.path)
    biases = {node.input[2] for node in model.graph.node if node.op_type == "Conv" and _is_last(node)}
    assert len(biases) == 3
    for tensor in model.graph.initializer:
        if tensor.name in biases:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) - np.float32(2.5), tensor.name))
    target = scene.folder / "collapsed.onnx"
    onnx.save(model, target)
    return scene.explain(target)


def _is_last(node) -> bool:
    """The convolution that ends a class branch: `/model.23/cv3.0/cv3.0.2/Conv`."""
    return "/cv3." in node.name and node.name.split("/")[-2].endswith(".2")


def stage(explained: Explanation, name: str):
    return next(one for one in explained.stages if one.name == name)


def test_the_reference_agrees_with_itself_and_the_export_with_it(whole):
    assert stage(whole, "reference").agreement == 1
    assert stage(whole, "export").map == pytest.approx(stage(whole, "reference").map, abs=0.002)
    assert stage(whole, "preprocessing").map == pytest.approx(stage(whole, "reference").map, abs=0.002)


def test_quantizing_the_decoded_output_is_blamed_on_the_head_and_on_its_scores(whole):
    assert whole.blamed == "head"
    assert stage(whole, "head").map < 0.5 * stage(whole, "quantization").map
    assert "scores" in whole.layers[0].name
    assert whole.layers[0].snr_db < 10


def test_collapsed_confidence_is_blamed_on_the_head_though_map_is_almost_intact(collapsed):
    assert stage(collapsed, "head").map == pytest.approx(stage(collapsed, "reference").map, abs=0.05)
    assert collapsed.blamed == "head"
    assert stage(collapsed, "head").agreement < gates.AGREEMENT
    assert stage(collapsed, "head").score_shift < -0.2
    assert any("cv3" in layer.name or "scores" in layer.name for layer in collapsed.layers[:3])


def test_images_and_classes_that_lost_are_named_the_worst_first(whole):
    losses = [one.after - one.before for one in whole.pictures]
    assert losses == sorted(losses)
    assert losses[0] < 0
    assert whole.classes[0].after < whole.classes[0].before
    assert whole.pictures[0].name.endswith(".jpg")


def test_what_survives_is_counted_above_the_operating_threshold(collapsed):
    assert survival([], [], 0.25)["agreement"] is None
    assert collapsed.pictures[0].before > collapsed.pictures[0].after


# What a ready file is compared with


class Place:
    """A place that writes down the cells whose inputs are asked for, and has none of their fp32."""

    def __init__(self) -> None:
        self.asked: list[Cell] = []

    def inputs(self, suite: Suite, home: Path, cell: Cell) -> object:
        self.asked.append(cell)
        if cell.precision == "fp32":
            raise ConfigError("no such file")
        return None


def compared(models, cell="x_int8-ready-onnxruntime-cpu", precisions=("fp32", "ready")) -> tuple[list[Cell], str]:
    """The fp32 cells that `explain` asks for, and the line that it ends with."""
    cells = matrix(models, list(precisions), "onnxruntime", imgsz=64)
    (explained,) = [one for one in cells if one.id == cell]
    place = Place()
    with pytest.raises(ConfigError) as raised:
        explain(place, Suite("made", "digits", cells), Path(), explained)
    return [one for one in place.asked if one.precision == "fp32"], str(raised.value)


@pytest.mark.parametrize(
    ("models", "precisions"),
    [
        (Model("x_int8.onnx", float="weights/x.pt"), ["ready"]),
        (["other.pt", Model("x_int8.onnx", float="weights/x.pt")], ["fp32", "ready"]),
    ],
)
def test_a_ready_file_is_compared_with_its_float_model(models, precisions):
    asked, line = compared(models, precisions=precisions)
    assert {(one.model, one.weights) for one in asked} == {("x", "weights/x.pt")}
    assert {one.backend for one in asked} == {"torch", "onnxruntime"}
    assert line == "x_int8-ready-onnxruntime-cpu has nothing to compare with: its fp32 is not here: no such file"


def test_a_ready_file_without_a_declared_float_model_takes_the_only_one_of_the_suite():
    cells = (*matrix("x.pt", "fp32", "openvino", imgsz=64), *matrix("y_int8.onnx", "ready", "onnxruntime", imgsz=64))
    place = Place()
    with pytest.raises(ConfigError):
        explain(place, Suite("made", "digits", cells), Path(), cells[1])
    assert {(one.model, one.weights) for one in place.asked if one.precision == "fp32"} == {("x", "x.pt")}


@pytest.mark.parametrize(
    ("floats", "seen"),
    [((), "no float model"), (("a.pt", "b.pt"), r"2 float models \(a, b\)")],
)
def test_a_ready_file_without_any_float_model_has_nothing_to_compare_with(floats, seen):
    ready = matrix("y_int8.onnx", "ready", "onnxruntime", imgsz=64)
    cells = (*(matrix(list(floats), "fp32", "onnxruntime", imgsz=64) if floats else ()), *ready)
    wanted = rf"nothing to compare with: .* the suite has {seen} of this size; declare Model\('y_int8.onnx', float="
    with pytest.raises(ConfigError, match=wanted) as raised:
        explain(Place(), Suite("made", "digits", cells, [Gate("map", min=0)]), Path(), ready[0])
    assert "\n" not in str(raised.value)


def test_a_file_that_names_its_tensors_otherwise_is_quantized_in_one_step(scene, whole):
    model = onnx.load(scene.folder / "whole.onnx")
    inner = {name for node in model.graph.node for name in node.output} - {one.name for one in model.graph.output}
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [f"{name}/theirs" if name in inner else name for name in names]
    onnx.save(model, scene.folder / "theirs.onnx")
    found = scene.explain(scene.folder / "theirs.onnx")
    assert stage(found, "head").skipped.endswith("the file names its tensors otherwise than the float graph")
    assert found.blamed == "quantization"
    assert stage(found, "quantization").map == pytest.approx(stage(whole, "head").map)
