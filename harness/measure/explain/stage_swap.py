"""Where accuracy went: the way from the fp32 PyTorch pipeline to a cell's, one stage swapped at a time.

    reference       fp32 in PyTorch, quantgate's letterbox, decoding and NMS
    preprocessing   the same, with Ultralytics' own letterbox
    export          the float graph on the cell's runtime
    quantization    the cell's network up to the detection head, the head of the float graph behind it
    head            the cell's own head too: the cell as it is
    NMS             the same outputs, with Ultralytics' own NMS

Preprocessing and NMS are swapped sideways: they say what would change if the deployed pipeline used the other one.
Export, quantization and head are steps on the way, each against the one before it, and add up to the cell's change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.backends.base import Session, Tensor
from harness.backends.registry import backend
from harness.core.cell import Cell
from harness.core.dataset import Dataset
from harness.core.measurement import Artifact
from harness.core.suite import Decoding
from harness.inputs.pixels import read_image
from harness.judge.gates import AGREEMENT
from harness.machine.worker import Channel
from harness.measure.accuracy import agreement
from harness.measure.accuracy.coco import evaluate
from harness.measure.accuracy.score import Decoder, Pixels, Seen, detect
from harness.measure.explain.intermediate_tensors import READABLE, Hybrid, boundary
from harness.tasks.base import Candidates, Detections, OutputLayout
from harness.tasks.decode import decode, to_image

WAY = ("export", "quantization", "head")


@dataclass(frozen=True)
class Stage:
    """One pipeline on the way."""

    name: str
    against: str  # the stage that it differs from in one thing; empty for the first
    map: float | None = None
    agreement: float | None = None  # with the reference, above operating_conf
    score_shift: float | None = None  # of the reference's detections
    skipped: str = ""  # why there are no numbers


@dataclass(frozen=True)
class Judged:
    """What one pipeline found, and AP by class."""

    seen: Seen
    per_class: dict[str, float | None]


@dataclass(frozen=True)
class Walked:
    """All stages, and what the first and the last found."""

    stages: tuple[Stage, ...]
    reference: Judged
    cell: Judged
    names: tuple[str, ...]


@dataclass(frozen=True)
class WalkJob:
    """Run every pipeline over the data set, on one thread."""

    cell: Cell
    artifact: Artifact
    exported: Artifact | None  # fp32 on the cell's runtime
    torch: tuple[Cell, Artifact] | None  # fp32 in PyTorch
    float_graph: str | None  # .onnx
    dataset: Dataset
    pixels: str  # .npy of letterboxed bytes
    decoding: Decoding
    conf: float  # operating

    def run(self, channel: Channel) -> Walked:
        walk = _Walk(self, channel)
        ours = np.load(self.pixels, mmap_mode="r")
        if self.torch:
            reference = _opened(*self.torch)
            walk.step("reference", *self.torch, reference, ours)
            walk.aside("preprocessing", *self.torch, reference, _ultralytics_pixels(self))
        else:
            walk.skip("reference", "the model is no checkpoint that PyTorch opens")
        if self.exported:
            exported = self.cell.sibling("fp32")
            walk.step("export", exported, self.exported, _opened(exported, self.exported), ours)
        else:
            walk.skip("export", f"{self.cell.backend} has no fp32 of this model")
        split = self.float_graph and self.cell.backend in READABLE
        if self.float_graph and split:
            edge = boundary(self.float_graph)
            hybrid = Hybrid(self.cell.backend, self.artifact.path, self.float_graph, edge)
            walk.step("quantization", self.cell, self.artifact, hybrid, ours)
        session = _opened(self.cell, self.artifact)
        last = walk.step("head" if split else "quantization", self.cell, self.artifact, session, ours)
        if not split:
            walk.skip("head", f"one with the quantization: {self.cell.backend} keeps no names of tensors")
        if self.cell.head == "e2e":
            walk.skip("NMS", "the network ends in its detections")
        else:
            walk.aside("NMS", self.cell, self.artifact, session, ours, _ultralytics_decode)
        assert walk.reference is not None  # at least the cell itself was run
        return Walked(tuple(walk.stages), walk.reference, last, tuple(last.seen.names))


class _Walk:
    """The stages so far; the first that has detections is what the others agree with."""

    def __init__(self, job: WalkJob, channel: Channel) -> None:
        self._job, self._channel = job, channel
        self._here = ""  # the step that the next one is held against
        self.stages: list[Stage] = []
        self.reference: Judged | None = None

    def step(self, name: str, cell: Cell, artifact: Artifact, session: Session, pixels: Pixels) -> Judged:
        """One step on the way; the next is held against it."""
        judged = self.aside(name, cell, artifact, session, pixels)
        self._here = name
        return judged

    def aside(
        self, name: str, cell: Cell, artifact: Artifact, session: Session, pixels: Pixels, decoder: Decoder = decode
    ) -> Judged:
        job = self._job
        seen = detect(session, cell, artifact, job.dataset, pixels, job.decoding, self._channel.progress, decoder)
        scored = evaluate(job.dataset, seen.found, seen.names)
        judged = Judged(seen, scored.per_class)
        self.reference = self.reference or judged
        kept = agreement.survival(self.reference.seen.found, seen.found, job.conf)
        self.stages.append(Stage(name, self._here, scored.metrics["map"], kept["agreement"], kept["score_shift"]))
        return judged

    def skip(self, name: str, why: str) -> None:
        self.stages.append(Stage(name, self._here, skipped=why))


def blamed(stages: Sequence[Stage]) -> str:
    """The step that lost most mAP; empty where none lost anything.

    Where mAP does not tell, because nothing of it was lost, or because the cell no longer agrees with the reference
    whatever its mAP says (confidence collapse), the step that lost most of the agreement.
    """
    values = {stage.name: stage for stage in stages if not stage.skipped}
    steps = [(values[one.against], one) for name, one in values.items() if name in WAY and one.against in values]
    by_map = {after.name: _loss(before.map, after.map) for before, after in steps}
    by_agreement = {after.name: _loss(before.agreement, after.agreement) for before, after in steps}
    kept = [after.agreement for _, after in steps if after.agreement is not None]
    apart = bool(kept) and kept[-1] < AGREEMENT
    for losses in (by_agreement, by_map) if apart else (by_map, by_agreement):
        worst = max(losses, key=lambda name: losses[name], default="")
        if worst and losses[worst] > 0:
            return worst
    return ""


def _loss(before: float | None, after: float | None) -> float:
    return 0.0 if before is None or after is None else before - after


def _opened(cell: Cell, artifact: Artifact) -> Session:
    return backend(cell.backend).open(artifact, cell, threads=1)


def _ultralytics_pixels(job: WalkJob) -> Pixels:
    from ultralytics.data.augment import LetterBox

    size = job.cell.imgsz
    boxed = LetterBox(new_shape=(size, size), auto=False)
    pictures = [boxed(image=read_image(image)) for image in job.dataset.images]
    return np.stack([np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)) for picture in pictures])


def _ultralytics_decode(
    outputs: Sequence[Tensor],
    reading: OutputLayout,
    decoding: Decoding,
    size: int,
    originals: Sequence[tuple[int, int]],
) -> list[Detections]:
    """As `families.decode`, by Ultralytics' own NMS."""
    import torch
    from ultralytics.utils.nms import non_max_suppression

    output = np.array(outputs[reading.output], np.float32)
    found = non_max_suppression(
        torch.from_numpy(output), decoding.conf, decoding.iou, multi_label=True, max_det=decoding.max_det,
        max_time_img=60, nc=output.shape[1] - 4 - reading.extra,
    )  # fmt: skip
    detections = []
    for at, (rows, original) in enumerate(zip(found, originals, strict=False)):
        table = rows.numpy()
        chosen = Candidates(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), table[:, 6:])
        detections.append(to_image(chosen, outputs, at, reading, size, original))
    return detections
