"""LiteRT, the successor of TensorFlow Lite, on the CPU: its interpreter with XNNPACK, its default delegate.

The interpreter is used and not `CompiledModel`, because it alone tells operators and tensor types, which `executed` and
`inspect` read. Both gave equal outputs in equal time: 35.3 and 35.8 ms in float32, 13.0 and 13.0 ms in int8.
"""

from __future__ import annotations

import ast
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor, described, require, require_cpu
from harness.backends.litert_work import Operator, products
from harness.core.cell import Cell, Size
from harness.core.errors import ConfigError, first_line
from harness.core.measurement import Artifact
from harness.tasks.outputs import layout_of

NORMALIZED = 2.0  # the largest box coordinate of an output is above this in pixels, and below it in units of the image
REFERENCE = "network.tflite"  # in assets/reference


def probe(cell: Cell) -> str:
    """Return the version of the installed LiteRT. Raises Unavailable for a device other than the CPU."""
    require_cpu(cell)
    return require("ai-edge-litert", extra="litert")


def load() -> None:
    """Import LiteRT's interpreter."""
    import ai_edge_litert.interpreter  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> LiteRtSession:
    """Open a `.tflite` file for the cell's batch and image size. Raises as `LiteRtSession` does."""
    return LiteRtSession(artifact.path, cell.shape, threads)


class LiteRtSession:
    """An interpreter of one model. It takes float32 NCHW and gives float32 pixels, whatever the file's own types are.

    Exports of the TensorFlow era, and Ultralytics' exports of today, give boxes in units of the image (0 to 1). The
    largest coordinate of the first call tells units from pixels, because every anchor gives a box whatever the image
    shows.

    Args:
        path: the `.tflite` file.
        shape: the input shape [N, 3, H, W]; an input with free sides is set to it.
        threads: threads of the interpreter.

    Raises:
        ConfigError: the file cannot be read, has several inputs, or cannot run on this shape.
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
        self._outputs, self._size = self._interpreter.get_output_details(), (height, width)
        self._fractions: bool | None = None  # whether boxes are in units of the image; None until a call has told it

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Run the model on `batch`, converted to the layout and type of its input, and convert the outputs back.

        The outputs are float32, with boxes in pixels.
        """
        given: Tensor = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)) if self._channels_last else batch
        self._interpreter.set_tensor(self._input["index"], _quantized(given, self._input))
        self._interpreter.invoke()
        outputs = tuple(_floats(self._interpreter.get_tensor(one["index"]), one) for one in self._outputs)
        if self._fractions is None:
            self._fractions = _in_fractions(outputs, self._size)
        if self._fractions:
            for boxes in map(_boxes, outputs):
                _scale(boxes, self._size)
        return outputs

    def executed(self) -> dict[str, int]:
        """Count by the interpreter's operators and the types of their tensors, which XNNPACK and LiteRT's kernels obey.

        float32 activations and int8 weights are multiplied in int8: the kernel quantizes the activations at every call.
        (Checked on one convolution: to 1e-6 its output equals the output for rounded inputs, and differs from the
        output for exact inputs.) Weights that a DEQUANTIZE operator turns into float32 count as float32, in which they
        are executed.
        """
        counts: Counter[str] = Counter()
        for product in products(operators(self._interpreter)):
            counts[product.executes] += product.macs
        return dict(counts)

    def close(self) -> None:
        """Drop the interpreter, which frees the model, its tensors and its threads."""
        del self._interpreter


def inspect(path: str | PathLike[str]) -> dict[str, Any]:
    """Read from a `.tflite` file what it is.

    Returns:
        `precision`: the precision of most of the multiply-accumulates, as `Product.precision` names it. `input` and
        `outputs`: shapes, None for a free side. `said`: what the metadata says that Ultralytics embeds, as `described`
        returns it.

    Raises:
        ConfigError: the file cannot be read as a LiteRT model, or it has no convolution and no matrix product.
    """
    from ai_edge_litert.interpreter import OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = _opened(str(path), experimental_op_resolver_type=plain)
    work: Counter[str] = Counter()
    for product in products(operators(interpreter)):
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


