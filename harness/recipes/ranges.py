"""Activation ranges for static quantization: the lowest and the highest value that the 255 steps of a tensor reach.

ONNX Runtime's own calibrators keep every activation of every image, or reduce all of them inside the graph. `collect`
looks at one batch at a time and keeps a histogram per tensor. Every method takes its range from these histograms, so
that methods differ in nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import ConfigError

Floats = NDArray[np.floating[Any]]

Curve = Callable[[Floats], Floats]
"""A function that is applied to every element."""

Range = tuple[float, float]
"""Lowest and highest value that the integers express. Zero lies between them, or padding would not be zero."""

HALF = 2048  # bins on either side of zero
SAMPLED = 16_384  # about how many values are counted per tensor and batch; extremes are taken from all values
STEPS = 255  # steps of an unsigned byte
KEPT = 0.99999  # share of the values inside a percentile range, ONNX Runtime's default
LEVELS = 256  # levels of entropy calibration for both sides of zero together; TensorRT has 128 for one side
FINEST = 2.0**-40  # width of the bins before any value is added
SHRINK = np.concatenate([np.linspace(1, 0.5, 26), np.geomspace(0.5, 0.05, 20)[1:]])
"""Fractions of an extreme that are tried as the end of a range."""


class Histogram:
    """The values that a tensor had, counted in bins, and its exact extremes.

    `counts[HALF + k]` values lie in [k, k + 1) · width. Bins begin at zero, and the width is a power of two that
    doubles when a value lies outside. Two bins then become one and no count is split, so one pass over the images is
    enough. `low` and `high` are the extremes of all values and of zero.
    """

    def __init__(self) -> None:
        self.low, self.high, self.width = 0.0, 0.0, FINEST
        self.counts = np.zeros(2 * HALF, np.int64)

    def add(self, values: Floats) -> None:
        """Count the values of one batch, of any shape; of large tensors only a sample is counted.

        Raises:
            ConfigError: a value is infinite or not a number.
        """
        low, high = float(values.min()), float(values.max())
        if not math.isfinite(high - low):
            raise ConfigError("an activation is infinite or not a number")
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._reach(max(-low, high))
        flat = values.reshape(-1)
        sampled = flat[:: max(1, flat.size // SAMPLED) | 1]  # an odd stride is no multiple of a row
        bins = (sampled.astype(np.float64) / self.width + HALF).astype(np.intp)
        self.counts += np.bincount(bins, minlength=2 * HALF)

    def _reach(self, extreme: float) -> None:
        """Widen the bins until `extreme`, a magnitude, lies in one."""
        while extreme >= HALF * self.width:
            halved = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([np.zeros(HALF // 2, np.int64), halved, np.zeros(HALF // 2, np.int64)])
            self.width *= 2

    def points(self) -> tuple[Floats, Floats]:
        """Centres of the bins that are not empty, and their counts."""
        held = np.flatnonzero(self.counts)
        return (held - HALF + 0.5) * self.width, self.counts[held].astype(np.float64)


def collect(
    model: Any, tensors: Sequence[str], batches: Iterable[NDArray[np.float32]], advance: Callable[[int], None]
) -> dict[str, Histogram]:
    """Run an ONNX model with one input on batches [N, 3, H, W], and count the values of `tensors`.

    `advance` is called with the number of batches done.

    Raises:
        ConfigError: an activation is infinite or not a number; the message names the tensor.
    """
    import onnx
    import onnxruntime

    feed = model.graph.input[0].name
    inner = [name for name in tensors if name != feed]
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    known = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    shown = {value.name for value in model.graph.output}
    open_model.graph.output.extend(known[name] for name in inner if name not in shown)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to other builds
    session = onnxruntime.InferenceSession(open_model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    histograms = {name: Histogram() for name in tensors}
    for done, batch in enumerate(batches, 1):
        values = {feed: batch, **dict(zip(inner, session.run(inner, {feed: batch}), strict=True))}
        for name, histogram in histograms.items():
            try:
                histogram.add(values[name])
            except ConfigError as error:
                raise ConfigError(f"calibration image {done}: {error} ({name}); is the checkpoint sound?") from None
        advance(done)
    return histograms


# Methods


def minmax(histogram: Histogram) -> Range:
    """The extremes that were seen."""
    return histogram.low, histogram.high


def percentile(histogram: Histogram, kept: float = KEPT) -> Range:
    """The range that holds the share `kept` of the values, and leaves out half of the rest on either side."""
    points, counts = histogram.points()
    below = np.cumsum(counts) / counts.sum()
    cut = (1 - kept) / 2
    low, high = points[np.searchsorted(below, [cut, 1 - cut])]
    return max(histogram.low, min(low, 0.0)), min(histogram.high, max(high, 0.0))


def entropy(histogram: Histogram, levels: int = LEVELS) -> Range:
    """Cut at the magnitude where clipping and rounding to `levels` levels together lose the least information.

    The loss is the Kullback–Leibler divergence between the clipped histogram and its rounding, as in TensorRT's
    entropy calibrator.
    """
    best, limit = math.inf, HALF
    for half in range(levels // 2, HALF + 1, levels // 2):
        inside = histogram.counts[HALF - half : HALF + half].astype(np.float64)
        clipped = inside.copy()
        clipped[0] += histogram.counts[: HALF - half].sum()
        clipped[-1] += histogram.counts[HALF + half :].sum()
        groups = inside.reshape(levels, -1)
        filled = groups > 0
        rounded = np.where(filled, groups.sum(1, keepdims=True) / np.maximum(filled.sum(1, keepdims=True), 1), 0)
        divergence = _divergence(clipped, rounded.reshape(-1))
        if divergence < best:
            best, limit = divergence, half
    return max(histogram.low, -limit * histogram.width), min(histogram.high, limit * histogram.width)


def _divergence(truth: Floats, model: Floats) -> float:
    """Kullback–Leibler divergence of two histograms; an empty bin of the model counts as 1e-4 values."""
    if not truth.sum() or not model.sum():
        return math.inf
    p, q = truth / truth.sum(), np.maximum(model, 1e-4) / model.sum()
    held = p > 0
    return float((p[held] * np.log(p[held] / q[held])).sum())


def mse(histogram: Histogram, through: Curve | None = None) -> Range:
    """The range whose rounding and clipping make the smallest squared error, measured behind `through`.

    `through` is the function that the network applies to the value next; None for no function. SiLU, for instance,
    flattens values far below zero, so that a range need not reach them. The ends are moved in turn, one at a time.
    """
    points, counts = histogram.points()
    curve = through or _identity
    wanted = curve(points)

    def best(candidates: Sequence[Range]) -> Range:
        errors = [float(counts @ (curve(_rounded(points, *ends)) - wanted) ** 2) for ends in candidates]
        return candidates[int(np.argmin(errors))]

    low, high = minmax(histogram)
    for _ in range(2):
        low, high = best([(low, high), *((histogram.low * share, high) for share in SHRINK)])
        low, high = best([(low, high), *((low, histogram.high * share) for share in SHRINK)])
    return low, high


def _identity(values: Floats) -> Floats:
    return values


def _rounded(values: Floats, low: float, high: float) -> Floats:
    """`values` after quantization to unsigned bytes over [low, high] and dequantization."""
    scale = (high - low) / STEPS or 1.0
    zero = round(-low / scale)
    rounded: Floats = (np.clip(np.round(values / scale) + zero, 0, STEPS) - zero) * scale
    return rounded


METHODS: Mapping[str, Callable[[Histogram], Range]] = {
    "minmax": minmax,
    "percentile": percentile,
    "entropy": entropy,
    "mse": mse,
}
"""The methods by name, as recipes give them in `params`."""
