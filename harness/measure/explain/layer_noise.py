"""Where a quantized network departs from the float one: signal-to-noise ratio, convolution by convolution.

    SNR = 10 · log10(Σ float² / Σ (float − quantized)²), over all elements of a few images, in decibels
    own noise of a layer = 10^(−SNR of its output / 10) − 10^(−SNR of its input / 10)

The noise at a layer's output has come from the layers before it and from the layer itself; layers are ranked by what
they add, as a share of their signal. The parts of the network's output are judged apart: boxes and key points in pixels
would drown scores between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Tensor
from harness.measure.explain.intermediate_tensors import Tap

SILENT = 1e-30  # power that no float32 signal falls below unless it is zero


@dataclass(frozen=True)
class Layer:
    """One convolution, or one part of the output."""

    name: str
    snr_db: float | None  # of its output; None where nothing differs
    own_noise: float  # share of the signal's power that this layer's noise adds; 0 where it adds none


def rank(
    convolutions: Mapping[str, tuple[str, str]],
    exact: Tap,
    quantized: Tap,
    batches: Iterable[NDArray[np.float32]],
    extra: int = 0,
) -> list[Layer]:
    """Layers by the noise they add, the worst first; those whose tensors one network does not have are left out.

    `extra`: numbers of a detection behind its classes, as of `outputs.Counters`.
    """
    powers: dict[str, list[float]] = {}
    for batch in batches:
        ours, theirs = exact(batch), quantized(batch)
        for name in ours.keys() & theirs.keys():
            if ours[name].shape == theirs[name].shape:
                for part, (one, other) in _parts(name, ours[name], theirs[name], extra).items():
                    signal, noise = powers.setdefault(part, [0.0, 0.0])
                    difference = one.astype(np.float64) - other.astype(np.float64)
                    powers[part] = [signal + float(np.square(one, dtype=np.float64).sum()),
                                    noise + float(np.square(difference).sum())]  # fmt: skip
    share = {name: noise / max(signal, SILENT) for name, (signal, noise) in powers.items()}
    found = [
        Layer(name, _decibels(share[written]), max(0.0, share[written] - share.get(read, 0.0)))
        for name, (read, written) in convolutions.items()
        if written in share
    ]
    inside = {tensor for pair in convolutions.values() for tensor in pair}
    found += [Layer(name, _decibels(noise), noise) for name, noise in share.items() if name not in inside]
    return sorted(found, key=lambda layer: -layer.own_noise)


def _parts(name: str, one: Tensor, other: Tensor, extra: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Parts of a raw output [N, 4 + classes + extra, anchors]; any other tensor (e2e: [N, D, 6]) is one part."""
    if one.ndim != 3 or not 4 + extra < one.shape[1] < one.shape[2]:
        return {name: (one, other)}
    end = one.shape[1] - extra
    cuts = {"boxes": slice(4), "scores": slice(4, end), "masks or key points": slice(end, None)}
    return {f"{name} ({what})": (one[:, cut], other[:, cut]) for what, cut in cuts.items() if one[:, cut].shape[1]}


def _decibels(noise: float) -> float | None:
    return -10 * math.log10(noise) if noise > 0 else None
