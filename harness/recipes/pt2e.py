"""Ultralytics checkpoint → native code by PyTorch's compiler, in float or as static int8.

int8 follows what PyTorch's documentation recommends for convolution networks on x86 CPUs: PT2E static quantization with
torchao's X86InductorQuantizer, lowered by Inductor ("PyTorch 2 Export Quantization with X86 Backend through Inductor":
"static quantization works best for CNN models"; eager and FX quantization are deprecated in its favour). Activations
are unsigned and weights signed per channel, as oneDNN's int8 convolutions take them. Ranges come from histograms. The
decoding of boxes stays in float.

The artifact is an AOTInductor package, a shared library that holds its weights. It runs on the kind of CPU that it was
compiled on. With `torch.compile` instead, every process that opens the graph would compile for half a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core.errors import Unavailable
from harness.recipes.base import BuildInputs, Recipe, Table
from harness.recipes.export import MODULE

ENTRY = "model.pt2"

RECIPES: Table = {
    ("torch", "int8"): Recipe(
        "pt2e:static_int8", ENTRY, "i8", "i8", "checkpoint", calibrated=True, tools=(*MODULE, "torchao"), compiled=True
    ),
    ("torch", "fp32:compiled"): Recipe(
        "pt2e:in_float", ENTRY, "f32", "f32", "checkpoint", {"dtype": "float32"}, tools=MODULE, compiled=True
    ),
    ("torch", "bf16:compiled"): Recipe(
        "pt2e:in_float", ENTRY, "bf16", "bf16", "checkpoint", {"dtype": "bfloat16"}, tools=MODULE, compiled=True
    ),
}

REASONS = {
    ("torch", "int8", "cuda"): "PyTorch's compiled int8 convolutions are x86 kernels; TensorRT runs int8 on the GPU",
    ("torch", "fp32:compiled", "cuda"): "this version of quantgate compiles PyTorch models for the CPU only",
    ("torch", "bf16:compiled", "cuda"): "this version of quantgate compiles PyTorch models for the CPU only",
    ("torch", "int8-dynamic"): "PyTorch's dynamic quantization is for matrix products: it has no convolution kernels",
}

OPTIONS = {
    "freezing": True,  # weights are constants: folded, and packed as oneDNN wants them
    "cpp.dynamic_threads": True,  # as many as the session asks for, not as many as the compiling process had
}


def static_int8(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Compile with every operator that the quantizer knows in int8, except for the decoding.

    Raises:
        Unavailable: there is no C++ compiler.
    """
    import torch

    _require_compiler()
    module, meta = _module(inputs, "float32")
    with torch.no_grad():  # Inductor freezes inference only
        decoding = f"model.{len(module.model) - 1}.dfl"  # YOLO11's expectation over box distances
        quantized = _quantize(_capture(module, inputs), inputs, decoding)
        return {**meta, **_compile(_capture(quantized, inputs), folder)}


def in_float(inputs: BuildInputs, folder: Path, dtype: str) -> dict[str, Any]:
    """Compile in float with weights and activations as `dtype`, the name of a torch type: what int8 is compared with.

    Raises:
        Unavailable: there is no C++ compiler.
    """
    import torch

    _require_compiler()
    module, meta = _module(inputs, dtype)
    with torch.no_grad():
        return {**meta, **_compile(_capture(module, inputs), folder)}


def _require_compiler() -> None:
    """Raise Unavailable where there is no C++ compiler."""
    from torch._inductor import cpp_builder, exc

    try:
        cpp_builder.get_cpp_compiler()
    except exc.InvalidCxxCompiler:
        raise Unavailable("PyTorch compiles this with a C++ compiler and finds none: install g++ or set CXX") from None


def _module(inputs: BuildInputs, dtype: str) -> tuple[Any, dict[str, Any]]:
    """The fused module and its metadata: float32 in and out, `dtype` between, boxes decoded in float32."""
    import torch

    from harness.backends.torch import decode_in_float
    from harness.recipes.export import fused

    module, meta = fused(inputs)
    if dtype == "float32":
        return module, meta
    half = module.to(getattr(torch, dtype))
    decode_in_float(half.model[-1])

    class Casting(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.detector = half

        def forward(self, images: Any) -> Any:
            found = self.detector(images.to(getattr(torch, dtype)))
            return tuple(one.float() for one in found) if isinstance(found, tuple) else found.float()

    return Casting().eval(), meta


def _capture(module: Any, inputs: BuildInputs) -> Any:
    """The module as a torch.export program for batches of one shape."""
    import torch

    images = torch.zeros(inputs.shape)
    module(images)  # a YOLO head computes its anchors on the first call, in a way that no export can follow
    # Only a strict export keeps which call in the source a node comes from, and quantizers find patterns by that.
    return torch.export.export(module, (images,), strict=True)


def _quantize(program: Any, inputs: BuildInputs, in_float: str) -> Any:
    """Insert observers, show them the calibration images, then replace them by quantize and dequantize operators.

    `in_float` is the name of the module that is not quantized.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    observed = prepare_pt2e(program.module(), _quantizer(in_float))
    for batch in inputs.batches():
        observed(torch.from_numpy(batch))
    return convert_pt2e(observed)


def _quantizer(in_float: str) -> Any:
    """The x86 quantizer, for all modules but `in_float`."""
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    class Quantizer(x86.X86InductorQuantizer):  # type: ignore[misc]
        """The quantizer without the fusion of an addition into the convolution before it.

        Inductor would add in place, and it fails where the other summand is a view, as the residual of the attention
        in YOLO11 and YOLO26 is: "QConv Binary Inplace Fusion requires accum is not an alias or mutation".
        """

        def _annotate_conv2d_binary(self, *arguments: Any) -> None:
            pass

        def _annotate_conv2d_binary_unary(self, *arguments: Any) -> None:
            pass

    quantizer = Quantizer()
    quantizer.set_module_name_qconfig(in_float, None)
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    return quantizer


def _compile(program: Any, folder: Path) -> dict[str, Any]:
    """Compile ahead of time into `folder`.

    Returns:
        `work`: the multiply-accumulates of the compiled graph by numeric type, which the session reads. They are
        counted after the weights are packed, when every convolution is the operator that will execute: oneDNN's
        quantized one, or a float one where the quantized pattern did not match. Later passes fuse element-wise
        operators into the convolutions.
    """
    from torch._inductor import aoti_compile_and_package
    from torch._inductor.custom_graph_pass import CustomGraphPass
    from torch._inductor.utils import fresh_cache

    from harness.backends import torch_work

    work: dict[str, int] = {}

    class Record(CustomGraphPass):  # type: ignore[misc]
        def __call__(self, graph: Any) -> None:
            work.update(torch_work.of_graph(graph))

        def uuid(self) -> None:
            """Return None, so that no graph comes from the compiler's cache, which would skip this pass."""

    with fresh_cache():
        aoti_compile_and_package(
            program,
            package_path=str(folder / ENTRY),
            inductor_configs={**OPTIONS, "post_grad_custom_pre_pass": Record()},
        )
    return {"work": work}
