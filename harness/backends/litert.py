"""LiteRT, the successor of TensorFlow Lite, on the CPU: its interpreter with XNNPACK, its default delegate.

The interpreter and not `CompiledModel`: both gave the same outputs in the same time (35.3 and 35.8 ms in float32, 13.0
and 13.0 ms in int8), and the interpreter alone tells operators and tensor types, which `executed` and `inspect` read.
"""

from __future__ import annotations

import ast
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import macs
from harness.backends.base import Tensor, described, require, require_cpu
from harness.core.cell import Cell
from harness.core.errors import ConfigError, first_line
from harness.core.measurement import Artifact
from harness.tasks.outputs import layout_of

TYPES = {"float32": "f32", "float16": "f16", "int8": "i8", "uint8": "i8", "int16": "i16"}
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
NORMALIZED = 2.0  # no box of a network that counts in pixels is all below this, no box in units of the image above
REFERENCE = "network.tflite"  # of `references.py`


def probe(cell: Cell) -> str:
    require_cpu(cell)
    return require("ai-edge-litert", extra="litert")


def load() -> None:
    import ai_edge_litert.interpreter  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> LiteRtSession:
    return LiteRtSession(artifact.path, (cell.batch, 3, cell.imgsz, cell.imgsz), threads)


class LiteRtSession:
    """One interpreter. Layout and quantization of inputs and outputs are its business: float32 NCHW in, float32 out.

    Exports of the TensorFlow era, and Ultralytics' of today, give boxes in units of the image (0–1). Every anchor
    gives a box whatever the image shows, so the first call tells pixels from units: by the largest coordinate.
    """

    def __init__(self, path: str, shape: tuple[int, int, int, int], threads: int) -> None:
        self._interpreter = _opened(path, num_threads=threads)
        (self._input, *others) = self._interpreter.get_input_details()
        if others:
            raise ConfigError(f"{path} has {1 + len(others)} inputs; quantgate feeds one image tensor")
        count, channels, height, width = shape
        self._channels_last = channels_last(self._input["shape"])
        wanted = (count, height, width, channels) if self._channels_last else shape
        try:
            if tuple(self._input["shape"]) != wanted:
                self._interpreter.resize_tensor_input(self._input["index"], wanted, strict=True)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:  # a fixed shape, or an operator without a kernel
            raise ConfigError(f"{path} cannot run on input {'×'.join(map(str, wanted))}: {first_line(error)}") from None
        self._outputs, self._side = self._interpreter.get_output_details(), width
        self._unit: int | None = None  # pixels per unit of a box coordinate, once told

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        given: Tensor = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)) if self._channels_last else batch
        self._interpreter.set_tensor(self._input["index"], _quantized(given, self._input))
        self._interpreter.invoke()
        outputs = tuple(_floats(self._interpreter.get_tensor(one["index"]), one) for one in self._outputs)
        if self._unit is None:
            self._unit = _unit(outputs, self._side)
        if self._unit is not None and self._unit != 1:
            for boxes in map(_boxes, outputs):
                boxes *= self._unit
        return outputs

    def executed(self) -> dict[str, int]:
        """From the interpreter's operators and the types of their tensors: XNNPACK and LiteRT's kernels obey them.

        float32 activations meet int8 weights in int8: the activations are quantized at every call (checked on one
        convolution, whose output is that of rounded inputs, to 1e-6, and not that of the same weights in float32).
        Weights that a DEQUANTIZE operator turns into float32 are float32 here, and are executed so.
        """
        counts: Counter[str] = Counter()
        for product in _products(self._interpreter):
            dynamic = product.activation == "f32" and product.weight == "i8"
            counts["i8" if dynamic else product.activation] += product.macs
        return dict(counts)

    def close(self) -> None:
        del self._interpreter


def inspect(path: str | PathLike[str]) -> dict[str, Any]:
    """What a `.tflite` is, read from it: `precision`, `input` and `outputs` (shapes, None where free), `said`.

    `precision` is that of most of the multiply-accumulates: fp32, fp16, int8, int8-dynamic, w8a16, or w8 for int8
    weights that are dequantized before use. `said` is what metadata that Ultralytics embeds says, as of `described`.

    Raises:
        ConfigError: the file cannot be read as a LiteRT model.
    """
    from ai_edge_litert.interpreter import OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = _opened(str(path), experimental_op_resolver_type=plain)
    work: Counter[str] = Counter()
    for product in _products(interpreter):
        if product.stored:
            work[product.precision] += product.macs
    if not work:
        raise ConfigError(f"{path} has no convolution and no matrix product: it is no detector")
    return {
        "precision": work.most_common(1)[0][0],
        "input": _shape(interpreter.get_input_details()[0]),
        "outputs": [_shape(one) for one in interpreter.get_output_details()],
        "said": described(_metadata(path)),
    }


