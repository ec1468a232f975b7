"""What the author of a backend imports for its recipes, and that no toolchain comes with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

TOOLCHAINS = {
    "ai_edge_quantizer", "litert_torch", "modelopt", "nncf", "onnx", "onnxruntime", "openvino", "tensorrt", "torch",
    "torchao", "ultralytics",
}  # fmt: skip


@pytest.mark.parametrize(
    "statement", ["from harness.recipes import BuildInputs, Recipe", "import harness.recipes.registry"]
)
def test_neither_the_names_for_authors_nor_the_tables_load_a_toolchain(statement: str) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert TOOLCHAINS & set(done.stdout.split()) == set()
