"""The images in which a cell finds other objects than its fp32 sibling, from the detections that a run has kept."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.core.words import printable
from harness.measure.accuracy import agreement
from harness.measure.accuracy import detections_file as detections
from harness.measure.accuracy.score_cache import dataset_file, detections_file
from harness.report.common.view import fp32_siblings
from harness.store.results import CellResult
from harness.tasks.base import Detections

GALLERIES = 3  # how many cells of a suite have pictures, at most
PICTURES = 8  # how many pictures a cell has, at most
SIDE = 420  # pixels of a picture's longer side; a smaller image keeps its size
QUALITY = 82  # of the JPEG, out of 100

Fate = Literal["kept", "lost", "new", "truth"]
"""What became of a detection: both sides have it, only fp32, or only the cell. `truth` is a box of the ground truth."""
ACCURACIES = ("agreement", "collapsed_classes", "class_ap", "map", "recall_op", "f1_op")


@dataclass(frozen=True)
class Box:
    """A box in a picture, in pixels of the picture as it is shown."""

    left: float
    top: float
    width: float
    height: float
    fate: Fate
    name: str = ""  # the class and the score of a detection; empty for ground truth


@dataclass(frozen=True)
class Picture:
    """One image, what fp32 finds in it and what the cell finds."""

    name: str  # of the file
    width: int  # pixels, as shown
    height: int
    source: str  # the JPEG as a `data:` URI
    truth: Sequence[Box]
    before: Sequence[Box]  # found by fp32
    after: Sequence[Box]  # found by the cell
    lost: int  # how many detections only fp32 has
    new: int  # how many detections only the cell has


@dataclass(frozen=True)
class Gallery:
    """The pictures of a cell, the most changed image first, or why there are none."""

    cell: str  # its id
    pictures: Sequence[Picture] = ()
    changed: int = 0  # how many of `images` have detections that differ
    images: int = 0
    missing: str = ""  # why there are no pictures; empty where there are


def galleries(results: Sequence[CellResult], folder: Path, only: int = GALLERIES) -> list[Gallery]:
    """The galleries of the `only` cells of one suite whose accuracy is worst.

    `folder` is the folder that holds `detections/` and `datasets/`.
    """
    fp32_of = fp32_siblings(results)
    pairs = ((result, fp32_of(result)) for result in worst_cells(results)[:only])
    return [gallery(result, fp32, folder) for result, fp32 in pairs if fp32]


def worst_cells(results: Sequence[CellResult]) -> list[CellResult]:
    """The cells whose images are worth a look, the cell that agrees least with its fp32 sibling first.

    These are the cells that an accuracy gate fails. Where none fails, it is the cell that agrees least with its fp32
    sibling, unless it agrees in full. Cell and sibling must both have been scored.
    """
    scored = [result for result in results if result.metric("map") is not None]
    fp32_of = fp32_siblings(scored)
    held = sorted((result for result in scored if fp32_of(result)), key=_agreement)
    return [result for result in held if failed(result)] or [result for result in held if _agreement(result) < 1][:1]


def failed(result: CellResult) -> bool:
    """Whether a gate on what the cell detects fails."""
    return any(
        verdict.status in ("regressed", "missed") and verdict.metric in ACCURACIES for verdict in result.verdicts
    )


def _agreement(result: CellResult) -> float:
    """The cell's agreement with its fp32 sibling; 1 where it was not measured."""
    value = result.metric("agreement")
    return 1.0 if value is None else value


def gallery(result: CellResult, fp32: CellResult, folder: Path, most: int = PICTURES) -> Gallery:
    """The `most` images whose detections above the operating confidence changed most.

    `folder` is the folder that holds `detections/` and `datasets/`. Where a file is gone or cannot be read, the gallery
    says so.
    """
    assert result.measured and fp32.measured
    traced = result.measured.provenance
    files = [detections_file(folder, str(one.provenance.get("detections"))) for one in (fp32.measured, result.measured)]
    try:
        data = json.loads(dataset_file(folder, str(traced.get("dataset"))).read_text())
        pairs = list(zip(data["images"], *map(detections.load_detections, files), strict=True))
        names = detections.stored_class_names(files[1])
    except OSError as error:
        return Gallery(result.id, missing=f"{error.filename} is not here: the results were moved without it")
    except (ValueError, KeyError, TypeError) as error:
        return Gallery(result.id, missing=f"the detections beside the results cannot be read: {error}")
    conf = float(traced.get("operating_conf", 0.25))
    judged = [(image, *fates(old, new, conf)) for image, old, new in pairs]
    moved = [one for one in judged if one[1].different + one[2].different]
    moved.sort(key=lambda one: -(one[1].different + one[2].different))
    truth, shown, problem = _truth(data), list[Picture](), ""
    for image, old, new in moved:
        if len(shown) == most:
            break
        try:
            shown.append(_picture(image, old, new, names, truth.get(image["id"], ())))
        except (OSError, ValueError) as error:
            problem = problem or f"the images cannot be shown: {error}"
    return Gallery(result.id, shown, len(moved), len(data["images"]), "" if shown else problem)


