"""LiteRT, the successor of TensorFlow Lite, on the CPU: its interpreter with XNNPACK, its default delegate.

The interpreter is used and not `CompiledModel`, because it alone tells operators and tensor types, which `executed` and
`inspect` read. Both gave equal outputs in equal time: 35.3 and 35.8 ms in float32, 13.0 and 13.0 ms in int8.
"""

from __future__ import annotations

import ast
import functools
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.backends import feed
from harness.backends.base import Tensor, described, require, require_cpu
from harness.backends.litert_work import Operator, arithmetic, products
from harness.core.cell import Cell
from harness.core.errors import ConfigError, first_line
from harness.core.measurement import Artifact

REFERENCE = "network.tflite"  # in assets/reference
NOTHING: Mapping[str, Any] = {}


def probe(cell: Cell) -> str:
    """Return the version of the installed LiteRT. Raises Unavailable for a device other than the CPU."""
    require_cpu(cell)
    return require("ai-edge-litert", extra="litert")


def load() -> None:
    """Import LiteRT's interpreter."""
    import ai_edge_litert.interpreter  # noqa: F401


def open(artifact: Artifact, cell: Cell, threads: int) -> LiteRtSession:
    """Open a `.tflite` file for the cell's batch and image size. Raises as `LiteRtSession` does."""
    return LiteRtSession(artifact.path, cell.shape, threads, artifact.meta.get("feed", {}))


class LiteRtSession:
    """An interpreter of one model. It takes float32 NCHW and gives float32, whatever the file's own types are.

    Args:
        path: the `.tflite` file.
        shape: the input shape [N, 3, H, W]; an input with free sides is set to it.
        threads: threads of the interpreter.
        said: what the artifact's metadata says under `feed`.

    Raises:
        ConfigError: the file cannot be read, has several inputs, or cannot run on this shape.
    """

    def __init__(
        self, path: str, shape: tuple[int, int, int, int], threads: int, said: Mapping[str, Any] = NOTHING
    ) -> None:
        self._interpreter = _opened(path, num_threads=threads)
        inputs = self._interpreter.get_input_details()
        given = [described_tensor(one) for one in inputs]
        number = feed.image_input(given, path)
        self._input = inputs[number]
        self._feed = feed.feed_of(given[number], path, said, _quantized(self._input))
        wanted = feed.wanted(given[number].shape or (), shape)
        try:
            if tuple(self._input["shape"]) != wanted:
                self._interpreter.resize_tensor_input(self._input["index"], wanted, strict=True)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:  # a fixed shape, or an operator without a kernel
            raise ConfigError(f"{path} cannot run on input {'×'.join(map(str, wanted))}: {first_line(error)}") from None
        self._outputs = self._interpreter.get_output_details()

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Run the model on `batch`, converted as its input wants it, and convert the outputs to float32."""
        self._interpreter.set_tensor(self._input["index"], self._feed(batch))
        self._interpreter.invoke()
        return tuple(_floats(self._interpreter.get_tensor(one["index"]), one) for one in self._outputs)

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
        `precision`: the precision of most of the multiply-accumulates, as `Product.precision` names it. `input`, of the
        images, and `outputs`: shapes, None for a free side. `feed`: `white`, where the network divides by 255 itself.
        `said`: what the metadata says that Ultralytics embeds, as `described` returns it.

    Raises:
        ConfigError: the file cannot be read as a LiteRT model, it has no convolution and no matrix product, or it takes
            something else than images.
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
    inputs = [described_tensor(one) for one in interpreter.get_input_details()]
    image = inputs[feed.image_input(inputs, str(path))]
    steps = arithmetic(operators(interpreter), image.name, functools.partial(_value, interpreter))
    white = feed.white_of(steps) if image.dtype in feed.FLOATS else None
    return {
        "precision": work.most_common(1)[0][0],
        "input": image.shape,
        "feed": {"white": white} if white == 255 else {},
        "outputs": [_shape(one) for one in interpreter.get_output_details()],
        "said": described(_metadata(path)),
    }


def _value(interpreter: Any, tensor: Mapping[str, Any]) -> Any:
    """The value of a constant as floats; None for a tensor that is computed."""
    try:
        return _floats(interpreter.get_tensor(tensor["index"]), tensor)
    except ValueError:  # nothing is computed before the first call
        return None


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


def described_tensor(tensor: Mapping[str, Any]) -> feed.NetworkInput:
    """An input of an interpreter, as it describes it."""
    return feed.NetworkInput(tensor["name"], str(np.dtype(tensor["dtype"])), _shape(tensor))


def _quantized(tensor: Mapping[str, Any]) -> feed.Quantized | None:
    """The scale and zero point of an input tensor; None where it has none."""
    scale, zero = tensor["quantization"]
    return feed.Quantized(float(scale), int(zero)) if scale else None


def _floats(values: Tensor, tensor: Mapping[str, Any]) -> Tensor:
    """The values of an output tensor as float32, by its scale and zero point."""
    scale, zero = tensor["quantization"]
    if values.dtype.kind == "f" or not scale:  # counts and class numbers have no scale
        return values.astype(np.float32, copy=False)
    floats: Tensor = (values.astype(np.float32) - zero) * np.float32(scale)
    return floats


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
