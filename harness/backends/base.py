"""What a backend is. No clock, no fallback and no environment variable inside one; the harness owns those."""

from __future__ import annotations

import ast
import contextlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.core.cell import Cell
from harness.core.errors import Unavailable
from harness.core.measurement import Artifact

Tensor = NDArray[np.generic]


class Session(Protocol):
    """An opened artifact."""

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Raw outputs for a batch of shape [N, 3, S, S] in [0, 1]; host in, host out, complete on return.

        The outputs are valid until the next call.
        """
        ...

    def executed(self) -> dict[str, int]:
        """Multiply-accumulates of one call's convolutions and matrix products, by the numeric type they execute in.

        From the runtime's own execution information, not from the artifact. Types: f32, tf32, f16, bf16, i8, i16.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class DeviceSession(Session, Protocol):
    """A session on a device with a clock and memory of its own; the harness reads them where a session has both."""

    def device_ms(self) -> float:
        """Milliseconds that the device spent on the last call, copies excluded."""
        ...

    def device_memory_bytes(self) -> int:
        """Device memory that the opened artifact takes."""
        ...


class Backend(Protocol):
    """A module of this package. Module level functions, so that a new backend is one new file."""

    REFERENCE: str  # file of the frozen network in assets/reference that this runtime reads

    def probe(self, cell: Cell) -> str:
        """Version of the installed runtime; raises Unavailable with the reason. Imports nothing heavy."""
        ...

    def load(self) -> None:
        """Import the runtime, so that `open` afterwards is the loading of the artifact alone."""
        ...

    def open(self, artifact: Artifact, cell: Cell, threads: int) -> Session:
        """Load `artifact` for inference on `threads` threads; raises Unavailable where the device is absent."""
        ...


class Compiling(Backend, Protocol):
    """A backend with compiled artifacts (`Recipe.compiled`), which are good for one kind of hardware."""

    def hardware(self, cell: Cell) -> str:
        """The device, its architecture and the version of the compiler."""
        ...


def described(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the metadata that Ultralytics writes into an exported file says of its outputs; entries may be texts.

    Returns:
        `names`: of the classes by number, or None; beside it `task` and `points` of other models than detectors.
    """
    said: dict[str, Any] = {"names": None}
    if (metadata.get("task") or "detect") != "detect":
        said["task"] = str(metadata["task"])
    unreadable = (ValueError, SyntaxError, TypeError)
    with contextlib.suppress(*unreadable):
        if metadata.get("names"):
            said["names"] = class_names(_value(metadata["names"]))
    with contextlib.suppress(*unreadable):
        if metadata.get("kpt_shape"):
            said["points"] = [int(number) for number in _value(metadata["kpt_shape"])]
    return said


def class_names(declared: Any) -> list[str]:
    """Class names by class number, as files carry them: a list, or a dictionary from the number or its text."""
    if isinstance(declared, dict):
        return [str(declared[key]) for key in sorted(declared, key=int)]
    return list(map(str, declared))


def _value(entry: Any) -> Any:
    return ast.literal_eval(entry) if isinstance(entry, str) else entry


def require(distribution: str, extra: str = "") -> str:
    """Version of an installed distribution; raises Unavailable with the pip command that installs it."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        wanted = f"'quantgate[{extra}]'" if extra else distribution
        raise Unavailable(f"{distribution} is not installed: pip install {wanted}") from None


def require_cpu(cell: Cell) -> None:
    """For backends that run on the CPU alone so far."""
    if cell.device != "cpu":
        raise Unavailable(f"{cell.backend} runs on device 'cpu' only in this version, not on {cell.device!r}")
