"""One file per runtime. A backend is a module with the functions of `base.Backend`; its runtime loads on `open`."""

from __future__ import annotations

import importlib
from typing import cast

from harness.backends.base import Backend

BACKENDS = ("torch", "onnxruntime", "openvino", "litert", "tensorrt", "null")
"""Names a suite may use. `null` runs scripted detections and needs no runtime: the mock that ships."""

GPU_ONLY = ("tensorrt",)
"""Their cells of device `cpu`, the default of a matrix, are cells of the first GPU, `cuda`."""


def backend(name: str) -> Backend:
    """The backend's module; importing it imports no runtime."""
    return cast(Backend, importlib.import_module(f"harness.backends.{name}"))
