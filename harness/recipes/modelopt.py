"""Checkpoint → Q/DQ graph, by NVIDIA ModelOpt on the PyTorch module: what TensorRT compiles, and where QAT starts.

A Q/DQ graph is an ONNX graph with pairs of QuantizeLinear and DequantizeLinear. Here int8 is symmetric with zero point
0, as TensorRT wants it: weights per output channel, activations per tensor. Activations are quantized where a
convolution reads them, so that a runtime may fuse what lies between two convolutions. Weights are stored as int8.

Plain `nvidia-modelopt` suffices; its `[onnx]` extra would replace onnxruntime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.recipes import export, qdq
from harness.recipes.base import EXPORT, BuildInputs, Recipe

TOOLS = (*EXPORT, "nvidia-modelopt")

SOURCES = {
    "modelopt": Recipe("modelopt:ptq_onnx", "model.onnx", "i8", "i8", "checkpoint", calibrated=True, tools=TOOLS),
}

AT_ONCE = 8  # calibration images per call

PERCENTILE = 99.999
"""Percentage of an activation's magnitudes that its range covers.

Chosen by measurement, as was the class branch in float (RECIPES.md).
"""


def ptq_onnx(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Quantize after training: ranges come from the calibration images, and the weights are not fine-tuned."""
    model, meta = export.load_checkpoint(inputs)
    model.model = fake_quantized(fused_module(model.model, inputs.end_to_end), inputs)
    write_graph(model, inputs, folder)
    return meta


def fused_module(module: Any, end_to_end: bool) -> Any:
    """Fold BatchNorm into the convolutions of `module`, and choose the head; in float32, for inference.

    YOLO26's head has two branches. Raw output needs only one-to-many, and the other is removed. An end-to-end model
    keeps both, because in a training the backbone learns from the one-to-many branch alone.
    """
    module = module.float().eval()
    head = module.model[-1]
    if hasattr(module, "end2end"):
        module.end2end = end_to_end
    if end_to_end:
        head.fuse = lambda: None  # the head's own fuse() would remove the one-to-many branch
        module.fuse(verbose=False)
        del head.fuse
        return module
    return module.fuse(verbose=False)


def fake_quantized(module: Any, inputs: BuildInputs) -> Any:
    """Put fake quantization before the convolutions of `module`, in place, with ranges from the calibration images.

    The class branch of the head, 4–7 % of the arithmetic, stays in float: its largest activations are far larger than
    all others.
    """
    import modelopt.torch.quantization as mtq
    import torch

    config: dict[str, Any] = {
        "quant_cfg": [
            {"quantizer_name": "*", "enable": False},
            {"quantizer_name": "*weight_quantizer", "cfg": {"num_bits": 8, "axis": 0}},
            {"quantizer_name": "*input_quantizer", "cfg": {"num_bits": 8, "axis": None, "calibrator": "histogram"}},
            {"quantizer_name": f"model.{len(module.model) - 1}.*cv3*", "enable": False},
            {"quantizer_name": "*.dfl.*", "enable": False},  # YOLO11's expectation over box distances: decoding
        ],
        "algorithm": None,  # ModelOpt would take the maximum, or one method for both weights and activations
    }
    module = mtq.quantize(module, config)
    quantizers = dict(_quantizers(module))
    for quantizer in quantizers.values():
        quantizer.disable_quant()
        quantizer.enable_calib()
    with torch.no_grad():
        for batch in inputs.batches(AT_ONCE):
            module(torch.from_numpy(batch))
    for name, quantizer in quantizers.items():
        wanted = {} if name.endswith("weight_quantizer") else {"method": "percentile", "percentile": PERCENTILE}
        quantizer.load_calib_amax(**wanted)
        quantizer.disable_calib()
        quantizer.enable_quant()
    return module


def _quantizers(module: Any) -> Any:
    """The name and the module of every quantizer that is enabled."""
    from modelopt.torch.quantization.nn import TensorQuantizer

    return ((name, q) for name, q in module.named_modules() if isinstance(q, TensorQuantizer) and q.is_enabled)


def write_graph(model: Any, inputs: BuildInputs, folder: Path) -> None:
    """Export a fake-quantized Ultralytics model to `model.onnx` as fp32 is exported, then store its weights as int8."""
    import onnx

    export.write_onnx(model, inputs, folder)
    graph = onnx.load(str(folder / "model.onnx"))
    qdq.store_weights(graph.graph)
    onnx.save(graph, folder / "model.onnx")
