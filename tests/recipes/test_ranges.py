"""Histograms count what passed and forget nothing; methods differ in what they cut off."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from builders import quick
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from harness import ConfigError
from harness.recipes.ranges import HALF, METHODS, SAMPLED, Histogram, collect, entropy, minmax, mse, percentile

arrays = st.lists(st.floats(-1e4, 1e4, width=16), min_size=1, max_size=40)


def histogram(*batches) -> Histogram:
    made = Histogram()
    for batch in batches:
        made.add(np.asarray(batch, np.float32))
    return made


def silu(values):
    return values / (1 + np.exp(-values))


def error(values, ends, curve=lambda v: v) -> float:
    """Mean squared error of `curve` after quantization to unsigned bytes, written without the code under test."""
    low, high = ends
    scale = (high - low) / 255
    zero = np.round(-low / scale)
    steps = np.clip(np.round(values / scale + zero), 0, 255)
    return float(np.mean((curve((steps - zero) * scale) - curve(values)) ** 2))


@quick
@given(st.lists(arrays, min_size=1, max_size=4))
def test_every_value_is_counted_in_the_bin_it_lies_in(batches):
    made = histogram(*batches)
    values = np.concatenate([np.asarray(batch, np.float32) for batch in batches])
    assert (made.low, made.high) == (min(0, values.min()), max(0, values.max()))
    expected = np.bincount(np.floor(values.astype(float) / made.width).astype(int) + HALF, minlength=2 * HALF)
    assert made.counts.tolist() == expected.tolist()


@quick
@given(st.lists(arrays, min_size=2, max_size=4))
def test_the_order_of_the_images_does_not_matter(batches):
    one, other = histogram(*batches), histogram(*reversed(batches))
    assert (one.low, one.high, one.width) == (other.low, other.high, other.width)
    assert one.counts.tolist() == other.counts.tolist()


def test_large_tensors_are_sampled_but_their_extremes_are_not():
    values = np.zeros(20 * SAMPLED, np.float32)
    values[12345] = 7
    made = histogram(values)
    assert made.high == 7
    assert made.counts.sum() < 2 * SAMPLED


def test_an_infinite_activation_is_one_line():
    with pytest.raises(ConfigError, match="infinite or not a number"):
        histogram([1, np.inf])
    with pytest.raises(ConfigError, match="infinite or not a number"):
        histogram([1, np.nan])


@pytest.mark.parametrize("method", METHODS.values())
def test_a_tensor_of_zeros_has_an_empty_range(method):
    assert method(histogram(np.zeros(9))) == (0, 0)


@pytest.mark.parametrize("method", METHODS.values())
@pytest.mark.parametrize("sign", [1, -1])
def test_every_range_holds_zero_and_reaches_no_further_than_the_values(method, sign):
    values = sign * np.random.default_rng(0).uniform(1, 3, 5000)
    made = histogram(values)
    low, high = method(made)
    assert made.low <= low <= 0 <= high <= made.high
    assert low < high


def test_outliers_are_kept_by_minmax_and_cut_by_the_others():
    values = np.random.default_rng(0).normal(0, 1, (40, SAMPLED))
    values[3, 14] = 20
    made = histogram(*values)
    assert minmax(made)[1] == 20
    assert percentile(made, 0.999)[1] < 4
    assert mse(made)[1] < 12
    assert entropy(made)[1] < 12


def test_percentile_leaves_the_same_share_out_on_either_side():
    values = np.random.default_rng(0).exponential(1, (20, 10_000))
    low, high = percentile(histogram(*(values - 1)), 0.9)
    assert low == pytest.approx(np.quantile(values - 1, 0.05), abs=0.01)
    assert high == pytest.approx(np.quantile(values - 1, 0.95), abs=0.01)


def test_least_squares_beats_what_was_seen_and_every_even_shrinking_of_it():
    values = np.random.default_rng(0).laplace(0, 1, (10, 10_000))
    made = histogram(*values)
    best = error(values, mse(made))
    assert best < error(values, minmax(made))
    for share in np.linspace(0.1, 0.9, 9):
        assert best <= 1.02 * error(values, (made.low * share, made.high * share))


def test_least_squares_through_a_silu_spends_no_steps_where_it_is_flat():
    values = np.random.default_rng(0).normal(-4, 4, (10, 10_000))
    made = histogram(*values)
    plain, seen = mse(made), mse(made, silu)
    assert plain[0] < -13
    assert -9 < seen[0] < -2
    assert error(values, seen, silu) < 0.6 * error(values, plain, silu)


def test_collecting_reads_the_input_inner_tensors_and_the_output():
    doubled = helper.make_node("Add", ["images", "images"], ["doubled"])
    negated = helper.make_node("Neg", ["doubled"], ["output"])
    shape = [1, 3, 4, 4]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("images", "doubled", "output")]
    graph = helper.make_graph([doubled, negated], "g", values[:1], values[2:], value_info=values[1:2])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    before, done = model.SerializeToString(), []
    batches = [np.full(shape, value, np.float32) for value in (1, 3)]
    found = collect(model, ["doubled", "images", "output"], batches, done.append)
    assert {name: minmax(one) for name, one in found.items()} == {
        "images": (0, 3), "doubled": (0, 6), "output": (-6, 0),
    }  # fmt: skip
    assert done == [1, 2]
    assert model.SerializeToString() == before
    batches[0][0, 0, 0, 0] = np.nan
    with pytest.raises(ConfigError, match=r"calibration image 1: .* \(doubled\)"):
        collect(onnx.ModelProto.FromString(before), ["doubled"], batches, done.append)
