"""YOLO YAML or COCO JSON → images and ground truth with content hashes. Nothing is decoded here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
VAL, TRAIN = ("val", "test"), ("calib", "train")  # what an annotation file's name says about its split


@dataclass(frozen=True)
class Image:
    """One image of a data set."""

    id: int
    path: str
    width: int  # pixels, as displayed
    height: int
    digest: str  # sha256 of the file


@dataclass(frozen=True)
class Dataset:
    """Images of one split with COCO ground truth."""

    name: str
    images: tuple[Image, ...]
    categories: Mapping[int, str] = field(default_factory=dict)  # category id → name
    annotations: Sequence[Mapping[str, Any]] = ()  # COCO annotations: image_id, category_id, bbox xywh, area, iscrowd

    @property
    def digest(self) -> str:
        """Hash of the pixels and of the ground truth, independent of where they lie."""
        images = [(image.id, image.digest) for image in self.images]
        truth = [[a[k] for k in ("image_id", "category_id", "bbox", "area", "iscrowd")] for a in self.annotations]
        text = json.dumps([images, sorted(self.categories.items()), sorted(truth)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_scored(source: Path) -> Dataset:
    """The split to score, from a YOLO YAML, a COCO JSON, or a folder that holds one.

    Raises:
        ConfigError: the file, its split, an image, a label or a category is missing or malformed.
    """
    source = _declaration(source, VAL)
    dataset = _from_coco(source) if source.suffix == ".json" else _from_yaml(source, "val")
    return _half(dataset, 0) if source.suffix != ".json" and _same_splits(source) else dataset


def load_calibration(source: Path) -> Dataset | None:
    """The images to calibrate on: the train split, or any folder of images; None where the source has none."""
    if source.is_dir() and not _declarations(source):
        images = _images_in([source])
        return Dataset(source.name, _numbered(images)) if images else None
    found = _declarations(source) if source.is_dir() else [source]
    named = [path for path in found if any(word in path.stem for word in TRAIN)]
    if source.is_dir() and not named and all(path.suffix == ".json" for path in found):
        return None
    source = named[0] if named else found[0]
    if source.suffix == ".json":
        return _from_coco(source)
    if not _yaml(source).get("train"):
        return None
    dataset = _from_yaml(source, "train")
    return _half(dataset, 1) if _same_splits(source) else dataset


def overlap(calibration: Dataset, scored: Dataset) -> list[str]:
    """Files of `calibration` whose bytes are also scored."""
    known = {image.digest for image in scored.images}
    return [image.path for image in calibration.images if image.digest in known]


def _half(dataset: Dataset, part: int) -> Dataset:
    """One half of a data set whose train and val are the same images (coco128), chosen by content."""
    images = tuple(image for image in dataset.images if int(image.digest[:8], 16) % 2 == part)
    kept = {image.id for image in images}
    return replace(dataset, images=images, annotations=[a for a in dataset.annotations if a["image_id"] in kept])


# Declarations: which file says what is in the data set


def _declarations(folder: Path) -> list[Path]:
    """The YAML or COCO JSON files that a folder holds, YAML first."""
    return sorted(folder.glob("*.y*ml")) or sorted(
        {*folder.glob("annotations/instances*.json"), *folder.glob("instances*.json"), *folder.glob("*.json")}
    )


def _declaration(source: Path, words: Sequence[str]) -> Path:
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


# YOLO: images/…, labels/…, one row per object


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"dataset {path} cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"dataset {path} is not a YOLO YAML: it has no 'train', 'val' and 'names'")
    return content


def _splits(path: Path, split: str) -> list[Path]:
    content = _yaml(path)
    if not content.get(split):
        raise ConfigError(f"dataset {path} has no {split!r} split; it has {', '.join(map(str, content)) or 'nothing'}")
    bases = [path.parent / str(content.get("path") or "."), path.parent]
    entries = content[split] if isinstance(content[split], list) else [content[split]]
    return [_existing(path, split, [base / str(entry) for base in bases]) for entry in entries]


def _existing(declared_in: Path, what: str, candidates: Sequence[Path]) -> Path:
    for candidate in candidates:
        if candidate.exists():
            return candidate.resolve()
    raise ConfigError(f"dataset {declared_in}: {what} {candidates[0]} does not exist")


def _same_splits(path: Path) -> bool:
    content = _yaml(path)
    return bool(content.get("train")) and content.get("train") == content.get("val")


def _from_yaml(path: Path, split: str) -> Dataset:
    content = _yaml(path)
    names = content.get("names")
    if not isinstance(names, dict | list) or not names:
        raise ConfigError(f"dataset {path} has no 'names': a list of class names, or a mapping from index to name")
    categories = dict(names.items() if isinstance(names, dict) else enumerate(names))
    if not all(isinstance(index, int) for index in categories):
        raise ConfigError(f"dataset {path}: 'names' must map class indices to names, not {next(iter(categories))!r}")
    files = _images_in(_splits(path, split))
    if not files:
        raise ConfigError(f"dataset {path}: the {split!r} split holds no images")
    images = _numbered(files)
    annotations = [row for image in images for row in _labels(image, categories)]
    for number, row in enumerate(annotations, 1):
        row["id"] = number
    return Dataset(path.stem, images, {k: str(v) for k, v in categories.items()}, annotations)


def _images_in(places: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += [file for file in place.rglob("*") if file.suffix.lower() in SUFFIXES]
        else:
            lines = [place.parent / line.strip() for line in place.read_text().splitlines() if line.strip()]
            files += [_existing(place, "image", [line]) for line in lines]
    return sorted(set(files))


def _numbered(files: Sequence[Path]) -> tuple[Image, ...]:
    """COCO file names are their image ids; anything else is numbered in order."""
    numeric = all(file.stem.isdigit() for file in files) and len({int(f.stem) for f in files}) == len(files)
    return tuple(_image(int(file.stem) if numeric else number, file) for number, file in enumerate(files, 1))


def _image(number: int, path: Path, width: int = 0, height: int = 0) -> Image:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not (width and height):
            width, height = _size(path)
    except OSError as error:
        raise ConfigError(f"image {path} cannot be read: {error}") from None
    return Image(number, str(path), width, height, digest)


def _size(path: Path) -> tuple[int, int]:
    """Width and height as displayed: OpenCV turns an image by its EXIF orientation, so its size turns too."""
    import PIL.Image

    with PIL.Image.open(path) as image:
        turned = image.getexif().get(0x0112, 1) >= 5
        return (image.height, image.width) if turned else (image.width, image.height)


def _labels(image: Image, categories: Mapping[int, Any]) -> list[dict[str, Any]]:
    """Rows `class x y w h` (or a polygon) in fractions of the image; no file means no objects."""
    path = Path(image.path)
    parts = list(path.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    file = Path(*parts).with_suffix(".txt")
    rows = []
    try:
        lines = file.read_text().splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            label, *values = (float(word) for word in line.split())
        except ValueError:
            raise ConfigError(f"{file}:{number}: not a row of numbers: {line[:60]!r}") from None
        if label not in categories:
            raise ConfigError(
                f"{file}:{number}: class {label:g} is outside the {len(categories)} classes of the data set"
            )
        if len(values) != 4 and (len(values) < 6 or len(values) % 2):
            raise ConfigError(f"{file}:{number}: expected class x y w h or a polygon, got {len(values) + 1} numbers")
        if not all(-1e-3 <= value <= 1 + 1e-3 for value in values):
            raise ConfigError(f"{file}:{number}: coordinates must be fractions of the image, between 0 and 1")
        x, y, w, h = _box(values, image)
        rows.append(
            {"image_id": image.id, "category_id": int(label), "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0}
        )
    return rows


def _box(values: list[float], image: Image) -> tuple[float, float, float, float]:
    """Fractions → x, y, width, height in pixels."""
    if len(values) == 4:
        x, y, w, h = values
        x, y = x - w / 2, y - h / 2
    else:
        x, y = min(values[::2]), min(values[1::2])
        w, h = max(values[::2]) - x, max(values[1::2]) - y
    return x * image.width, y * image.height, w * image.width, h * image.height


# COCO: one JSON, images in one of the usual places


def _from_coco(path: Path) -> Dataset:
    try:
        content = json.loads(path.read_text())
        listed, truth = content["images"], content["annotations"]
        categories = {int(c["id"]): str(c["name"]) for c in content["categories"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"dataset {path} is not a COCO instances JSON: {type(error).__name__} {error}") from None
    split = path.stem.removeprefix("instances_")
    roots = [path.parent, path.parent.parent]
    folders = [root / sub for root in roots for sub in (f"images/{split}", split, "images", ".")]
    annotations = []
    try:
        files = {entry["id"]: [folder / entry["file_name"] for folder in folders] for entry in listed}
        if twice := [entry["id"] for number, entry in enumerate(listed) if entry["id"] in {e["id"] for e in listed[:number]}]:
            raise ConfigError(f"dataset {path} has image id {twice[0]} twice")
        sizes = {entry["id"]: (int(entry.get("width", 0)), int(entry.get("height", 0))) for entry in listed}
        for row in truth:
            if row["category_id"] not in categories:
                raise ConfigError(
                    f"dataset {path}: annotation {row.get('id')} has unknown category id {row['category_id']}"
                )
            if row["image_id"] not in files:
                raise ConfigError(f"dataset {path}: annotation {row.get('id')} is for unknown image {row['image_id']}")
            kept = {k: row[k] for k in ("id", "image_id", "category_id", "bbox")}
            area = row.get("area", row["bbox"][2] * row["bbox"][3])
            annotations.append({**kept, "area": area, "iscrowd": row.get("iscrowd", 0)})
    except (KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"dataset {path}: malformed entry: {type(error).__name__} {error}") from None
    images = tuple(_image(i, _existing(path, "image", files[i]), *sizes[i]) for i in sorted(files))
    if not images:
        raise ConfigError(f"dataset {path} lists no images")
    return Dataset(path.stem, images, categories, annotations)