def operators(interpreter: Any) -> Iterator[Operator]:
    """Yield the operators of a model in execution order."""
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    for op in interpreter._get_ops_details():  # private, but the interpreter has no other list of operators
        given = [tensors[index] for index in op["inputs"] if index in tensors]
        made = [tensors[index] for index in op["outputs"] if index in tensors]
        yield op["op_name"], given, made


def _opened(path: str, **options: Any) -> Any:
    """An interpreter. It verifies the file before it reads it, so a truncated file is an error and not a crash."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(model_path=path, **options)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a LiteRT model: {first_line(error)}") from None


def channels_last(shape: Sequence[int | None]) -> bool:
    """Whether the shape of an image tensor is [N, H, W, 3], TensorFlow's layout."""
    return len(shape) == 4 and shape[3] == 3 and shape[1] != 3


def _quantized(values: Tensor, tensor: Mapping[str, Any]) -> Tensor:
    """float32 values in the type of an input tensor, by its scale and zero point."""
    dtype = np.dtype(tensor["dtype"])
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    scale, zero = tensor["quantization"]
    limits = np.iinfo(dtype)
    steps: Tensor = np.clip(np.rint(values / np.float32(scale)) + zero, limits.min, limits.max).astype(dtype)
    return steps


def _floats(values: Tensor, tensor: Mapping[str, Any]) -> Tensor:
    """The values of an output tensor as float32, by its scale and zero point."""
    scale, zero = tensor["quantization"]
    if values.dtype.kind == "f" or not scale:  # counts and class numbers have no scale
        return values.astype(np.float32, copy=False)
    floats: Tensor = (values.astype(np.float32) - zero) * np.float32(scale)
    return floats


def _in_fractions(outputs: Sequence[Tensor], size: Size) -> bool | None:
    """Whether the box coordinates in `outputs` are in units of the image, and not in pixels. None: no box tells."""
    detections = [output for output in outputs if output.ndim == 3]
    if any(layout_of(output.shape, None, size) == "yolox" for output in detections):
        return False  # offsets from cells and logarithms, which are small numbers too
    # The first two coordinates are a centre or a corner, never far outside the image. An extent may be larger than it.
    largest = max((float(_boxes(output, 2).max(initial=0)) for output in detections), default=0)
    if largest <= 0:
        return None
    return largest <= NORMALIZED


def _scale(boxes: Any, size: Size) -> None:
    """Bring boxes from units of the image to pixels, in place. `boxes` are as `_boxes` gives them."""
    height, width = size
    if boxes.size:
        across = boxes.shape[1] != 4 or boxes.shape[2] == 4  # [N, A, 4], not [N, 4, A]
        factors = np.array([width, height, width, height], np.float32)
        boxes *= factors if across else factors[:, None]


def _boxes(output: Tensor, coordinates: int = 4) -> Any:
    """The first coordinates of every box, as a view that can be written; empty where the output has no boxes."""
    if output.ndim != 3:
        return output[:0]
    return output[:, :coordinates] if output.shape[1] < output.shape[2] else output[..., :coordinates]


def _shape(tensor: Mapping[str, Any]) -> tuple[int | None, ...]:
    """The shape of a tensor, None for a free side."""
    free = tensor["shape_signature"]
    sides = free if len(free) == len(tensor["shape"]) else tensor["shape"]
    return tuple(None if side < 0 else int(side) for side in sides)


def _metadata(path: str | PathLike[str]) -> dict[str, Any]:
    """The metadata that Ultralytics appends to the file as a zip archive; empty where it is absent or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith((".json", ".txt")))
            text = archive.read(entry).decode()
        found = json.loads(text) if entry.endswith(".json") else ast.literal_eval(text)
    except (zipfile.BadZipFile, StopIteration, ValueError, SyntaxError):
        return {}
    return found if isinstance(found, dict) else {}
