"""YOLO YAML or COCO JSON → images and ground truth, with hashes of the image files. Nothing is decoded here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.inputs.datasets.base import images_in, numbered
from harness.inputs.datasets.coco import read_coco
from harness.inputs.datasets.yolo import parse_yaml, read_yolo, same_splits

VAL, TRAIN = ("val", "test"), ("calib", "train")  # words in a file's name that tell which split it declares


def load_scored(source: Path) -> Dataset:
    """Load the split to score from a YOLO YAML, a COCO JSON, or a folder that holds one.

    Where train and val are the same images, half of them are scored and the other half calibrates.

    Raises:
        ConfigError: the file, its split, an image, a label or a category is missing or malformed.
    """
    source = _declaration(source, VAL)
    dataset = read_coco(source) if source.suffix == ".json" else read_yolo(source, "val")
    return _half(dataset, 0) if source.suffix != ".json" and same_splits(source) else dataset


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
    if source.suffix == ".json" and not explicit:
        source = source.parent
    if source.suffix == ".txt" or (source.is_dir() and not _declarations(source)):
        images = images_in([source])
        return Dataset(source.name, numbered(images)) if images else None
    found = _declarations(source) if source.is_dir() else [source]
    named = [path for path in found if any(word in path.stem for word in TRAIN)]
    if source.is_dir() and not named and all(path.suffix == ".json" for path in found):
        return None
    source = named[0] if named else found[0]
    if source.suffix == ".json":
        return read_coco(source)
    if not parse_yaml(source).get("train"):
        return None
    dataset = read_yolo(source, "train")
    return _half(dataset, 1) if same_splits(source) else dataset


def overlap(calibration: Dataset, scored: Dataset) -> list[str]:
    """Paths of the images in `calibration` whose bytes are also scored, under any name."""
    known = {image.digest for image in scored.images}
    return [image.path for image in calibration.images if image.digest in known]


def _half(dataset: Dataset, part: int) -> Dataset:
    """The half 0 or 1 of a data set whose train and val are the same images, as in coco128; chosen by content."""
    return dataset.of_images([image for image in dataset.images if int(image.digest[:8], 16) % 2 == part])


def _declarations(folder: Path) -> list[Path]:
    """The YAML files that a folder holds, or else its COCO JSON files, in the folder or in `annotations`."""
    return sorted(folder.glob("*.y*ml")) or sorted(
        {*folder.glob("annotations/instances*.json"), *folder.glob("instances*.json"), *folder.glob("*.json")}
    )


def _declaration(source: Path, words: Sequence[str]) -> Path:
    """The file itself, or the declaration in a folder; if it holds several, the one with one of `words` in its name."""
    if not source.exists():
        raise ConfigError(f"dataset {source} does not exist; give a YOLO YAML, a COCO JSON, or a folder that holds one")
    if source.is_file():
        if source.suffix not in (".yaml", ".yml", ".json"):
            raise ConfigError(f"dataset {source} is neither a YOLO .yaml nor a COCO .json")
        return source
    found = _declarations(source)
    chosen = [path for path in found if any(word in path.stem for word in words)] if len(found) > 1 else found
    if len(chosen) != 1:
        what = "no YOLO YAML and no COCO JSON" if not found else f"{len(found)} declarations, name one of them"
        raise ConfigError(f"dataset folder {source} holds {what}: {', '.join(p.name for p in found) or 'empty'}")
    return chosen[0]
