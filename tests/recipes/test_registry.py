"""Which recipe makes a cell, what it is made from, and why some cells have none."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness import Cell, ConfigError, Qat, Unavailable
from harness.backends.registry import own_backends
from harness.core.errors import Unsupported
from harness.recipes import Recipe
from harness.recipes.registry import (
    EXTRAS,
    PRECISIONS,
    REASONS,
    RECIPES,
    SOURCES,
    recipe,
    recipe_names,
    source_of,
    steps,
)

EVERY = {**{":".join(key): made_by for key, made_by in RECIPES.items()}, **SOURCES}
CHECKPOINT = Path("mine.pt")


def lacking(monkeypatch: pytest.MonkeyPatch, *tools: str) -> None:
    """Let the null backend's fp32 need tools that are not installed."""
    monkeypatch.setitem(RECIPES, ("null", "fp32"), replace(RECIPES["null", "fp32"], tools=tools))


# The tables


@pytest.mark.parametrize("made_by", EVERY.values(), ids=EVERY)
def test_every_recipe_names_a_function_and_a_source_that_exist(made_by: Recipe) -> None:
    module, _, function = made_by.build.partition(":")
    assert callable(getattr(importlib.import_module(f"harness.recipes.{module}"), function))
    assert made_by.source in {"checkpoint", *SOURCES}


def test_the_tables_are_of_the_backends_that_ship_with_quantgate() -> None:
    assert {backend for backend, _ in RECIPES} == set(own_backends())
    assert {key[0] for key in REASONS} <= set(own_backends())


def test_every_precision_belongs_to_a_known_family() -> None:
    assert {precision.partition(":")[0] for _, precision in (*RECIPES, *(key[:2] for key in REASONS))} <= set(
        PRECISIONS
    )


def test_what_has_a_recipe_has_no_reason_against_it_on_all_devices() -> None:
    assert not RECIPES.keys() & {key for key in REASONS if len(key) == 2}


def test_every_tool_comes_with_quantgate_or_with_the_extra_that_is_named() -> None:
    needed = importlib.metadata.requires("quantgate") or []
    plain = {re.split(r"[^\w-]", one)[0] for one in needed if "extra ==" not in one}
    tools = {tool for made_by in EVERY.values() for tool in made_by.tools}
    assert tools <= plain | EXTRAS.keys()
    extras = importlib.metadata.metadata("quantgate").get_all("Provides-Extra") or []
    assert set(EXTRAS.values()) <= set(extras)


def test_a_precision_that_names_its_recipe_has_a_colon() -> None:
    assert recipe_names() >= {"int8:ultralytics", "int8:minmax", "fp32:tf32"}
    assert all(":" in name for name in recipe_names())


# The recipe of a cell


def test_a_cell_has_the_recipe_of_its_backend_and_precision() -> None:
    assert recipe(Cell("m", "int8", "null")) is RECIPES["null", "int8"]
    assert recipe(Cell("m", "int8:minmax", "onnxruntime")).params == {"method": "minmax"}


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (Cell("m", "w8a16", "null"), "this version of quantgate has no w8a16 recipe for null"),
        (Cell("m", "int8:unheard", "onnxruntime"), "has no int8:unheard recipe for onnxruntime"),
        (Cell("m", "bf16", "onnxruntime"), "no bfloat16 convolution kernels"),
        (Cell("m", "fp16", "torch"), "PyTorch has no fast float16 convolution on CPUs"),
        (Cell("m", "int8", "torch", "cuda:1"), "x86 kernels; TensorRT runs int8 on the GPU"),
    ],
    ids=str,
)
def test_a_cell_without_a_recipe_says_why(cell: Cell, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        recipe(cell)


def test_a_reason_against_one_device_does_not_hold_for_another() -> None:
    assert recipe(Cell("m", "fp16", "torch", "cuda")) is RECIPES["torch", "fp16"]


def test_qat_without_a_word_on_the_training_says_where_to_declare_it() -> None:
    cell = Cell("m", "int8-qat", "onnxruntime")
    with pytest.raises(Unavailable, match=r"Model\('…', qat=Qat\(epochs=…\)\) in the matrix"):
        recipe(cell)
    pytest.importorskip("modelopt", reason="ModelOpt is not installed: pip install 'quantgate[qat]'")
    assert recipe(replace(cell, qat=Qat())) is RECIPES["onnxruntime", "int8-qat"]


def test_a_tool_that_is_not_installed_is_named_with_the_command_that_installs_it(monkeypatch) -> None:
    lacking(monkeypatch, "numpy", "no-such-tool")
    with pytest.raises(Unavailable, match="no-such-tool is not installed: pip install no-such-tool"):
        recipe(Cell("m", "fp32", "null"))
    monkeypatch.setitem(EXTRAS, "no-such-tool", "litert")
    with pytest.raises(Unavailable, match=r"pip install 'quantgate\[litert\]'"):
        recipe(Cell("m", "fp32", "null"))


def test_the_tools_of_the_steps_below_are_needed_too(monkeypatch) -> None:
    monkeypatch.setitem(SOURCES, "below", Recipe("null:copy", "model.json", "f32", "f32", tools=("no-such-tool",)))
    monkeypatch.setitem(RECIPES, ("null", "fp32"), replace(RECIPES["null", "fp32"], source="below"))
    with pytest.raises(Unavailable, match="no-such-tool is not installed"):
        recipe(Cell("m", "fp32", "null"))


# What a recipe starts from


def test_the_steps_lead_from_the_artifact_down_to_the_checkpoint() -> None:
    made_by = RECIPES["tensorrt", "int8"]
    assert [step.build for step in steps(made_by)] == ["tensorrt:engine", "tensorrt:half", "modelopt:ptq_onnx"]
    assert steps(SOURCES["modelopt"]) == [SOURCES["modelopt"]], "made from the checkpoint itself"


def test_a_recipe_starts_from_an_intermediate_artifact_or_from_the_checkpoint() -> None:
    assert source_of(RECIPES["onnxruntime", "int8"], CHECKPOINT) is SOURCES["onnx"]
    assert source_of(RECIPES["litert", "int8"], CHECKPOINT) is SOURCES["tflite"]
    assert source_of(RECIPES["torch", "fp32"], CHECKPOINT) is None


def test_a_float_onnx_takes_the_place_of_the_exported_graph_alone() -> None:
    assert source_of(RECIPES["openvino", "int8"], Path("mine.onnx")) is SOURCES["onnx file"]
    assert source_of(SOURCES["onnx file"], Path("mine.onnx")) is None
    with pytest.raises(
        ConfigError, match=r"mine\.onnx is no checkpoint, and only a float \.onnx can be quantized further"
    ):
        source_of(RECIPES["torch", "fp32"], Path("mine.onnx"))


@pytest.mark.parametrize("made_by", [RECIPES["torch", "fp32"], SOURCES["onnx"]])
@pytest.mark.parametrize("suffix", [".tflite", ".xml", ".engine"])
def test_other_files_run_ready_only(made_by: Recipe, suffix: str) -> None:
    with pytest.raises(ConfigError, match=rf"mine\{suffix} is no checkpoint.* precisions='ready'"):
        source_of(made_by, Path(f"mine{suffix}"))


@pytest.mark.parametrize(
    ("runtime", "suffix"),
    [("onnxruntime", ".onnx"), ("openvino", ".xml"), ("litert", ".tflite"), ("tensorrt", ".engine")],
)
def test_a_ready_file_is_read_as_it_is(runtime: str, suffix: str) -> None:
    assert source_of(RECIPES[runtime, "ready"], Path(f"mine{suffix}")) is None
