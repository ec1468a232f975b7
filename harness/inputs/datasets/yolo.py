"""YOLO YAML: which images and classes it declares. `yolo_labels.py` reads the label files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.core.dataset import Dataset, Image
from harness.core.errors import ConfigError
from harness.core.words import counted, is_whole
from harness.inputs.datasets.base import Found, existing, images_in, numbered, shown, text_of
from harness.inputs.datasets.yolo_labels import COCO_POINTS, NO_POINTS, KeyPoints, passed_over, read_labels

SPELLINGS = {"val": ("val", "validation", "valid"), "train": ("train", "training")}
"""Split → the keys of a YAML that may declare it, the usual one first."""


def parse_yaml(path: Path) -> dict[str, Any]:
    """The content of a YAML file.

    Raises:
        ConfigError: the file cannot be read, or holds no mapping.
    """
    text = text_of(path)
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"dataset {path} cannot be read: {' '.join(str(error).split())}") from None
    if isinstance(content, str) and (path.parent / content).is_file():
        raise ConfigError(
            f"dataset {path} holds only the path {content}: a link that was copied as text; name that file"
        )
    if not isinstance(content, dict):
        raise ConfigError(f"dataset {path} is not a YOLO YAML: it has no 'train', 'val' and 'names'")
    return content


def read_yolo(path: Path, split: str, labelled: bool = False) -> Dataset:
    """Read one split of a YOLO YAML, "train" or "val".

    Args:
        path: the YAML.
        split: the split.
        labelled: refuse the split where none of its images has a label file.

    Raises:
        ConfigError: the YAML, its split, an image or a label is missing or malformed; labels are told by file and line.
    """
    content = parse_yaml(path)
    categories, notes = _categories(path, content)
    found = _images(path, content, split)
    images, image_notes = numbered(found.files)
    points = _kpt_shape(path, content.get("kpt_shape"))
    labels = read_labels(images, categories, points)
    if labelled and labels.problem:
        raise ConfigError(f"dataset {path}: {labels.problem}")
    sigmas = _sigmas(path, content.get("kpt_oks_sigmas"), points)
    notes = (*notes, *found.notes, *passed_over(found), *image_notes, *labels.notes)
    return Dataset(path.stem, images, categories, labels.rows, sigmas=sigmas, notes=notes)


def shared_images(path: Path, scored: Sequence[Image]) -> int:
    """How many scored images are in train too, as the same file, as a link to it or as a copy.

    Only files of the same size are read. It is 0 where the YAML declares no train that can be found.
    """
    try:
        train = _images(path, parse_yaml(path), "train").files
    except ConfigError:
        return 0
    sizes = {os.path.getsize(image.path) for image in scored}
    copies = {_digest(file) for file in train if file.is_file() and os.path.getsize(file) in sizes}
    return sum(image.digest in copies for image in scored)


def _digest(file: Path) -> str:
    """The sha256 of a file in hexadecimal; empty where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def has_split(path: Path, split: str) -> bool:
    """Whether a YAML declares a split."""
    content = parse_yaml(path)
    return any(content.get(key) for key in SPELLINGS[split])


def _images(path: Path, content: Mapping[str, Any], split: str) -> Found:
    """The image files of a split.

    Raises:
        ConfigError: the YAML does not declare it, it does not exist, or it has no images.
    """
    declared = next((content[key] for key in SPELLINGS[split] if content.get(key)), None)
    if not declared:
        raise ConfigError(f"dataset {path} has no {split!r} split; it has {', '.join(map(str, content)) or 'nothing'}")
    entries = declared if isinstance(declared, list) else [declared]
    found = images_in([_place(path, content, split, str(entry)) for entry in entries])
    if not found.files:
        others = f"; {shown(found.others[0])} has no suffix of an image" if found.others else ""
        raise ConfigError(f"dataset {path}: the {split!r} split holds no images{others}")
    return found


def _place(path: Path, content: Mapping[str, Any], split: str, entry: str) -> Path:
    """The folder or text file that an entry of a split names.

    It is relative to the YAML's `path`, to the YAML's folder, or to `path` in the working directory. As Ultralytics
    does, `../` at its front is dropped where nothing lies there: Roboflow writes it for another folder.
    """
    root = str(content.get("path") or ".")
    spellings = dict.fromkeys([entry, entry.replace("\\", "/")])
    roots = [path.parent / root, path.parent / root.replace("\\", "/"), path.parent, Path.cwd() / root]
    candidates = [base / one for one in spellings for base in roots]
    inside = [base / one.removeprefix("../") for one in spellings for base in roots if one.startswith("../")]
    return existing(path, split, candidates + inside)


def _categories(path: Path, content: Mapping[str, Any]) -> tuple[dict[int, str], tuple[str, ...]]:
    """Class number → name, from `names` or from the number `nc` alone, and notes on them."""
    names, count = content.get("names"), content.get("nc")
    if isinstance(count, str) and is_whole(count):
        count = int(count)
    if not names and isinstance(count, int) and count > 0:
        return {number: f"class_{number}" for number in range(count)}, ()
    if not isinstance(names, dict | list) or not names:
        raise ConfigError(f"dataset {path} has no 'names': a list of class names, or a mapping from index to name")
    categories = {
        _index(path, key): str(name) for key, name in (names.items() if isinstance(names, dict) else enumerate(names))
    }
    if len(categories) < len(names):
        raise ConfigError(f"dataset {path}: 'names' has a class index twice, as a number and as a text")
    differ = isinstance(count, int) and count != len(categories)
    return categories, ((f"{path.name} says nc: {count} and has {counted(len(categories), 'name')}",) if differ else ())


def _index(path: Path, key: Any) -> int:
    """A class index, which may be written as a text."""
    if isinstance(key, int) or (isinstance(key, str) and is_whole(key)):
        return int(key)
    raise ConfigError(f"dataset {path}: 'names' must map class indices to names, not {key!r}")


def _kpt_shape(path: Path, declared: Any) -> KeyPoints:
    """The key points that the entry `kpt_shape` declares; `NO_POINTS` without the entry."""
    if declared is None:
        return NO_POINTS
    count, numbers = declared if isinstance(declared, list) and len(declared) == 2 else (0, 0)
    if not isinstance(count, int) or count < 1 or numbers not in (2, 3):
        raise ConfigError(f"dataset {path}: 'kpt_shape' must be [key points, 2 or 3], not {declared!r}")
    return KeyPoints(count, numbers)


def _sigmas(path: Path, declared: Any, points: KeyPoints) -> tuple[float, ...]:
    """How far each key point may be off, from the entry `kpt_oks_sigmas`; empty: by COCO's rule.

    Without the entry it is COCO's rule for 17 points with visibility, and 1 / count for all others, as in Ultralytics'
    `PoseValidator`.
    """
    if declared is None:
        return () if points in (NO_POINTS, COCO_POINTS) else (1 / points.count,) * points.count
    numbers = isinstance(declared, list) and all(isinstance(sigma, float) for sigma in declared)
    if not numbers or len(declared) != points.count:
        raise ConfigError(f"dataset {path}: 'kpt_oks_sigmas' must be {points.count} numbers, one per key point")
    return tuple(declared)
