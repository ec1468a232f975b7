"""Where a quantized network departs from the float one: the signal-to-noise ratio, convolution by convolution.

    SNR = 10 · log10(Σ float² / Σ (float − quantized)²), over all elements of a few images, in decibels
    own noise of a layer = 10^(−SNR of its output / 10) − 10^(−SNR of its input / 10)

The noise at the output of a layer comes from the layers before it and from the layer itself. Layers are ranked by the
noise that they add, as a share of their signal. The parts of the network's output are judged apart, because boxes and
key points in pixels would drown scores between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor
from harness.measure.explain.intermediate_tensors import Tap

SILENT = 1e-30  # power below which no float32 signal falls unless it is zero


@dataclass(frozen=True)
class Layer:
    """A convolution, or a part of the network's output."""

    name: str
    snr_db: float | None  # signal-to-noise ratio of its output, decibels; None: there is no noise
    own_noise: float  # noise that it adds, as a share of the power of its signal; 0: it adds none


def rank(
    convolutions: Mapping[str, tuple[str, str]],
    exact: Tap,
    quantized: Tap,
    batches: Iterable[NDArray[np.float32]],
    extra: int = 0,
) -> list[Layer]:
    """Return layers by the noise that they add, the worst first. Layers whose tensors one network lacks are left out.

    Args:
        convolutions: names of the tensors that each convolution reads and writes.
        exact: the float network.
        quantized: the quantized network.
        batches: inputs for both, [N, 3, H, W] in [0, 1].
        extra: numbers of a detection behind its classes, as in `OutputLayout`.
    """
    noise = _noise_by_tensor(exact, quantized, batches, extra)
    layers = [
        Layer(name, _decibels(noise[written]), max(0.0, noise[written] - noise.get(read, 0.0)))
        for name, (read, written) in convolutions.items()
        if written in noise
    ]
    inside = {tensor for pair in convolutions.values() for tensor in pair}
    layers += [Layer(name, _decibels(share), share) for name, share in noise.items() if name not in inside]
    return sorted(layers, key=lambda layer: -layer.own_noise)


def _noise_by_tensor(
    exact: Tap, quantized: Tap, batches: Iterable[NDArray[np.float32]], extra: int
) -> dict[str, float]:
    """The power of the noise of each tensor, or part of an output, as a share of the power of its signal."""
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    for batch in batches:
        for name, one, other in _common_parts(exact(batch), quantized(batch), extra):
            difference = one.astype(np.float64) - other.astype(np.float64)
            signal[name] = signal.get(name, 0.0) + float(np.square(one, dtype=np.float64).sum())
            noise[name] = noise.get(name, 0.0) + float(np.square(difference).sum())
    return {name: noise[name] / max(signal[name], SILENT) for name in signal}


def _common_parts(
    ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], extra: int
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The tensors that both networks have in one shape, by name; the parts of a raw output each by itself.

    A raw output is [N, 4 + classes + extra, anchors]. Any other tensor, such as end-to-end detections [N, D, 6], is one
    part.
    """
    for name, one in ours.items():
        other = theirs.get(name)
        if other is None or one.shape != other.shape:
            continue
        if one.ndim != 3 or not 4 + extra < one.shape[1] < one.shape[2]:
            yield name, one, other
            continue
        end = one.shape[1] - extra
        cuts = {"boxes": slice(4), "scores": slice(4, end), "masks or key points": slice(end, None)}
        for what, cut in cuts.items():
            if one[:, cut].shape[1]:
                yield f"{name} ({what})", one[:, cut], other[:, cut]


def _decibels(noise: float) -> float | None:
    return -10 * math.log10(noise) if noise > 0 else None
