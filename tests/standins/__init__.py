"""Stand-ins for the parts of TensorRT and CUDA that are called, written from their documentation.

They keep what makes GPU code fail: work is queued and runs when the stream is synchronized, addresses belong to
allocations of the host or of the device, copies have a direction and a size, an engine loads in its own version only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from standins.gpu import Gpu, runtime


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str = "10.13.3.9", gpu: Gpu | None = None) -> Gpu:
    """Pretend that TensorRT and a GPU are here, in this process and in the children that it starts.

    The children's GPU is one of their own, of the same kind.
    """
    from standins import trt  # imports onnxruntime, which not every test needs

    gpu = gpu or Gpu()
    made = f"gpu.Gpu({gpu.name!r}, {gpu.capability!r}, {gpu.devices}, {gpu.driver})"
    bindings = folder / "cuda" / "bindings"
    bindings.mkdir(parents=True)
    (bindings / "__init__.py").touch()
    (bindings / "runtime.py").write_text(
        f"import sys\nfrom standins import gpu\nGPU = gpu.HERE = {made}\nsys.modules[__name__] = gpu.runtime(GPU)\n"
    )
    (folder / "tensorrt.py").write_text(
        "import sys\nimport cuda.bindings.runtime\nfrom standins import gpu, trt\n"
        f"sys.modules[__name__] = trt.module(gpu.HERE, {version!r})\n"
    )
    for distribution, number in (("tensorrt", version), ("cuda_bindings", "13.0.0")):
        card = folder / f"{distribution}-{number}.dist-info"
        card.mkdir()
        (card / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {number}\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).parents[1])]))
    cuda = runtime(gpu)
    bound = type(sys)("cuda.bindings")
    bound.runtime = cuda  # type: ignore[attr-defined]
    modules = {"tensorrt": trt.module(gpu, version), "cuda.bindings": bound, "cuda.bindings.runtime": cuda}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return gpu
