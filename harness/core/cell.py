"""A cell, one point of a suite's matrix, and what a suite declares about a model: its weights and its training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from harness.core.errors import ConfigError

Size = tuple[int, int]
"""Height and width in pixels, in Ultralytics' order."""


def as_size(declared: int | Sequence[int]) -> Size:
    """The size of a declared one: height and width, or the side of a square."""
    height, width = (declared, declared) if isinstance(declared, int) else declared
    return height, width


def size_text(size: Size) -> str:
    """A size in words: `640` for a square, `384x640` for height × width."""
    height, width = size
    return str(height) if height == width else f"{height}x{width}"


@dataclass(frozen=True)
class Qat:
    """Quantization-aware training (QAT): how the `int8-qat` cells of a model are fine-tuned from its fp32 checkpoint.

    Raises:
        ConfigError: a number is out of range.
    """

    epochs: int = 5  # passes over the training images
    data: str = ""  # a data set with a train split; empty: the data set of the suite
    lr: float = 2e-5  # peak learning rate of AdamW; about the rate at which the float training ended
    batch: int = 16  # training images per step
    images: int = 0  # how many training images, the first ones; 0: all of them
    seed: int = 0  # of the order and the augmentation of the training images
    checkpoint: str = ""  # path or bundled name of a checkpoint that QAT has already trained; nothing is trained then

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or self.images < 0 or not 0 < self.lr < 1:
            raise ConfigError(f"{self}: epochs and batch must be ≥ 1, images ≥ 0, lr between 0 and 1")


@dataclass(frozen=True)
class Model:
    """A model of a matrix, declared with more than its name."""

    weights: str | PathLike[str]  # a path or a name, with an optional ":HEAD" at its end, as matrix() takes it
    qat: Qat | None = None  # how the int8-qat cells of the model are trained


@dataclass(frozen=True, order=True)
class Cell:
    """One point of a suite's matrix: a model at a precision on a backend. Cells sort by their fields, in order."""

    model: str  # stem of the weights; ":e2e" selects YOLO26's end-to-end head, ":FAMILY" names a ready file's family
    precision: str  # fp32, bf16, fp16, int8, …; "ready" runs a file as it is; "int8:NAME" selects a recipe by name
    backend: str  # torch, onnxruntime, openvino, …
    device: str = "cpu"  # cpu, cuda or cuda:N
    imgsz: Size = (640, 640)  # height and width of the network input, pixels; a whole number is a square's side
    batch: int = 1  # images per inference call
    tag: str = ""  # names the size where it is not square or the matrix has several, and a batch so: "320px-b2"
    weights: str = field(default="", compare=False)  # path or name as the suite declares it; empty: the model's name
    qat: Qat | None = field(default=None, compare=False)  # how an int8-qat cell is trained

    def __post_init__(self) -> None:
        object.__setattr__(self, "imgsz", as_size(self.imgsz))

    def __getstate__(self) -> dict[str, Any]:
        """The fields for another process, with a square as one number: the base of a gate may know no other size."""
        height, width = self.imgsz
        return {**self.__dict__, "imgsz": height if height == width else self.imgsz}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "imgsz": as_size(state["imgsz"])})

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of a batch of images as the harness gives it: [N, 3, H, W]."""
        return (self.batch, 3, *self.imgsz)

    @property
    def id(self) -> str:
        """Test id, table key and file stem: `yolo26n-int8-onnxruntime-cpu`."""
        parts = [self.model, self.precision, self.backend, self.device, self.tag]
        return "-".join(part for part in parts if part).replace(":", "~")

    def __str__(self) -> str:
        return self.id

    @property
    def family(self) -> str:
        """The precision without its recipe: `int8:entropy` → `int8`."""
        return self.precision.partition(":")[0]

    @property
    def head(self) -> str:
        """What the model's name says after its colon: `e2e`, the family of a ready file, or nothing."""
        return self.model.partition(":")[2]

    def sibling(self, precision: str) -> Cell:
        """This cell at another `precision`; all other fields are equal."""
        return dataclasses.replace(self, precision=precision)
