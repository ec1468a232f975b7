"""What the operators of a LiteRT model compute: multiply-accumulates, and the numeric types they are given. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.backends import macs

TYPES = {"float32": "f32", "float16": "f16", "int8": "i8", "uint8": "i8", "int16": "i16"}
ARITHMETIC = {"MUL": "mul", "DIV": "div", "ADD": "add", "SUB": "add"}  # operator → its kind for `feed.white_of`
MOVING = ("CAST", "TRANSPOSE", "RESHAPE", "PAD", "RESIZE_BILINEAR", "STRIDED_SLICE", "SLICE", "GATHER", "REVERSE_V2")
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV", "FULLY_CONNECTED")

Tensors = Sequence[Mapping[str, Any]]
Operator = tuple[str, Tensors, Tensors]
"""Name, input tensors and output tensors of an operator, as LiteRT's interpreter describes them."""


@dataclass(frozen=True)
class Product:
    """A convolution or matrix product of a model."""

    macs: int  # multiply-accumulates
    activation: str  # type of the data that it is given
    weight: str  # type of the weight that it is given
    stored: str | None  # type of the weight in the file; None for a product of two activations

    @property
    def executes(self) -> str:
        """The type in which it runs: the kernel quantizes float32 activations itself to multiply int8 weights."""
        dynamic = self.activation == "f32" and self.weight == "i8"
        return "i8" if dynamic else self.activation

    @property
    def precision(self) -> str:
        """fp32, fp16, int8, int8-dynamic, w8a16, or w8 where an int8 weight is dequantized before use."""
        if self.activation in ("i8", "i16"):
            return "int8" if self.activation == "i8" else "w8a16"
        if self.weight == "i8":
            return "int8-dynamic"
        return {"i8": "w8", "f16": "fp16"}.get(self.stored or "", "fp32")


def products(operators: Iterable[Operator]) -> Iterator[Product]:
    """Yield the convolutions and matrix products among the operators of a model, which must be in execution order."""
    stored: dict[int, str] = {}  # index of a dequantized weight → its type in the file
    for name, given, made in operators:
        if name == "DEQUANTIZE":
            stored[made[0]["index"]] = _type(given[0])
        elif name in (*WEIGHTED, "BATCH_MATMUL"):
            data, weight = (given[2], given[1]) if name == "TRANSPOSE_CONV" else given[:2]
            kept = stored.get(weight["index"], _type(weight)) if name in WEIGHTED else None
            work = _macs(name, data["shape"], weight["shape"], made[0]["shape"])
            yield Product(work, _type(data), _type(weight), kept)


def arithmetic(
    operators: Iterable[Operator], tensor: str, value: Callable[[Mapping[str, Any]], Any]
) -> Iterator[tuple[str, float]]:
    """Yield what is done to the input `tensor`, for `feed.white_of`, up to the first operator of another kind.

    `value` gives the constant that a tensor holds, and None for a tensor that is computed.
    """
    for name, given, made in operators:
        if tensor not in [one["name"] for one in given]:
            continue
        if name in ARITHMETIC:
            others = [one for one in given if one["name"] != tensor]
            constant = value(others[0]) if len(others) == 1 else None
            if constant is None:
                return
            yield ARITHMETIC[name], float(np.abs(constant).max(initial=0))
        elif name == "QUANTIZE":
            scale, zero = made[0]["quantization"]
            yield "round", float((np.iinfo(made[0]["dtype"]).max - zero) * scale)
        elif name not in MOVING:
            return
        tensor = made[0]["name"]


def _macs(name: str, data: Any, weight: Any, output: Any) -> int:
    """Multiply-accumulates of the operator `name` from the shapes of its data, weight and output."""
    data, weight, output = ([int(side) for side in shape] for shape in (data, weight, output))
    if name in ("FULLY_CONNECTED", "BATCH_MATMUL"):
        return macs.matmul(data, output)
    spread = data if name == "TRANSPOSE_CONV" else output  # every input, or every output, meets a kernel
    return macs.convolution(weight, spread, spread[-1])


def _type(tensor: Mapping[str, Any]) -> str:
    """The numeric type of a tensor as attestation names it; NumPy's name for a type that is not in `TYPES`."""
    name = str(np.dtype(tensor["dtype"]))
    return TYPES.get(name, name)
