"""What a target's CPU time is divided by: two workloads that nobody changes.

`network` is a frozen small convolutional network that runs on the target's own runtime: it feels what the target feels
(caches, frequency, the runtime's threads), and judges pull requests. `numpy` is a matrix product of numpy's own BLAS:
it does not move when the runtime is upgraded, and judges that. Both are repeated until they last about as long as the
target, since a shorter reference does not meet the same machine (FACTS.md: 49 % false alarms).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.backends.base import Session
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.files import ASSETS
from harness.core.measurement import Artifact
from harness.machine.fingerprint import version

FOLDER = ASSETS / "reference"
SIDE = 96  # pixels of the network's input
PRODUCT = 256  # side of the square float32 matrices

SINGLE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a process that measures pairs: numpy reads it when it is imported."""


def network_file(cell: Cell) -> Path:
    """The frozen network as the cell's runtime reads it."""
    return FOLDER / backend(cell.backend).REFERENCE


def open_network(cell: Cell) -> Session:
    """A session of the frozen network on the cell's runtime and device, one thread; feed it `network_input`."""
    file = network_file(cell)
    artifact = Artifact(str(file), hash_of(file), file.stat().st_size, {"names": None})
    return backend(cell.backend).open(artifact, Cell("reference", "fp32", cell.backend, cell.device, SIDE), 1)


def network_input() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """[1, 3, 96, 96] in [0, 1], always the same."""
    return np.random.default_rng(1).random((1, 3, SIDE, SIDE), np.float32)


def numpy_product() -> Callable[[], object]:
    """One unit of the runtime-independent workload: a float32 product of two 256 × 256 matrices, into a third."""
    left, right = np.random.default_rng(2).random((2, PRODUCT, PRODUCT), np.float32)
    out = np.empty_like(left)
    return functools.partial(np.matmul, left, right, out)


def identities(cell: Cell, runtime: str) -> dict[str, str]:
    """What each reference is here; two measurements are comparable through a reference whose identity is the same.

    `runtime` is the version of the cell's runtime. The network's is its file and that version, numpy's its
    workload, its own version and its BLAS.
    """
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "network": f"{hash_of(network_file(cell))} on {cell.backend} {runtime}",
        "numpy": f"{PRODUCT}×{PRODUCT} float32, numpy {version('numpy')}, {blas['name']} {blas['version']}",
    }


@functools.cache
def hash_of(file: Path) -> str:
    """First 16 hex digits of its SHA-256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
