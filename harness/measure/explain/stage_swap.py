"""Where accuracy was lost: from the fp32 PyTorch pipeline to the cell's pipeline, one stage swapped at a time.

    reference       fp32 in PyTorch, with quantgate's letterbox, decoding and NMS
    preprocessing   the reference, with Ultralytics' own letterbox
    export          the float graph on the cell's runtime
    quantization    the cell's network up to the detection head, and the head of the float graph behind it
    head            the cell's own head too: the cell as it is
    NMS             the cell, with Ultralytics' own NMS

Preprocessing and NMS are swapped sideways: they say what would change if the deployed pipeline used the other one.
Export, quantization and head are steps on the way. Each is held against the step before it, and together they add up
to the change of the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.backends.base import Session
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.judge.gates import AGREEMENT
from harness.machine.worker import Channel
from harness.measure.accuracy import agreement
from harness.measure.accuracy.coco import evaluate
from harness.measure.accuracy.score import Decoder, Pixels, Seen, detect
from harness.measure.explain import ultralytics_stages as ultralytics
from harness.measure.explain.intermediate_tensors import READABLE, Hybrid, head_inputs, tensor_names
from harness.tasks.decode import decode

WAY = ("export", "quantization", "head")
"""The steps on the way; the other stages are swapped sideways."""


@dataclass(frozen=True)
class Stage:
    """What one pipeline has reached, or why it was skipped."""

    name: str
    against: str  # name of the stage from which it differs in one thing; empty for the first
    map: float | None = None
    agreement: float | None = None  # with the reference, above operating_conf (`agreement.survival`)
    score_shift: float | None = None  # median change of the scores of the reference's detections
    skipped: str = ""  # why there are no numbers


@dataclass(frozen=True)
class Judged:
    """What one pipeline has found, and its AP by class."""

    seen: Seen
    per_class: dict[str, float | None]


@dataclass(frozen=True)
class Walked:
    """All stages, and what the first pipeline and the cell have found."""

    stages: tuple[Stage, ...]
    reference: Judged
    cell: Judged
    names: tuple[str, ...]  # class names of the model


@dataclass(frozen=True)
class WalkJob:
    """Run every pipeline over the data set, on one thread."""

    cell: Cell
    artifact: Artifact
    exported: tuple[Cell, Artifact] | None  # fp32 on the cell's runtime, else any fp32; None: there is none
    torch: tuple[Cell, Artifact] | None  # fp32 in PyTorch; None: the model is no checkpoint
    float_graph: str | None  # .onnx file of the float graph; None: there is none
    dataset: Dataset
    pixels: str  # .npy file of letterboxed images, uint8 [N, 3, H, W], in the order of dataset.images
    decoding: Decoding
    conf: float  # the suite's operating_conf: score from which on a detection of the reference counts

    def run(self, channel: Channel) -> Walked:
        """Walk through all stages; stages that this model or runtime does not have are skipped, with the reason.

        Raises:
            Unavailable: a device is absent.
            ConfigError: there is no fp32 to compare with, the outputs fit no family, or the model knows no class of the
                data set.
        """
        if not (self.torch or self.exported):
            raise ConfigError(
                f"{self.cell} has nothing to compare with: its float model can be built on no runtime here"
            )
        walk = _Walk(self, channel)
        pixels = np.load(self.pixels, mmap_mode="r")
        if self.torch:
            reference = _opened(*self.torch, pixels)
            walk.step("reference", reference)
            walk.aside(
                "preprocessing", replace(reference, pixels=ultralytics.letterboxed(self.dataset, self.cell.imgsz))
            )
        else:
            walk.skip("reference", "the model is no checkpoint that PyTorch opens")
        if self.exported:
            walk.step("export", _opened(*self.exported, pixels))
        else:
            walk.skip("export", f"{self.cell.backend} has no fp32 of this model")
        boundary, one_step = self._boundary()
        if not one_step:
            assert self.float_graph
            hybrid = Hybrid(self.cell.backend, self.artifact.path, self.float_graph, boundary)
            walk.step("quantization", _Pipeline(self.cell, self.artifact, hybrid, pixels))
        whole = _opened(self.cell, self.artifact, pixels)
        last = walk.step("quantization" if one_step else "head", whole)
        if one_step:
            walk.skip("head", f"one with the quantization: {one_step}")
        try:
            walk.aside("NMS", replace(whole, decoder=ultralytics.detections))
        except ultralytics.NotRead as why:
            walk.skip("NMS", str(why))
        assert walk.reference is not None  # at least the cell itself was run
        return Walked(tuple(walk.stages), walk.reference, last, tuple(last.seen.names))

    def _boundary(self) -> tuple[list[str], str]:
        """The tensors at which the float graph's head can take over, or why it cannot."""
        if self.cell.backend not in READABLE:
            return [], f"{self.cell.backend} keeps no names of tensors"
        if not self.float_graph:
            return [], "there is no float graph"
        boundary = head_inputs(self.float_graph)
        if not tensor_names(self.cell.backend, self.artifact.path).issuperset(boundary):
            return [], "the file names its tensors otherwise than the float graph"
        return boundary, ""