def operators(interpreter: Any) -> Iterator[tuple[str, Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]]:
    """Name, input tensors and output tensors of every operator, as the interpreter describes them."""
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    for op in interpreter._get_ops_details():  # the only list of operators there is
        given, made = ([tensors[i] for i in op[side] if i in tensors] for side in ("inputs", "outputs"))
        yield op["op_name"], given, made


@dataclass(frozen=True)
class _Product:
    """A convolution or matrix product."""

    macs: int
    activation: str  # type of the data it is given
    weight: str  # type of the weight it is given
    stored: str | None  # type of the weight in the file; None of a product of two activations

    @property
    def precision(self) -> str:
        if self.activation in ("i8", "i16"):
            return "int8" if self.activation == "i8" else "w8a16"
        if self.weight == "i8":
            return "int8-dynamic"
        return {"i8": "w8", "f16": "fp16"}.get(self.stored or "", "fp32")


def _products(interpreter: Any) -> Iterator[_Product]:
    stored: dict[int, str] = {}  # tensors that are dequantized weights → their type in the file
    for name, given, made in operators(interpreter):
        if name == "DEQUANTIZE":
            stored[made[0]["index"]] = _type(given[0])
        elif name in (*WEIGHTED, "BATCH_MATMUL"):
            data, weight = (given[2], given[1]) if name == "TRANSPOSE_CONV" else given[:2]
            kept = stored.get(weight["index"], _type(weight)) if name in WEIGHTED else None
            yield _Product(
                _macs(name, data["shape"], weight["shape"], made[0]["shape"]), _type(data), _type(weight), kept
            )


def _macs(name: str, data: Any, weight: Any, output: Any) -> int:
    data, weight, output = ([int(side) for side in shape] for shape in (data, weight, output))
    if name in ("FULLY_CONNECTED", "BATCH_MATMUL"):
        return macs.matmul(data, output)
    spread = data if name == "TRANSPOSE_CONV" else output  # every input, or every output, meets a kernel
    return macs.convolution(weight, spread, spread[-1])


def _type(tensor: Mapping[str, Any]) -> str:
    name = str(np.dtype(tensor["dtype"]))
    return TYPES.get(name, name)


def _opened(path: str, **options: Any) -> Any:
    """An interpreter; it verifies the file before it reads it, so that a truncated one is an error and no crash."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(model_path=path, **options)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a LiteRT model: {first_line(error)}") from None


def channels_last(shape: Sequence[int | None]) -> bool:
    """Whether an image tensor is [N, H, W, 3], as TensorFlow has it."""
    return len(shape) == 4 and shape[3] == 3 and shape[1] != 3


def _quantized(values: Tensor, tensor: Mapping[str, Any]) -> Tensor:
    """float32 → the input's type, by its scale and zero point."""
    dtype = np.dtype(tensor["dtype"])
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    scale, zero = tensor["quantization"]
    limits = np.iinfo(dtype)
    steps: Tensor = np.clip(np.rint(values / np.float32(scale)) + zero, limits.min, limits.max).astype(dtype)
    return steps


def _floats(values: Tensor, tensor: Mapping[str, Any]) -> Tensor:
    """The output's type → float32, by its scale and zero point."""
    scale, zero = tensor["quantization"]
    if values.dtype.kind == "f" or not scale:  # counts and class numbers have no scale
        return values.astype(np.float32, copy=False)
    floats: Tensor = (values.astype(np.float32) - zero) * np.float32(scale)
    return floats


def _unit(outputs: Sequence[Tensor], side: int) -> int | None:
    """Pixels per unit of the box coordinates of these outputs; None where no box tells."""
    detections = [output for output in outputs if output.ndim == 3]
    if any(layout_of(output.shape, None, side) == "yolox" for output in detections):
        return 1  # offsets from cells and logarithms, which are small numbers too
    # Their first two: a centre or a corner. Extents may exceed the image, which a coordinate in units cannot by much.
    largest = max((float(_boxes(output, 2).max(initial=0)) for output in detections), default=0)
    if largest <= 0:
        return None
    return side if largest <= NORMALIZED else 1


def _boxes(output: Tensor, coordinates: int = 4) -> Any:
    """The first coordinates of every box, as a view; empty where the output has none."""
    if output.ndim != 3:
        return output[:0]
    return output[:, :coordinates] if output.shape[1] < output.shape[2] else output[..., :coordinates]


def _shape(tensor: Mapping[str, Any]) -> tuple[int | None, ...]:
    free = tensor["shape_signature"]
    sides = free if len(free) == len(tensor["shape"]) else tensor["shape"]
    return tuple(None if side < 0 else int(side) for side in sides)


def _metadata(path: str | PathLike[str]) -> dict[str, Any]:
    """The metadata that Ultralytics appends to the file as a zip archive; empty without."""
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith((".json", ".txt")))
            text = archive.read(entry).decode()
        found = json.loads(text) if entry.endswith(".json") else ast.literal_eval(text)
    except (zipfile.BadZipFile, StopIteration, ValueError, SyntaxError):
        return {}
    return found if isinstance(found, dict) else {}
