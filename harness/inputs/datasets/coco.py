"""COCO instances JSON, with its images in one of the usual places."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from harness.core.dataset import BOX, OF_BOX, Dataset
from harness.core.errors import ConfigError
from harness.inputs.datasets.base import existing, load_image
from harness.tasks.registry import TASKS


def to_coco(dataset: Dataset) -> dict[str, Any]:
    """A data set as COCO instances with boxes alone. `file_name` is the whole path, `sha256` the hash of the file."""
    images = [
        {"id": image.id, "file_name": image.path, "width": image.width, "height": image.height, "sha256": image.digest}
        for image in dataset.images
    ]
    categories = [{"id": number, "name": name} for number, name in dataset.categories.items()]
    annotations = [{key: row[key] for key in ("id", *BOX)} for row in dataset.annotations]
    return {"images": images, "categories": categories, "annotations": annotations}


def read_coco(path: Path) -> Dataset:
    """Read a COCO JSON of instances or of person key points.

    Images are looked for in the folder of the JSON, then in the folder above it: in `images/SPLIT`, `SPLIT`, `images`,
    and directly there. SPLIT is the name of the JSON without `instances_` or `person_keypoints_`.

    Raises:
        ConfigError: the file is no COCO JSON, an entry is malformed or refers to nothing, or an image is missing.
    """
    try:
        content = json.loads(path.read_text())
        listed, truth = content["images"], content["annotations"]
        categories = {int(c["id"]): str(c["name"]) for c in content["categories"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"dataset {path} is not a COCO instances JSON: {type(error).__name__} {error}") from None
    split = path.stem.removeprefix("instances_").removeprefix("person_keypoints_")
    roots = [path.parent, path.parent.parent]
    folders = [root / sub for root in roots for sub in (f"images/{split}", split, "images", ".")]
    try:
        files = {entry["id"]: [folder / entry["file_name"] for folder in folders] for entry in listed}
        if len(files) < len(listed):
            twice, _ = Counter(entry["id"] for entry in listed).most_common(1)[0]
            raise ConfigError(f"dataset {path} has image id {twice} twice")
        sizes = {entry["id"]: (int(entry.get("width", 0)), int(entry.get("height", 0))) for entry in listed}
        annotations = [_annotation(path, row, categories, files) for row in truth]
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"dataset {path}: malformed entry: {type(error).__name__} {error}") from None
    images = tuple(load_image(i, existing(path, "image", files[i]), *sizes[i]) for i in sorted(files))
    if not images:
        raise ConfigError(f"dataset {path} lists no images")
    return Dataset(path.stem, images, categories, annotations)


def _annotation(
    path: Path, row: Mapping[str, Any], categories: Container[int], images: Container[int]
) -> dict[str, Any]:
    """The entries of an annotation that quantgate reads, with defaults for area and iscrowd.

    Raises:
        ConfigError: its image or category is not in the file.
    """
    if row["category_id"] not in categories:
        raise ConfigError(f"dataset {path}: annotation {row.get('id')} has unknown category id {row['category_id']}")
    if row["image_id"] not in images:
        raise ConfigError(f"dataset {path}: annotation {row.get('id')} is for unknown image {row['image_id']}")
    kept = {key: row[key] for key in ("id", "image_id", "category_id", "bbox")}
    if "area" not in row:
        kept[OF_BOX] = True
    area = row.get("area", row["bbox"][2] * row["bbox"][3])
    kept |= {task.truth: row[task.truth] for task in TASKS.values() if task.truth in row}
    return {**kept, "area": area, "iscrowd": row.get("iscrowd", 0)}
