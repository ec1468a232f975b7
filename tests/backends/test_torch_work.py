"""Work of PyTorch's operators: seen while a call executes, or counted in a graph that does not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from harness.backends import torch_work
from harness.backends.torch_work import of_call, of_graph


def test_a_convolution_that_fell_back_to_float_is_counted_as_float():
    """What Inductor leaves of a quantized convolution whose pattern it did not recognise."""

    def fallen_back(images, weight):
        dequantized = (weight.to(torch.float32)) * 0.1
        return torch.nn.functional.conv2d(images, dequantized)

    images, weight = torch.rand(1, 2, 8, 8), torch.ones(4, 2, 3, 3, dtype=torch.int8)
    expected = {"f32": 4 * 2 * 9 * 6 * 6}
    assert of_call(lambda: fallen_back(images, weight)) == expected


def test_grouped_and_transposed_convolutions_and_products_are_counted_by_their_shapes():
    conv, products = torch.nn.functional, torch.rand(2, 3, 5)
    images = torch.rand(1, 4, 8, 8)
    assert of_call(lambda: conv.conv2d(images, torch.rand(4, 1, 3, 3), groups=4)) == {"f32": 4 * 9 * 36}
    assert of_call(lambda: conv.conv_transpose2d(images, torch.rand(4, 6, 2, 2), stride=2)) == {"f32": 4 * 64 * 6 * 4}
    assert of_call(lambda: products @ products.transpose(1, 2)) == {"f32": 2 * 3 * 5 * 3}


def test_a_call_is_counted_in_the_type_that_it_is_given() -> None:
    images, weight = torch.rand(1, 2, 8, 8, dtype=torch.bfloat16), torch.rand(4, 2, 3, 3, dtype=torch.bfloat16)
    assert of_call(lambda: torch.nn.functional.conv2d(images, weight)) == {"bf16": 4 * 2 * 9 * 36}


def test_what_is_no_product_is_no_work() -> None:
    assert of_call(lambda: torch.rand(4, 4) + torch.relu(torch.rand(4, 4))) == {}


def test_a_type_that_attestation_does_not_know_keeps_its_name() -> None:
    square = torch.eye(3, dtype=torch.float64)
    assert of_call(lambda: square @ square) == {"float64": 27}


@pytest.fixture
def tf32():
    """Allow PyTorch to round float32 to TF32 on a GPU, in convolutions or in matrix products."""
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32

    def allow(in_convolutions: bool, in_products: bool) -> None:
        convolutions.allow_tf32, products.allow_tf32 = in_convolutions, in_products

    yield allow
    allow(*before)


@pytest.mark.parametrize("convolution", [True, False])
def test_float32_on_a_gpu_is_tf32_where_pytorch_may_round(tf32, convolution: bool) -> None:
    on_gpu, on_cpu = (SimpleNamespace(dtype=torch.float32, is_cuda=is_cuda) for is_cuda in (True, False))
    tf32(in_convolutions=convolution, in_products=not convolution)
    assert torch_work._type(on_gpu, convolution) == "tf32"
    assert torch_work._type(on_gpu, not convolution) == "f32"
    assert torch_work._type(on_cpu, convolution) == "f32"


# Graphs, as torch.export draws them


def graph(op: object, *values: object, output: torch.Tensor) -> torch.fx.Graph:
    """A graph of one operator; a tensor among its arguments is a node that stands for it."""
    drawn, args = torch.fx.Graph(), []
    for number, value in enumerate(values):
        if isinstance(value, torch.Tensor):
            args.append(drawn.placeholder(f"x{number}"))
            args[-1].meta["val"] = value
        else:
            args.append(value)
    node = drawn.call_function(op, tuple(args))
    node.meta["val"] = output
    drawn.output(node)
    return drawn


FLOATS = torch.rand(1, 2, 8, 8)


def test_a_convolution_of_a_graph_is_counted_without_executing_it() -> None:
    weight = torch.rand(4, 2, 3, 3, device="meta")  # nothing could compute with it
    settings = (None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    plain = graph(torch.ops.aten.convolution.default, FLOATS, weight, *settings, output=torch.rand(1, 4, 6, 6))
    assert of_graph(plain) == {"f32": 4 * 2 * 9 * 36}


def test_a_transposed_convolution_of_a_graph_spreads_every_input() -> None:
    settings = (None, [2, 2], [0, 0], [1, 1], True, [0, 0], 1)
    weight, output = torch.rand(2, 4, 2, 2), torch.rand(1, 4, 16, 16)
    assert of_graph(graph(torch.ops.aten.convolution.default, FLOATS, weight, *settings, output=output)) == {
        "f32": 2 * 64 * 4 * 4
    }


def test_the_left_factor_of_addmm_comes_after_what_is_added() -> None:
    bias, left, right = torch.rand(5), torch.rand(3, 7), torch.rand(7, 5)
    added = graph(torch.ops.aten.addmm.default, bias, left, right, output=torch.rand(3, 5))
    assert of_graph(added) == {"f32": 3 * 7 * 5}


@pytest.mark.parametrize("name", ["onednn.qconv_pointwise", "onednn.qconv2d_pointwise"])
def test_a_quantized_convolution_has_its_weight_behind_the_scale_and_zero_point_of_its_input(name: str) -> None:
    """By both names that the operator has had; no graph is compiled for it here."""

    def kernel() -> None: ...

    kernel.overloadpacket = name
    images = torch.zeros(1, 2, 8, 8, dtype=torch.uint8)
    weight = torch.zeros(4, 2, 3, 3, dtype=torch.int8)
    output = torch.zeros(1, 4, 6, 6, dtype=torch.uint8)
    assert of_graph(graph(kernel, images, 0.1, 0, weight, output=output)) == {"i8": 4 * 2 * 9 * 36}


def test_other_operators_of_a_graph_are_no_work() -> None:
    assert of_graph(graph(torch.ops.aten.relu.default, FLOATS, output=FLOATS)) == {}
