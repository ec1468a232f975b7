"""Multiply-accumulates of PyTorch's operators by numeric type: of an eager call, and of a compiled graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from harness.backends import macs

CONVOLUTIONS = {"aten.convolution": 1, "mkldnn._convolution_pointwise": 1, "onednn.qconv_pointwise": 3,
                "onednn.qconv2d_pointwise": 3}  # fmt: skip
"""Operator → position of its weight, shape [C_out, C_in / groups, …], among the arguments.

`onednn.qconv2d_pointwise` is the name of `onednn.qconv_pointwise` before PyTorch 2.8.
"""

PRODUCTS = {"aten.mm": 0, "aten.bmm": 0, "aten.addmm": 1, "aten.baddbmm": 1, "mkldnn._linear_pointwise": 0,
            "onednn.qlinear_pointwise": 0}  # fmt: skip
"""Operator → position of its left factor, shape [..., M, K], among the arguments."""

TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "uint8": "i8", "int8": "i8"}


def of_call(call: Callable[[], object]) -> dict[str, int]:
    """Execute `call` and count its multiply-accumulates by numeric type.

    Every operator that reaches a kernel is counted by the tensors it is given. So a fallback counts as what it is.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    work: Counter[str] = Counter()

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            output = op(*args, **(kwargs or {}))
            _add(work, op, args, output)
            return output

    with Watch():
        call()
    return dict(work)


def of_graph(graph: Any) -> dict[str, int]:
    """Count the multiply-accumulates of a torch.fx graph by numeric type, without executing it.

    Args:
        graph: its nodes must carry the tensors they stand for in `meta["val"]`, as after `torch.export`.
    """
    work: Counter[str] = Counter()
    for node in graph.nodes:
        if node.op == "call_function":
            args = [getattr(arg, "meta", {}).get("val", arg) for arg in node.args]
            _add(work, node.target, args, node.meta.get("val"))
    return dict(work)


def _add(work: Counter[str], op: Any, args: Sequence[Any], output: Any) -> None:
    """Add the work of one operator to `work`, where it is a convolution or a matrix product."""
    name = str(getattr(op, "overloadpacket", op))
    if name in CONVOLUTIONS:
        weight = args[CONVOLUTIONS[name]]
        if name == "aten.convolution" and args[6]:  # its argument `transposed`
            count = macs.transposed_convolution(weight.shape, args[0].shape)
        else:
            count = macs.convolution(weight.shape, output.shape, weight.shape[0])
        work[_type(args[0], convolution=True)] += count
    elif name in PRODUCTS:
        left = args[PRODUCTS[name]]
        work[_type(left, convolution=False)] += macs.matmul(left.shape, output.shape)


def _type(tensor: Any, convolution: bool) -> str:
    """The type in which an operator computes: its input's, or TF32 for float32 on a GPU where PyTorch allows TF32."""
    import torch

    name = str(tensor.dtype).removeprefix("torch.")
    rounds = torch.backends.cudnn.allow_tf32 if convolution else torch.backends.cuda.matmul.allow_tf32
    return "tf32" if tensor.is_cuda and name == "float32" and rounds else TYPES.get(name, name)
