"""Where the accuracy of a cell was lost: stages, kinds of error, classes, images, layers. One child looks at it all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.cell import Cell
from harness.core.errors import ConfigError, QuantgateError
from harness.core.measurement import Artifact
from harness.core.suite import Suite
from harness.machine.worker import Channel
from harness.measure.accuracy import agreement
from harness.measure.accuracy.coco import known_classes
from harness.measure.explain import intermediate_tensors, tide
from harness.measure.explain.layer_noise import Layer, rank
from harness.measure.explain.stage_swap import Stage, Walked, WalkJob, blamed
from harness.measure.explain.tide import Errors
from harness.measure.place import Place
from harness.tasks.base import Detections
from harness.tasks.outputs import content
from harness.tasks.preprocess import normalize
from harness.tasks.registry import task

IMAGES = 64  # on which the stages are walked; a smaller data set is taken whole
NOISE_IMAGES = 8  # on which the layers are compared
SHOWN = 8  # how many of the worst classes, images and layers are kept


@dataclass(frozen=True)
class Lost:
    """A class or an image, and what it has lost."""

    name: str  # of the class, or of the image's file
    before: float  # class: AP of the reference; image: its detections above operating_conf
    after: float  # class: AP of the cell; image: how many of these detections survive in the cell


@dataclass(frozen=True)
class Explanation:
    """Everything that `quantgate explain` prints."""

    cell: str
    images: int
    blamed: str  # the stage that lost most; empty: none has lost anything
    stages: tuple[Stage, ...]
    before: Errors  # the errors of the reference by type
    after: Errors  # the errors of the cell by type
    classes: tuple[Lost, ...]  # the classes that lost most AP, the worst first
    pictures: tuple[Lost, ...]  # the images that lost most detections, the worst first
    layers: tuple[Layer, ...]  # the layers that add most noise, the worst first
    no_layers: str = ""  # why there are no layers


def from_json(kept: Mapping[str, Any]) -> Explanation:
    """Return the explanation that `dataclasses.asdict` turned into the JSON of a results file."""
    made = {
        "stages": tuple(Stage(**one) for one in kept["stages"]),
        "before": Errors(**kept["before"]),
        "after": Errors(**kept["after"]),
        "classes": tuple(Lost(**one) for one in kept["classes"]),
        "pictures": tuple(Lost(**one) for one in kept["pictures"]),
        "layers": tuple(Layer(**one) for one in kept["layers"]),
    }
    return Explanation(**{**kept, **made})


@dataclass(frozen=True)
class ExplainJob:
    """Walk through the stages, then look at the differences between the reference and the cell."""

    walk: WalkJob

    def run(self, channel: Channel) -> Explanation:
        """Return the explanation. Raises as `WalkJob.run` does."""
        walked = self.walk.run(channel)
        categories = known_classes(self.walk.dataset, walked.names)
        before, after = (tide.errors(self.walk.dataset, found, categories) for found in _sides(walked))
        layers, why = self._layers()
        return Explanation(
            self.walk.cell.id, len(self.walk.dataset.images), blamed(walked.stages), walked.stages, before, after,
            self._classes(walked), self._pictures(walked), tuple(layers[:SHOWN]), why,
        )  # fmt: skip

    def _classes(self, walked: Walked) -> tuple[Lost, ...]:
        """The classes whose AP fell most."""
        old, new = walked.reference.per_class, walked.cell.per_class
        known = [Lost(name, value, new[name] or 0.0) for name, value in old.items() if value is not None]
        return _worst([one for one in known if one.after < one.before])

    def _pictures(self, walked: Walked) -> tuple[Lost, ...]:
        """The images in which most detections of the reference do not survive."""
        lost = []
        for image, old, new in zip(self.walk.dataset.images, *_sides(walked), strict=True):
            sure = int((old.scores >= self.walk.conf).sum())
            share = agreement.survival([old], [new], self.walk.conf)["agreement"]
            if share is not None and share < 1:
                lost.append(Lost(Path(image.path).name, sure, round(share * sure)))
        return _worst(lost)

    def _layers(self) -> tuple[list[Layer], str]:
        """The layers by the noise that they add, and why there are none."""
        walk = self.walk
        if walk.float_graph is None or walk.cell.backend not in intermediate_tensors.READABLE:
            return [], f"{walk.cell.backend} keeps no names of tensors"
        convolutions = intermediate_tensors.convolutions(walk.float_graph)
        tensors = [tensor for pair in convolutions.values() for tensor in pair]
        exact = intermediate_tensors.tap("onnxruntime", walk.float_graph, tensors)
        built = intermediate_tensors.tap(walk.cell.backend, walk.artifact.path, tensors)
        pixels = np.load(walk.pixels, mmap_mode="r")
        batch = walk.cell.batch
        starts = range(0, min(NOISE_IMAGES, len(pixels) - batch + 1), batch)
        batches = (normalize(pixels[start : start + batch]) for start in starts)
        shapes, said = intermediate_tensors.output_shapes(walk.float_graph), content(walk.artifact.meta)
        found = task(said.task).extra(said, shapes)
        ranked = rank(convolutions, exact, built, batches, found[0] if found else 0)
        return ranked, "" if ranked else "the file names its tensors otherwise than the float graph"


def explain(place: Place, suite: Suite, home: Path, cell: Cell, images: int = IMAGES) -> Explanation:
    """Return where the accuracy of a cell was lost.

    Args:
        place: where the cell is built and the child runs.
        suite: the suite of the cell.
        home: folder of the suite's file.
        cell: the cell.
        images: how many images of the data set to look at, the first ones.

    Raises:
        Unavailable, ConfigError, CellError: the cell cannot be built, or the child failed. Where fp32 in PyTorch or
            on the cell's runtime is absent, the explanation is only shorter.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = _job(place, suite, home, cell, Path(folder), images)
        explained: Explanation = place.run_job(job, f"explain {cell}")
    return explained


