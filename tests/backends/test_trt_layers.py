"""TensorRT's engine inspector: what its report says of the work that was done, and what it leaves open."""

from __future__ import annotations

import json

from harness.backends import trt_layers


def layer(name: str, kind: str, dtype: str, tactic: str = "", **more):
    """A layer of the inspector's report, as TensorRT writes it at detailed verbosity."""
    tensor = {"Name": "x", "Dimensions": [1, 64, 20, 20], "Format/Datatype": dtype}
    return {"Name": name, "LayerType": kind, "Inputs": [tensor], "Outputs": [tensor], "TacticName": tactic, **more}


def report(*layers) -> str:
    return json.dumps({"Layers": layers, "Bindings": ["images", "output0"]})


INT8 = "Thirty-two wide channel vectorized row major Int8 format"


def test_work_counts_in_the_type_that_its_kernel_reads():
    said = report(
        layer("a + PWN(a/act)", "CaskConvolution", INT8, Metadata="[ONNX Layer: a]\x1e[ONNX Layer: a/act]"),
        layer("b", "CaskGemmConvolution", "Channel major FP16 format where channel % 8 == 0"),
        layer("c || d", "CaskConvolution", "Row major linear FP32"),
        layer("e", "CaskConvolution", "Row major linear FP32", "sm80_xmma_fprop_implicit_gemm_f32f32_tf32f32_f32_nhwc"),
        layer("f_myl3_2", "gemm", "Half", Metadata="[ONNX Layer: f]"),
        {**layer("g", "correlation", ""), "Inputs": [{"Datatype": "BFloat16", "Format": "Row major"}]},
    )
    work = {"a": 1, "b": 20, "c": 300, "d": 400, "e": 5000, "f": 60, "g": 70000}
    said = said.replace("\\u001e", "\x1e")  # TensorRT does not escape it
    assert trt_layers.executed(said, work) == {"i8": 1, "f16": 80, "f32": 700, "tf32": 5000, "bf16": 70000}


def test_a_layer_that_only_carries_data_to_a_kernel_does_not_count_for_it():
    node = {"Metadata": "[ONNX Layer: a]"}
    said = report(
        layer("Reformatting CopyNode for Input Tensor 0 to a", "Reformat", "Row major linear FP32", **node),
        layer("PWN(a/act)", "PointWiseV2", "Half", Metadata="[ONNX Layer: a/act]"),
        layer("__myl_MoveMul_myl0", "kgen", "Half", "__myl_MoveMul_0x1", **node),
        layer("a", "CaskConvolution", INT8, **node),
    )  # fmt: skip
    assert trt_layers.executed(said, {"a": 7}) == {"i8": 7}


def test_work_that_no_kernel_answers_for_is_not_passed_over():
    said = report(layer("a", "CaskConvolution", INT8), layer("b", "PluginV3", "Half"))
    assert trt_layers.executed(said, {"a": 5, "b": 2}) == {"i8": 5, "unknown": 2}


def test_an_engine_without_details_attests_nothing():
    assert trt_layers.executed(json.dumps({"Layers": ["a", "b"], "Bindings": []}), {"a": 5}) == {}


def test_an_engine_from_elsewhere_counts_by_the_shapes_of_its_layers():
    attention = layer("qk", "gemm", "Half")
    attention["Inputs"] = [
        {"Dimensions": [2, 400, 32], "Datatype": "Half"},
        {"Dimensions": [2, 32, 400], "Datatype": "Half"},
    ]
    attention["Outputs"] = [{"Dimensions": [2, 400, 400]}]
    said = report(
        layer("a", "CaskConvolution", INT8, Weights={"Type": "Int8", "Count": 64 * 32 * 9}, Groups=1),
        attention,
        layer("c", "CaskPooling", INT8),
    )
    assert trt_layers.executed(said, {}) == {"i8": 64 * 32 * 9 * 20 * 20, "f16": 2 * 400 * 400 * 32}


def test_a_layer_that_reports_no_shapes_counts_nothing():
    said = report(
        {**layer("a", "CaskConvolution", INT8, Weights={"Count": 576}), "Outputs": []},
        {**layer("b", "gemm", "Half"), "Inputs": [], "Outputs": [{"Dimensions": [4]}]},
        {**layer("c", "gemm", "Half"), "Inputs": []},
    )
    assert trt_layers.executed(said, {}) == {}


def test_fp8_is_told_from_other_types_of_eight_bits():
    said = report(layer("a", "CaskConvolution", "Row major linear FP8E4M3"), layer("b", "CaskConvolution", INT8))
    assert trt_layers.executed(said, {"a": 3, "b": 4}) == {"f8": 3, "i8": 4}
