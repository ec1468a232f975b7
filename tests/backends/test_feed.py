"""Every kind of image input is fed by one table of rules, whatever runtime opens the file."""

from __future__ import annotations

import numpy as np
import pytest

from harness import ConfigError
from harness.backends import feed
from harness.backends.feed import NetworkInput, Quantized, feed_of, image_input

BATCH = (np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5) * 2 % 256).astype(np.float32) / np.float32(255)
PIXELS = np.rint(BATCH * 255)
NCHW, NHWC = (2, 3, 4, 5), (2, 4, 5, 3)
SHAPE, FACTOR = NetworkInput("im_shape", "float32", (1, 2)), NetworkInput("scale_factor", "float32", (None, 2))


def images(dtype: str = "float32", shape: tuple[int | None, ...] | None = NCHW, name: str = "images") -> NetworkInput:
    return NetworkInput(name, dtype, shape)


def test_a_float_input_with_channels_first_gets_the_batch_itself() -> None:
    assert feed_of(images(), "m", {})(BATCH) is BATCH


@pytest.mark.parametrize(
    ("one", "said", "quantized", "expected"),
    [
        (images("float16"), {}, None, BATCH.astype(np.float16)),
        (images("float64"), {}, None, BATCH.astype(np.float64)),
        (images("float32", NHWC), {}, None, BATCH.transpose(0, 2, 3, 1)),
        (images("float16", NHWC), {}, None, BATCH.transpose(0, 2, 3, 1).astype(np.float16)),
        (images("float32"), {"white": 255}, None, BATCH * np.float32(255)),
        (images("uint8"), {}, None, PIXELS.astype(np.uint8)),
        (images("uint8", NHWC), {}, None, PIXELS.transpose(0, 2, 3, 1).astype(np.uint8)),
        (images("uint8"), {}, Quantized(1 / 255, 0), PIXELS.astype(np.uint8)),
        (images("uint8"), {}, Quantized(1, 0), PIXELS.astype(np.uint8)),
        (images("uint8"), {}, Quantized(1 / 127.5, 127), PIXELS.astype(np.uint8)),  # −1 to 1, as TensorFlow has it
        (images("uint8"), {}, Quantized(0.0187, 114), PIXELS.astype(np.uint8)),  # mean and deviation are taken off
        (images("int8"), {}, Quantized(1 / 255, -128), (PIXELS - 128).astype(np.int8)),
        (images("int8"), {}, Quantized(1, -128), (PIXELS - 128).astype(np.int8)),
        (images("int8"), {}, Quantized(0.0187, -14), (PIXELS - 128).astype(np.int8)),
        (images("int8"), {}, Quantized(1 / 127, 0), np.rint(BATCH * 127).astype(np.int8)),  # symmetric
        (images("int8"), {}, Quantized(2, 0), np.rint(PIXELS / 2).clip(max=127).astype(np.int8)),
        (images("int8"), {"scale": 1 / 255, "zero": -128}, None, (PIXELS - 128).astype(np.int8)),
        (images("int16"), {}, Quantized(1 / 32767, 0), np.rint(BATCH / np.float32(1 / 32767)).astype(np.int16)),
    ],
)  # fmt: skip
def test_each_kind_of_input_is_fed_as_it_wants(one, said, quantized, expected) -> None:
    given = feed_of(one, "m", said, quantized)(BATCH)
    assert given.dtype == expected.dtype and given.flags.c_contiguous
    np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("one", [images("uint8"), images("uint8", NHWC), images("float32")])
def test_a_family_that_is_given_bytes_already_is_not_multiplied_again(one) -> None:
    fed = feed_of(one, "m", {"white": 255})
    np.testing.assert_array_equal(fed(PIXELS), fed(BATCH))


@pytest.mark.parametrize(
    ("one", "quantized", "said"),
    [
        (images("int64"), None, "m.onnx takes images of int64; quantgate feeds float32, .*"),
        (images("bf16"), None, "m.onnx takes images of bf16; "),
        (images("int8"), None, "m.onnx takes images of int8 and nothing tells its scale; "),
        (images("int8"), Quantized(2.6 / 127, 0), "m.onnx takes int8 for -2.62 to 2.6, which is no image"),
    ],
)
def test_what_cannot_be_fed_is_one_line(one, quantized, said) -> None:
    with pytest.raises(ConfigError, match=said):
        feed_of(one, "m.onnx", {}, quantized)


