"""Multiply-accumulates of one operator, from the shapes that a runtime reports.

They are the unit of attestation: what the name of a precision promises is that most of the arithmetic runs in its
type. A count of operators would give a 1 × 1 convolution on 20 × 20 pixels the weight of a network's first convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

Shape = Sequence[int]  # the sides of a tensor


def convolution(weight: Shape, output: Shape, channels: int) -> int:
    """The multiply-accumulates of a convolution, grouped or not.

    Args:
        weight: shape of the kernel, in any order of its axes.
        output: shape of the output, in any order of its axes.
        channels: output channels. Each output element meets the weights of its own channel alone.
    """
    return prod(weight) * prod(output) // channels


def transposed_convolution(weight: Shape, inputs: Shape) -> int:
    """The multiply-accumulates of a transposed convolution.

    Args:
        weight: shape of the kernel, [C_in, C_out / groups, …]. Each input element meets the weights of its own channel.
        inputs: shape of the input, in any order of its axes.
    """
    return prod(inputs) * prod(weight[1:])


def matmul(left: Shape, output: Shape) -> int:
    """The multiply-accumulates of a matrix product: M · N · K for every pair of matrices.

    Args:
        left: shape of the left factor, [..., M, K] or transposed: its elements are M · K either way.
        output: shape of the product, [..., M, N].
    """
    return prod(left) * output[-1]
