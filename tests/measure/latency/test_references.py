"""The references: the same work on every runtime, and an identity that tells when it is no longer the same."""

from __future__ import annotations

import numpy as np
import pytest

from harness.backends.registry import own_backends
from harness.core.cell import Cell
from harness.measure.latency.references import (
    FOLDER,
    PRODUCT,
    hash_of,
    identities,
    network_file,
    network_input,
    numpy_product,
    open_network,
)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "litert", "torch"])
def test_the_frozen_network_computes_the_same_on_every_runtime(name):
    cell = Cell("any", "int8", name)
    session = open_network(cell)
    output = np.array(session.infer(network_input())[0])
    session.close()
    assert output.shape == (1, 64, 12, 12)
    assert np.abs(output).mean() == pytest.approx(0.0905, abs=1e-4)


def test_every_backend_has_its_file_of_the_frozen_network():
    assert {identities(Cell("m", "fp32", name), "1")["network"].split()[-2] for name in own_backends()} == set(
        own_backends()
    )
    assert {file.suffix for file in FOLDER.iterdir()} == {".onnx", ".npz", ".tflite", ".json"}


def test_another_runtime_version_is_another_network_and_the_same_product():
    cell = Cell("m", "fp32", "onnxruntime")
    old, new = identities(cell, "1.22"), identities(cell, "1.23")
    assert old["network"] != new["network"]
    assert old["numpy"] == new["numpy"]


def test_the_identity_of_the_network_is_its_file_and_the_runtime():
    cell = Cell("m", "fp32", "onnxruntime")
    assert identities(cell, "1.22")["network"] == f"{hash_of(network_file(cell))} on onnxruntime 1.22"
    same_file = Cell("m", "fp32", "openvino")
    assert network_file(same_file) == network_file(cell)
    assert identities(same_file, "1.22")["network"] != identities(cell, "1.22")["network"]


def test_the_input_of_the_network_is_always_the_same():
    assert network_input().shape == (1, 3, 96, 96)
    assert (network_input().min() >= 0, network_input().max() <= 1) == (True, True)
    assert np.array_equal(network_input(), network_input())


def test_the_product_is_computed_anew_at_every_call_into_the_same_matrix():
    multiply = numpy_product()
    first = multiply()
    assert first.shape == (PRODUCT, PRODUCT)
    assert first.dtype == np.float32
    expected = first.copy()
    first[:] = 0
    assert multiply() is first
    assert np.array_equal(first, expected)


def test_a_hash_is_the_beginning_of_a_file_s_sha_256(tmp_path):
    (tmp_path / "empty").touch()
    assert hash_of(tmp_path / "empty") == "e3b0c44298fc1c14"