@dataclass(frozen=True)
class PictureSide:
    """What one side, fp32 or the cell, detects in an image above a confidence."""

    found: Detections
    shared: Sequence[bool]  # for each detection whether the other side has it too

    @property
    def different(self) -> int:
        """How many detections the other side does not have."""
        return len(self.shared) - sum(self.shared)


def fates(before: Detections, after: Detections, conf: float) -> tuple[PictureSide, PictureSide]:
    """Both sides of an image above the confidence `conf`, matched as `agreement.survival` matches them."""
    old, new = (_above(side, conf) for side in (before, after))
    pairs = agreement.pairs(old, new, agreement.FOUND_IOU)
    return _side(old, {i for i, _ in pairs}), _side(new, {j for _, j in pairs})


def _side(found: Detections, shared: Set[int]) -> PictureSide:
    return PictureSide(found, [position in shared for position in range(len(found.scores))])


def _above(found: Detections, conf: float) -> Detections:
    sure = np.flatnonzero(found.scores >= conf)
    return Detections(found.boxes[sure], found.scores[sure], found.classes[sure])


def _picture(
    image: Mapping[str, Any], old: PictureSide, new: PictureSide, names: Sequence[str], truth: Sequence[Sequence[float]]
) -> Picture:
    """The picture of an image.

    `names` are the names of the classes. `truth` has the boxes of the ground truth: left, top, width and height, in
    pixels of the image.

    Raises:
        OSError: the image is gone.
        ValueError: its file holds another image by now.
    """
    import PIL.Image
    import PIL.ImageOps

    path = Path(image["file_name"])
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != image["sha256"]:
        raise ValueError(f"{path} is not the image that was scored")
    with PIL.Image.open(io.BytesIO(content)) as opened:
        upright = PIL.ImageOps.exif_transpose(opened).convert("RGB")
    scale = min(1.0, SIDE / max(upright.size))
    small = upright.resize((max(1, round(upright.width * scale)), max(1, round(upright.height * scale))))
    packed = io.BytesIO()
    small.save(packed, "JPEG", quality=QUALITY)
    source = f"data:image/jpeg;base64,{base64.b64encode(packed.getvalue()).decode()}"
    marked = [Box(scale * x, scale * y, scale * w, scale * h, "truth") for x, y, w, h in truth]
    return Picture(
        printable(path.name), *small.size, source, marked,
        _boxes(old, "lost", names, scale), _boxes(new, "new", names, scale),
        old.different, new.different,
    )  # fmt: skip


def _boxes(side: PictureSide, otherwise: Fate, names: Sequence[str], scale: float) -> list[Box]:
    """The boxes of a side; the boxes that both sides have come first, so that the others lie on top of them."""
    made = []
    for box, score, label, shared in zip(
        side.found.boxes.tolist(), side.found.scores.tolist(), side.found.classes.tolist(), side.shared, strict=True
    ):
        left, top, right, bottom = (scale * edge for edge in box)
        name = names[label] if label < len(names) else f"class {label}"
        fate: Fate = "kept" if shared else otherwise
        made.append(Box(left, top, right - left, bottom - top, fate, f"{name} {score:.2f}"))
    return sorted(made, key=lambda one: one.fate != "kept")


def _truth(data: Mapping[str, Any]) -> dict[int | str, list[Sequence[float]]]:
    """Image id → boxes of the ground truth without crowds: left, top, width and height, in pixels of the image."""
    found: dict[int | str, list[Sequence[float]]] = {}
    for row in data["annotations"]:
        if not row["iscrowd"]:
            found.setdefault(row["image_id"], []).append(row["bbox"])
    return found