@dataclass(frozen=True)
class _Pipeline:
    """An opened network, what it is fed, and how its outputs are decoded."""

    cell: Cell
    artifact: Artifact
    session: Session
    pixels: Pixels
    decoder: Decoder = decode


class _Walk:
    """The stages so far. The first pipeline that runs is the reference with which the others agree or not."""

    def __init__(self, job: WalkJob, channel: Channel) -> None:
        self._job, self._channel = job, channel
        self._here = ""  # the step that the next stage is held against
        self.stages: list[Stage] = []
        self.reference: Judged | None = None

    def step(self, name: str, pipeline: _Pipeline) -> Judged:
        """Run a step on the way; the next stages are held against it."""
        judged = self.aside(name, pipeline)
        self._here = name
        return judged

    def aside(self, name: str, pipeline: _Pipeline) -> Judged:
        """Run a pipeline, and add its stage."""
        job = self._job
        seen = detect(
            pipeline.session, pipeline.cell, pipeline.artifact, job.dataset, pipeline.pixels, job.decoding,
            self._channel.progress, pipeline.decoder,
        )  # fmt: skip
        scored = evaluate(job.dataset, seen.found, seen.names)
        judged = Judged(seen, scored.per_class)
        self.reference = self.reference or judged
        kept = agreement.survival(self.reference.seen.found, seen.found, job.conf)
        self.stages.append(Stage(name, self._here, scored.metrics["map"], kept["agreement"], kept["score_shift"]))
        return judged

    def skip(self, name: str, why: str) -> None:
        """Add a stage without numbers."""
        self.stages.append(Stage(name, self._here, skipped=why))


def blamed(stages: Sequence[Stage]) -> str:
    """Return the name of the step that lost most mAP; empty where no step lost anything.

    Where mAP does not tell, it is the step that lost most of the agreement: where no step lost mAP, or where the cell
    no longer agrees with the reference, whatever its mAP says (confidence collapse).
    """
    values = {stage.name: stage for stage in stages if not stage.skipped}
    steps = [(values[one.against], one) for name, one in values.items() if name in WAY and one.against in values]
    by_map = {after.name: _loss(before.map, after.map) for before, after in steps}
    by_agreement = {after.name: _loss(before.agreement, after.agreement) for before, after in steps}
    agreements = [after.agreement for _, after in steps if after.agreement is not None]
    collapsed = bool(agreements) and agreements[-1] < AGREEMENT
    for losses in (by_agreement, by_map) if collapsed else (by_map, by_agreement):
        worst = max(losses, key=lambda name: losses[name], default="")
        if worst and losses[worst] > 0:
            return worst
    return ""


def _loss(before: float | None, after: float | None) -> float:
    return 0.0 if before is None or after is None else before - after


def _opened(cell: Cell, artifact: Artifact, pixels: Pixels) -> _Pipeline:
    """The pipeline of a cell, opened on one thread."""
    return _Pipeline(cell, artifact, backend(cell.backend).open(artifact, cell, threads=1), pixels)
