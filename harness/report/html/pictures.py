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

from harness.measure.accuracy import agreement
from harness.measure.accuracy import detections_file as detections
from harness.measure.accuracy.score_cache import dataset_file, detections_file
from harness.store.results import CellResult
from harness.tasks.base import Detections

GALLERIES = 3  # cells of a suite with pictures
PICTURES = 8  # of a cell
SIDE = 420  # pixels of the longer side, once shrunk
QUALITY = 82  # of the JPEG

Fate = Literal["kept", "lost", "new", "truth"]
ACCURACIES = ("agreement", "collapsed_classes", "class_ap", "map", "recall_op", "f1_op")


@dataclass(frozen=True)
class Box:
    """In pixels of the shown picture."""

    left: float
    top: float
    width: float
    height: float
    fate: Fate
    name: str = ""  # of the class, and the score


@dataclass(frozen=True)
class Picture:
    """One image, what fp32 finds in it and what the cell finds."""

    name: str
    width: int
    height: int
    source: str  # a data: URI
    truth: Sequence[Box]
    before: Sequence[Box]
    after: Sequence[Box]
    lost: int
    new: int


@dataclass(frozen=True)
class Gallery:
    """The pictures of a cell, the most changed first, or why there are none."""

    cell: str
    pictures: Sequence[Picture] = ()
    changed: int = 0  # images with any difference, of `images`
    images: int = 0
    missing: str = ""


def galleries(results: Sequence[CellResult], folder: Path, only: int = GALLERIES) -> list[Gallery]:
    """Of the cells of one suite whose accuracy is worst; `folder` is the one that holds `detections/`."""
    siblings = {result.cell: result for result in results if result.cell}
    found = []
    for result in worst_images(results)[:only]:
        assert result.cell is not None
        found.append(gallery(result, siblings[result.cell.sibling("fp32")], folder))
    return found


def worst_images(results: Sequence[CellResult]) -> list[CellResult]:
    """Scored cells with a scored fp32 sibling that an accuracy gate fails; else the one that agrees with it least."""
    scored = {r.cell: r for r in results if r.cell and r.metric("map") is not None}
    held = [r for cell, r in scored.items() if cell.precision != "fp32" and cell.sibling("fp32") in scored]
    held.sort(key=lambda r: _agreement(r))
    return [r for r in held if failed(r)] or [r for r in held if _agreement(r) < 1][:1]


def failed(result: CellResult) -> bool:
    """Whether a gate of what the cell detects fails."""
    return any(
        verdict.status in ("regressed", "missed") and verdict.metric in ACCURACIES for verdict in result.verdicts
    )


def _agreement(result: CellResult) -> float:
    value = result.metric("agreement")
    return 1.0 if value is None else value


def gallery(result: CellResult, fp32: CellResult, folder: Path, most: int = PICTURES) -> Gallery:
    """The images that changed most, above the operating confidence."""
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
    """Detections of an image above a confidence, and whether the other side has each of them too."""

    found: Detections
    shared: Sequence[bool]

    @property
    def different(self) -> int:
        return len(self.shared) - sum(self.shared)


def fates(before: Detections, after: Detections, conf: float) -> tuple[PictureSide, PictureSide]:
    """Both sides of an image, matched as `agreement.survival` does it."""
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
    """Raises OSError where the image is gone, ValueError where it is another."""
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
        path.name, *small.size, source, marked, _boxes(old, "lost", names, scale), _boxes(new, "new", names, scale),
        old.different, new.different,
    )  # fmt: skip


def _boxes(side: PictureSide, otherwise: Fate, names: Sequence[str], scale: float) -> list[Box]:
    """What both sides have first, so that what differs lies on top."""
    made = []
    for box, score, label, shared in zip(
        side.found.boxes.tolist(), side.found.scores.tolist(), side.found.classes.tolist(), side.shared, strict=True
    ):
        left, top, right, bottom = (scale * edge for edge in box)
        name = names[label] if label < len(names) else f"class {label}"
        fate: Fate = "kept" if shared else otherwise
        made.append(Box(left, top, right - left, bottom - top, fate, f"{name} {score:.2f}"))
    return sorted(made, key=lambda one: one.fate != "kept")


def _truth(data: Mapping[str, Any]) -> dict[int, list[Sequence[float]]]:
    """Boxes xywh of the ground truth by image id, crowds left out."""
    found: dict[int, list[Sequence[float]]] = {}
    for row in data["annotations"]:
        if not row["iscrowd"]:
            found.setdefault(row["image_id"], []).append(row["bbox"])
    return found
