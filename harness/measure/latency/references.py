"""The references that the CPU time of a target is divided by: two workloads that nobody changes.

`network` is a small frozen convolutional network that runs on the target's own runtime. It feels what the target feels
(caches, frequency, the threads of the runtime), and judges pull requests. `numpy` is a matrix product by numpy's own
BLAS. It does not change when the runtime is upgraded, and judges upgrades. Both are repeated until they last about as
long as the target: a shorter reference meets another state of the machine (a reference of 1.7 ms left 49 % false
alarms).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.backends.base import Session
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.files import ASSETS
from harness.core.measurement import Artifact
from harness.machine.fingerprint import version

FOLDER = ASSETS / "reference"
SIDE = 96  # side of the network's square input, pixels
PRODUCT = 256  # side of the square float32 matrices that are multiplied

SINGLE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a process that measures pairs; numpy reads it when it is imported."""


def network_file(cell: Cell) -> Path:
    """Return the file of the frozen network that the runtime of a cell reads."""
    return FOLDER / backend(cell.backend).REFERENCE


def open_network(cell: Cell) -> Session:
    """Open the frozen network on the runtime and device of a cell, on one thread. Its input is `network_input`."""
    file = network_file(cell)
    artifact = Artifact(str(file), hash_of(file), file.stat().st_size, {"names": None})
    return backend(cell.backend).open(artifact, Cell("reference", "fp32", cell.backend, cell.device, (SIDE, SIDE)), 1)


def network_input() -> NDArray[np.float32]:
    """Return the input of the frozen network, [1, 3, 96, 96] in [0, 1]; always the same numbers."""
    return np.random.default_rng(1).random((1, 3, SIDE, SIDE), np.float32)


def numpy_product() -> Callable[[], object]:
    """Return one unit of the workload `numpy`: a call that multiplies two 256 × 256 float32 matrices into a third."""
    left, right = np.random.default_rng(2).random((2, PRODUCT, PRODUCT), np.float32)
    out = np.empty_like(left)
    return functools.partial(np.matmul, left, right, out)


def identities(cell: Cell, runtime: str) -> dict[str, str]:
    """Return what each reference is on this machine, by name.

    Two measurements can be compared by a reference that has one identity in both. The network is identified by its file
    and the runtime, the product by its size, numpy's version and its BLAS.

    Args:
        cell: the cell whose runtime runs the network.
        runtime: version of this runtime.
    """
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "network": f"{hash_of(network_file(cell))} on {cell.backend} {runtime}",
        "numpy": f"{PRODUCT}×{PRODUCT} float32, numpy {version('numpy')}, {blas['name']} {blas['version']}",
    }


@functools.cache
def hash_of(file: Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file. A file is read once per process."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