def _job(place: Place, suite: Suite, home: Path, cell: Cell, folder: Path, images: int) -> ExplainJob:
    """The job of a cell: everything that is absent gets built, and the data set is cut to its first `images`."""
    inputs = place.inputs(suite, home, cell)

    float_cell, absent = _float_cell(suite, cell), list[str]()

    def fp32(backend: str) -> tuple[Cell, Artifact] | None:
        """The model in fp32 on a backend; None where it is no checkpoint, or the backend is not here."""
        sibling = replace(float_cell, backend=backend)
        try:
            return sibling, place.inputs(suite, home, sibling).artifact
        except QuantgateError as error:
            absent.append(str(error))
            return None

    torch, graph = fp32("torch"), fp32("onnxruntime")
    exported = fp32(cell.backend) or (None if torch else graph)
    if not (torch or exported):
        raise ConfigError(f"{cell} has nothing to compare with: its fp32 is not here: {absent[-1]}")
    pixels = folder / "pixels.npy"
    np.save(pixels, np.load(inputs.pixels, mmap_mode="r")[:images])
    return ExplainJob(
        WalkJob(
            cell=cell,
            artifact=inputs.artifact,
            exported=exported,
            torch=torch,
            float_graph=graph[1].path if graph else None,
            dataset=inputs.data.first(images),
            pixels=str(pixels),
            decoding=suite.decoding,
            conf=suite.operating_conf,
        )
    )


def _float_cell(suite: Suite, cell: Cell) -> Cell:
    """The fp32 cell that a cell is explained against, on any backend.

    A file that is run as it is has no float model of its own. It is compared with the one that the suite declares for
    it, or with the only float model of the suite.

    Raises:
        ConfigError: there is none, or more than one.
    """
    if found := suite.fp32_of(cell):
        return found
    if cell.precision != "ready":
        return cell.sibling("fp32")
    alike = [
        one for one in suite.cells if one.precision == "fp32" and (one.imgsz, one.batch) == (cell.imgsz, cell.batch)
    ]
    models = {one.model: replace(one, backend=cell.backend, device=cell.device) for one in alike}
    if len(models) == 1:
        return next(iter(models.values()))
    seen = f"{len(models)} float models ({', '.join(models)})" if models else "no float model"
    raise ConfigError(
        f"{cell} has nothing to compare with: it runs a file as it is, and the suite has {seen} of this size; "
        f"declare Model({cell.weights!r}, float='….pt')"
    )


def _sides(walked: Walked) -> tuple[Sequence[Detections], Sequence[Detections]]:
    """The detections of the reference and of the cell, by image."""
    return walked.reference.seen.found, walked.cell.seen.found


def _worst(lost: Sequence[Lost]) -> tuple[Lost, ...]:
    """What lost most, the worst first."""
    return tuple(sorted(lost, key=lambda one: one.after - one.before)[:SHOWN])
