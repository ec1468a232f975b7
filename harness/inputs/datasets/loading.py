"""YOLO YAML or COCO JSON → images and ground truth, with hashes of the image files. Nothing is decoded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.core.words import printable
from harness.inputs.datasets.base import images_in, numbered
from harness.inputs.datasets.coco import read_coco
from harness.inputs.datasets.yolo import has_split, read_yolo, shared_images

VAL, TRAIN = ("val", "test"), ("calib", "train")  # words in a file's name that tell which split it declares

ROBOFLOW = "_annotations.coco"  # the stem of Roboflow's JSON files, whose folder is named after the split

YAML, JSON = (".yaml", ".yml"), ".json"  # suffixes of declarations, in lower case


def load_scored(source: Path) -> Dataset:
    """Load the split to score from a YOLO YAML, a COCO JSON, or a folder that holds one.

    All of its images are scored. Where train names some of them or copies of them too, a note says so.

    Raises:
        ConfigError: the file, its split, an image, a label or a category is missing or malformed.
    """
    source = _declaration(source, VAL)
    if _is_json(source):
        return _noted(read_coco(source))
    dataset = read_yolo(source, "val", labelled=True)
    shared, every = shared_images(source, dataset.images), len(dataset.images)
    if not shared:
        return _noted(dataset)
    named = f"{source.name} names {shared} of the {every} scored images for train too, as they are or as copies"
    return _noted(dataset, f"{named}: a model that was trained on them scores better here than elsewhere")


def load_calibration(source: Path, explicit: bool = True) -> Dataset | None:
    """Load the images to calibrate on, or to train on where they have labels.

    They are the train split, the images in a folder without a declaration, or the images that a .txt lists.

    `explicit` says that the user named the source for calibration. Otherwise it is the data set of the suite, a COCO
    JSON is its scored split, and the train split is looked for in another JSON of the folder.

    Returns:
        The data set, or None where there are no such images.

    Raises:
        ConfigError: as `load_scored`.
    """
    if _is_json(source) and not explicit:
        source = source.parent.parent if source.stem == ROBOFLOW else source.parent
    if source.suffix.lower() == ".txt" or (source.is_dir() and not _declarations(source)):
        found = images_in([source])
        images, notes = numbered(found.files)
        return _noted(Dataset(source.name, images, notes=(*found.notes, *notes))) if images else None
    declared = _declarations(source) if source.is_dir() else [source]
    named = _of_split(declared, TRAIN)
    if source.is_dir() and not named and all(map(_is_json, declared)):
        return None
    source = named[0] if named else declared[0]
    if _is_json(source):
        return _noted(read_coco(source))
    return _noted(read_yolo(source, "train")) if has_split(source, "train") else None


def overlap(calibration: Dataset, scored: Dataset) -> list[str]:
    """Paths of the images in `calibration` whose bytes are also scored, under any name."""
    known = {image.digest for image in scored.images}
    return [image.path for image in calibration.images if image.digest in known]


def _noted(dataset: Dataset, *more: str) -> Dataset:
    """The data set with `more` notes at the front, in text that can be written anywhere."""
    return replace(dataset, notes=tuple(printable(note) for note in (*more, *dataset.notes)))


def _is_json(source: Path) -> bool:
    return source.suffix.lower() == JSON


def _declarations(folder: Path) -> list[Path]:
    """The YAML files that a folder holds, or else its COCO JSON files, in the folder or in `annotations`.

    Roboflow puts a JSON into the folder of each split.
    """
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    yamls = [file for file in files if file.suffix.lower() in YAML]
    jsons = [file for file in files if _is_json(file)]
    return yamls or sorted({*folder.glob("annotations/instances*.json"), *jsons, *folder.glob(f"*/{ROBOFLOW}.json")})


def _of_split(declared: Sequence[Path], words: Sequence[str]) -> list[Path]:
    """The declarations whose name has the first of `words` that any of them has."""
    names = {path: path.parent.name if path.stem == ROBOFLOW else path.stem for path in declared}
    for word in words:
        if chosen := [path for path, name in names.items() if word in name.lower()]:
            return chosen
    return []


def _declaration(source: Path, words: Sequence[str]) -> Path:
    """The file itself, or the declaration in a folder; if it holds several, the one with one of `words` in its name."""
    if not source.exists():
        raise ConfigError(f"dataset {source} does not exist; give a YOLO YAML, a COCO JSON, or a folder that holds one")
    if source.is_file():
        if source.suffix.lower() not in (*YAML, JSON):
            raise ConfigError(f"dataset {source} is neither a YOLO .yaml nor a COCO .json")
        return source
    found = _declarations(source)
    chosen = _of_split(found, words) if len(found) > 1 else found
    if len(chosen) != 1:
        what = "no YOLO YAML and no COCO JSON" if not found else f"{len(found)} declarations, name one of them"
        names = ", ".join(str(path.relative_to(source)) for path in found)
        raise ConfigError(f"dataset folder {source} holds {what}: {names or 'empty'}")
    return chosen[0]