# Which input is the image


@pytest.mark.parametrize(
    ("shape", "found"), [(NCHW, 1), (NHWC, 1), ((None, 3, None, None), 1), ((None,) * 4, 1), (None, 1)]
)
def test_the_image_is_found_by_its_shape_alone(shape, found) -> None:
    assert image_input([images(shape=shape)], "m") == 0
    assert feed.channels_last(shape or ()) == (shape == NHWC)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([images(), SHAPE], r"wants 'im_shape' \(1×2, float32\) besides the image 'images'.*make it a constant"),
        ([SHAPE, images(), FACTOR], r"'im_shape' .*, 'scale_factor' .*make them constants"),
        ([images("int64", (1, 2), "orig_target_sizes"), images()], r"wants 'orig_target_sizes' \(1×2, int64\)"),
        ([images(), images(name="mask")], "2 inputs that could be the image: 'images' .*, 'mask'"),
        ([images(shape=(1, 1, 8, 8))], r"takes 'images' \(1×1×8×8, float32\), which is no batch of RGB images"),
        ([images(shape=(3, 8, 8))], "no batch of RGB images"),
        ([], "takes no input"),
    ],
)  # fmt: skip
def test_another_input_is_named_with_what_to_do(inputs, said) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        image_input(inputs, "m.onnx")
    assert str(caught.value).startswith("m.onnx ") and "\n" not in str(caught.value)


# Sizes


@pytest.mark.parametrize(
    "shape", [(1, 3, 64, 64), (1, 64, 64, 3), (None, 3, None, None), (None, None, None, 3), (None,) * 4]
)
def test_a_size_that_fits_or_is_free_is_silent(shape) -> None:
    feed.expect_shape(shape, (1, 3, 64, 64), "m")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 3, 192, 256), r"m is for images of 192×256 pixels \(height × width\) .* 64×64: write imgsz=\(192, 256\)"),
        ((1, 192, 256, 3), r"write imgsz=\(192, 256\) in the matrix$"),
        ((1, 3, 320, 320), r"write imgsz=320 in the matrix$"),
        ((1, 3, None, 256), r"\?×256 pixels .*write imgsz=\[\(64, 256\)\]"),
        ((1, 3, 300, 300), "export it for sides that are multiples of 32"),
        ((8, 3, 64, 64), "takes batches of 8 and the suite feeds 1: write batch=8 in the matrix, or export it with b"),
        ((8, 3, 96, 96), "imgsz=96 in the matrix; it takes batches of 8"),
    ],
)  # fmt: skip
def test_another_size_is_told_with_what_to_write(shape, said) -> None:
    with pytest.raises(ConfigError, match=said):
        feed.expect_shape(shape, (1, 3, 64, 64), "m")


@pytest.mark.parametrize("length", [-1, 0, None, "batch", ""])
def test_these_sides_are_free(length) -> None:
    assert feed.side(length) is None


def test_a_side_with_a_number_is_fixed() -> None:
    assert feed.side(640) == feed.side(np.int64(640)) == 640


# What stands for white


@pytest.mark.parametrize(
    ("steps", "white"),
    [
        ([("div", 255)], 255),
        ([("mul", 1 / 255)], 255),
        ([("mul", 1), ("add", 0), ("div", 127.5)], 255),
        ([("add", 123.675), ("div", 58.395)], 255),
        ([("add", 0.485), ("div", 0.229)], 1),
        ([("mul", 2), ("add", 1)], 1),
        ([("mul", 255), ("add", 123.675)], 1),
        ([("round", 255)], 255),
        ([("round", 1)], 1),
        ([], None),
        ([("mul", 1), ("turn", 0)], None),
    ],
)
def test_the_first_arithmetic_tells_what_stands_for_white(steps, white) -> None:
    assert feed.white_of(steps) == white
