"""What a suite says about its models and images besides the matrix: calibration, training, decoding."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from os import PathLike

from harness.core.errors import ConfigError


@dataclass(frozen=True)
class Qat:
    """Quantization-aware training of a model: how its `int8-qat` cells are fine-tuned from the fp32 checkpoint."""

    epochs: int = 5
    data: str = ""  # a data set with a train split; empty: the suite's own
    lr: float = 2e-5  # peak learning rate of AdamW; about what the float training ended with
    batch: int = 16  # training images per step
    images: int = 0  # the first N training images, 0 for all of them
    seed: int = 0
    checkpoint: str = ""  # a checkpoint that was trained so already, by path or bundled name: nothing is trained

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or self.images < 0 or not 0 < self.lr < 1:
            raise ConfigError(f"{self}: epochs and batch must be ≥ 1, images ≥ 0, lr between 0 and 1")


@dataclass(frozen=True)
class Model:
    """A model of a matrix that carries more than its name."""

    weights: str | PathLike[str]  # as matrix() takes it: a path or a name, ":HEAD" behind it
    qat: Qat | None = None  # what its int8-qat cells are made by


@dataclass(frozen=True, order=True)
class Cell:
    """One point of a suite's matrix."""

    model: str  # stem of the weights; ":HEAD" selects YOLO26's end-to-end head, or names the family of a ready file
    precision: str  # fp32, bf16, fp16, int8, …, "ready" for a file as it is; "int8:NAME" names another recipe
    backend: str  # torch, onnxruntime, openvino, …
    device: str = "cpu"
    imgsz: int = 640  # side of the square network input, pixels
    batch: int = 1  # images per inference call
    tag: str = ""  # image size and batch where the suite has more than one of them
    weights: str = field(default="", compare=False)  # path or name as declared; empty: the model's name
    qat: Qat | None = field(default=None, compare=False)  # how int8-qat is trained

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
        """What stands behind the model's name: `e2e`, a family of a ready file, or nothing."""
        return self.model.partition(":")[2]

    def sibling(self, precision: str) -> Cell:
        """The same cell at another precision."""
        return dataclasses.replace(self, precision=precision)
