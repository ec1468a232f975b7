"""Multiply-accumulates of one operator, from the shapes that a runtime reports. The unit of attestation.

A count of operators would weigh a 1 × 1 convolution on 20 × 20 pixels like the stem; the share of the arithmetic that
ran in a type is what its name promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

Shape = Sequence[int]


def convolution(weight: Shape, output: Shape, channels: int) -> int:
    """`weight` in any layout with `channels` output channels, grouped or not; `output` in any layout."""
    return prod(weight) * prod(output) // channels


def transposed_convolution(weight: Shape, inputs: Shape) -> int:
    """`weight` [C_in, C_out / groups, …]; each input element meets all of its row of the weight."""
    return prod(inputs) * prod(weight[1:])


def matmul(left: Shape, output: Shape) -> int:
    """`left` [..., M, K] or transposed, `output` [..., M, N]: K is what M alone does not explain."""
    return prod(left) * output[-1]
