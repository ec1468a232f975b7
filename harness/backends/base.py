"""What a backend is: the protocols of its module and of its sessions, and helpers that several backends share.

A backend has no clock, no fallback to another device, and reads no environment variable: the harness owns all three.
"""

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
"""An output of a network: an array of any shape and numeric type, on the host."""


class Session(Protocol):
    """An opened artifact that answers calls until it is closed."""

    def infer(self, batch: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """Run the network once, from host memory to host memory, and return when the outputs are complete.

        Args:
            batch: images of shape [N, 3, H, W], as `Cell.shape` has it, with values in [0, 1].

        Returns:
            The raw outputs in the order of the network. They are valid until the next call.
        """
        ...

    def executed(self) -> dict[str, int]:
        """Count the multiply-accumulates of one call's convolutions and matrix products.

        The runtime's own execution information is read, not the artifact.

        Returns:
            Numeric type → multiply-accumulates that ran in it. The types are f32, tf32, f16, bf16, i8 and i16.
            Empty where the runtime does not tell.
        """
        ...

    def close(self) -> None:
        """Free what the session holds. No other method is called afterwards."""
        ...


@runtime_checkable
class DeviceSession(Session, Protocol):
    """A session on a device that has a clock of its own. The harness gates latency by it."""

    def device_ms(self) -> float:
        """Milliseconds that the device spent on the last call, without the copies to and from it."""
        ...


@runtime_checkable
class DeviceMemory(Protocol):
    """A session that knows how much memory of its device it takes. The harness reports it."""

    def device_memory_bytes(self) -> int:
        """Bytes of device memory that the opened artifact takes."""
        ...


class Backend(Protocol):
    """The module of a backend. Its functions are at module level, so that a new backend is one new file.

    A module may also set `GPU_ONLY = True`: the cells of device `cpu`, the default, are then cells of the first GPU.
    """

    REFERENCE: str  # file in assets/reference (or an absolute path): the frozen network in this runtime's format

    def probe(self, cell: Cell) -> str:
        """Return the version of the installed runtime. Imports nothing heavy, since every run asks.

        Raises:
            Unavailable: the runtime or the device is absent; the message says what would change that.
            Unsupported: nothing to install would make this machine run the cell.
        """
        ...

    def load(self) -> None:
        """Import the runtime, so that `open` afterwards takes only as long as the artifact needs to load."""
        ...

    def open(self, artifact: Artifact, cell: Cell, threads: int) -> Session:
        """Load `artifact` for inference on `threads` threads.

        Raises:
            ConfigError: the runtime cannot read the file, or its input does not fit the cell.
            Unavailable: the cell's device is absent.
        """
        ...


class Compiling(Backend, Protocol):
    """A backend with compiled artifacts (`Recipe.compiled`), each made for one kind of hardware."""

    def hardware(self, cell: Cell) -> str:
        """Name the device, its architecture and the version of the compiler. The text is part of the artifact's key."""
        ...


def described(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Read what the metadata of a file that Ultralytics exported says about the file's outputs.

    Args:
        metadata: the file's entries by name. A value is a Python object or its text (`"{0: 'cat'}"`).

    Returns:
        `names`: the class names in the order of their numbers, or None where no entry tells. Only for models that are
        not plain detectors: `task`, its name, and `points`, the shape of the key points. An entry that cannot be read
        counts as absent.
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
    """Return class names in the order of their numbers.

    Args:
        declared: the names as files carry them: a list, or a dictionary whose keys are numbers or their texts.
    """
    if isinstance(declared, dict):
        return [str(declared[key]) for key in sorted(declared, key=int)]
    return [str(name) for name in declared]


def _value(entry: Any) -> Any:
    """The object that an entry of metadata stands for, where the entry is a text."""
    return ast.literal_eval(entry) if isinstance(entry, str) else entry


def require(distribution: str, extra: str = "") -> str:
    """Return the version of an installed distribution. Imports nothing.

    Args:
        distribution: its name on PyPI.
        extra: the extra of quantgate that brings it, for the message.

    Raises:
        Unavailable: the distribution is not installed; the message has the pip command that installs it.
    """
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        wanted = f"'quantgate[{extra}]'" if extra else distribution
        raise Unavailable(f"{distribution} is not installed: pip install {wanted}") from None


def require_cpu(cell: Cell) -> None:
    """Refuse every device but the CPU; for backends that run on nothing else so far.

    Raises:
        Unavailable: the cell names another device.
    """
    if cell.device != "cpu":
        raise Unavailable(f"{cell.backend} runs on device 'cpu' only in this version, not on {cell.device!r}")
