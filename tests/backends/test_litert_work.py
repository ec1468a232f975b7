"""Work of LiteRT's operators by the types of their tensors, from operators as the interpreter describes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.backends.litert_work import Operator, Product, products

FLOAT, HALF, BYTE, WORD = np.float32, np.float16, np.int8, np.int16


def tensor(index: int, dtype: Any, *shape: int) -> dict[str, Any]:
    return {"index": index, "dtype": dtype, "shape": np.array(shape)}


def convolution(data: Any, weight: Any, name: str = "CONV_2D") -> Operator:
    """8 filters of 3 × 3 × 4 on 10 × 10 pixels."""
    return name, [tensor(0, data, 1, 10, 10, 4), tensor(1, weight, 8, 3, 3, 4)], [tensor(2, data, 1, 10, 10, 8)]


WORK = 8 * 3 * 3 * 4 * 10 * 10


@pytest.mark.parametrize(
    ("data", "weight", "executes", "precision"),
    [
        (FLOAT, FLOAT, "f32", "fp32"),
        (FLOAT, BYTE, "i8", "int8-dynamic"),  # the kernel quantizes the activations itself
        (BYTE, BYTE, "i8", "int8"),
        (np.uint8, np.uint8, "i8", "int8"),
        (WORD, BYTE, "i16", "w8a16"),
    ],
)
def test_a_convolution_executes_in_the_type_of_its_data_but_for_dynamic_int8(
    data: Any, weight: Any, executes: str, precision: str
) -> None:
    (product,) = products([convolution(data, weight)])
    assert (product.macs, product.executes, product.precision) == (WORK, executes, precision)


@pytest.mark.parametrize(("stored", "precision"), [(BYTE, "w8"), (HALF, "fp16")])
def test_a_weight_that_is_dequantized_before_use_executes_in_float_and_is_named_by_the_file(
    stored: Any, precision: str
) -> None:
    unpacked = ("DEQUANTIZE", [tensor(9, stored, 8, 3, 3, 4)], [tensor(1, FLOAT, 8, 3, 3, 4)])
    (product,) = products([unpacked, convolution(FLOAT, FLOAT)])
    assert (product.executes, product.precision) == ("f32", precision)


def test_a_product_of_two_activations_has_no_weight_in_the_file() -> None:
    attention = ("BATCH_MATMUL", [tensor(0, FLOAT, 2, 5, 7), tensor(1, FLOAT, 2, 7, 3)], [tensor(2, FLOAT, 2, 5, 3)])
    assert list(products([attention])) == [Product(2 * 5 * 7 * 3, "f32", "f32", None)]


def test_a_fully_connected_layer_is_a_product_with_a_weight() -> None:
    layer = ("FULLY_CONNECTED", [tensor(0, BYTE, 4, 7), tensor(1, BYTE, 3, 7)], [tensor(2, BYTE, 4, 3)])
    assert list(products([layer])) == [Product(4 * 7 * 3, "i8", "i8", "i8")]


def test_a_depthwise_convolution_meets_one_channel_only() -> None:
    given = [tensor(0, FLOAT, 1, 10, 10, 8), tensor(1, FLOAT, 1, 3, 3, 8)]
    (product,) = products([("DEPTHWISE_CONV_2D", given, [tensor(2, FLOAT, 1, 10, 10, 8)])])
    assert product.macs == 9 * 8 * 10 * 10


def test_a_transposed_convolution_has_its_data_in_the_third_place_and_spreads_every_input() -> None:
    given = [tensor(3, np.int32, 4), tensor(1, BYTE, 6, 2, 2, 4), tensor(0, FLOAT, 1, 5, 5, 4)]
    (product,) = products([("TRANSPOSE_CONV", given, [tensor(2, FLOAT, 1, 10, 10, 6)])])
    assert (product.macs, product.activation, product.weight) == (5 * 5 * 4 * 2 * 2 * 6, "f32", "i8")


def test_other_operators_are_no_products() -> None:
    add = ("ADD", [tensor(0, FLOAT, 4), tensor(1, FLOAT, 4)], [tensor(2, FLOAT, 4)])
    assert list(products([add, ("DELEGATE", [], [])])) == []


def test_a_type_that_attestation_does_not_know_keeps_its_name() -> None:
    (product,) = products([convolution(np.float64, np.float64)])
    assert product.executes == "float64"
