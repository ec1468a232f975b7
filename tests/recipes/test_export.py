"""A checkpoint becomes a module or a graph with its class names; what is no checkpoint for the cell is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from builders import built

from harness import ConfigError
from harness.recipes import BuildInputs
from harness.recipes.export import SOURCES, fused, load_checkpoint, to_module

SIZE = 64
ANCHORS = 16 * 16 + 8 * 8


@pytest.fixture
def inputs(tiny: Path) -> BuildInputs:
    return BuildInputs(tiny, tiny, (SIZE, SIZE), 1, False, None)


def changed(tiny: Path, target: Path, **attributes: object) -> Path:
    """The tiny checkpoint with other attributes of its module."""
    content = torch.load(tiny, weights_only=False)
    for name, value in attributes.items():
        setattr(content["model"], name, value)
    torch.save(content, target)
    return target


# Checkpoints


def test_a_detector_is_known_by_its_class_names(inputs: BuildInputs) -> None:
    model, meta = load_checkpoint(inputs)
    assert model.task == "detect"
    assert meta == {"names": ["cat", "dog"]}


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut"])
def test_a_damaged_checkpoint_is_one_line(inputs: BuildInputs, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.pt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.pt cannot be loaded as an Ultralytics checkpoint: \w+") as raised:
        load_checkpoint(replace(inputs, weights=tmp_path / "mine.pt"))
    assert "\n" not in str(raised.value)


def test_a_task_that_is_not_scored_is_named_with_those_that_are(
    inputs: BuildInputs, tiny: Path, tmp_path: Path
) -> None:
    weights = changed(tiny, tmp_path / "mine.pt", task="obb")
    with pytest.raises(ConfigError, match="are for the task 'obb'; quantgate scores detect, segment, pose"):
        load_checkpoint(replace(inputs, weights=weights))


def test_an_end_to_end_head_that_the_model_lacks_says_what_to_drop(inputs: BuildInputs) -> None:
    with pytest.raises(ConfigError, match=r"tiny\.pt have no end-to-end head; drop ':e2e' from the model's name"):
        load_checkpoint(replace(inputs, end_to_end=True))


# Modules


def test_the_module_is_ready_for_inference_and_has_no_batch_norm(inputs: BuildInputs) -> None:
    module, meta = fused(inputs)
    assert meta == {"names": ["cat", "dog"]}
    assert not module.training
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in module.modules())
    assert {(one.dtype, one.requires_grad) for one in module.parameters()} == {(torch.float32, False)}
    with torch.inference_mode():
        assert module(torch.zeros(1, 3, SIZE, SIZE)).shape == (1, 4 + 2, ANCHORS)


def test_folding_changes_no_output(inputs: BuildInputs) -> None:
    images = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    model, _ = load_checkpoint(inputs)
    with torch.inference_mode():
        wanted = model.model.float().eval()(images)[0]
        np.testing.assert_allclose(fused(inputs)[0](images), wanted, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_weights_are_stored_in_the_type_that_is_asked_for(inputs: BuildInputs, tmp_path: Path, dtype: str) -> None:
    to_module(inputs, tmp_path, dtype)
    module = torch.load(tmp_path / "model.pt", weights_only=False)
    assert {str(one.dtype) for one in module.parameters()} == {f"torch.{dtype}"}


def test_the_place_of_the_weights_does_not_shape_the_artifact(inputs: BuildInputs, tiny: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a folder with a much longer name" / "tiny.pt"
    sizes = []
    for number, weights in enumerate((tiny, elsewhere)):
        weights.parent.mkdir(exist_ok=True)
        weights.write_bytes(tiny.read_bytes())
        made = tmp_path / str(number)
        made.mkdir()
        to_module(replace(inputs, weights=weights), made, "float32")
        sizes.append((made / "model.pt").stat().st_size)
    assert sizes[0] == sizes[1]


# Graphs


def test_the_graph_has_the_shape_of_the_cell_and_nothing_is_written_beside_the_weights(
    inputs: BuildInputs, tiny: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "user" / "mine.pt"
    weights.parent.mkdir()
    weights.write_bytes(tiny.read_bytes())
    made = built(SOURCES["onnx"], replace(inputs, weights=weights, batch=2), tmp_path / "made")
    model = onnx.load(made / "model.onnx")
    values = (*model.graph.input, *model.graph.output)
    shapes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values]
    assert shapes == [[2, 3, SIZE, SIZE], [2, 4 + 2, ANCHORS]]
    assert {entry.key: entry.value for entry in model.metadata_props}["names"] == "{0: 'cat', 1: 'dog'}"
    assert [path.name for path in weights.parent.iterdir()] == ["mine.pt"]
    assert [path.name for path in made.iterdir()] == ["model.onnx"]
