"""COCO instances JSON, its images in one of the usual places."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from harness.core.dataset import BOX, OF_BOX, Dataset
from harness.core.errors import ConfigError
from harness.inputs.datasets.base import existing, load_image
from harness.tasks.registry import TASKS


def to_coco(dataset: Dataset) -> dict[str, Any]:
    """What was scored as COCO instances, boxes alone; `file_name` is the whole path, `sha256` that of the file."""
    images = [
        {"id": image.id, "file_name": image.path, "width": image.width, "height": image.height, "sha256": image.digest}
        for image in dataset.images
    ]
    categories = [{"id": number, "name": name} for number, name in dataset.categories.items()]
    annotations = [{key: row[key] for key in ("id", *BOX)} for row in dataset.annotations]
    return {"images": images, "categories": categories, "annotations": annotations}


def read_coco(path: Path) -> Dataset:
    try:
        content = json.loads(path.read_text())
        listed, truth = content["images"], content["annotations"]
        categories = {int(c["id"]): str(c["name"]) for c in content["categories"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"dataset {path} is not a COCO instances JSON: {type(error).__name__} {error}") from None
    split = path.stem.removeprefix("instances_").removeprefix("person_keypoints_")
    roots = [path.parent, path.parent.parent]
    folders = [root / sub for root in roots for sub in (f"images/{split}", split, "images", ".")]
    annotations = []
    try:
        files = {entry["id"]: [folder / entry["file_name"] for folder in folders] for entry in listed}
        if len(files) < len(listed):
            twice, _ = Counter(entry["id"] for entry in listed).most_common(1)[0]
            raise ConfigError(f"dataset {path} has image id {twice} twice")
        sizes = {entry["id"]: (int(entry.get("width", 0)), int(entry.get("height", 0))) for entry in listed}
        for row in truth:
            if row["category_id"] not in categories:
                raise ConfigError(
                    f"dataset {path}: annotation {row.get('id')} has unknown category id {row['category_id']}"
                )
            if row["image_id"] not in files:
                raise ConfigError(f"dataset {path}: annotation {row.get('id')} is for unknown image {row['image_id']}")
            kept = {k: row[k] for k in ("id", "image_id", "category_id", "bbox")}
            if "area" not in row:
                kept[OF_BOX] = True
            area = row.get("area", row["bbox"][2] * row["bbox"][3])
            kept |= {task.truth: row[task.truth] for task in TASKS.values() if task.truth in row}
            annotations.append({**kept, "area": area, "iscrowd": row.get("iscrowd", 0)})
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"dataset {path}: malformed entry: {type(error).__name__} {error}") from None
    images = tuple(load_image(i, existing(path, "image", files[i]), *sizes[i]) for i in sorted(files))
    if not images:
        raise ConfigError(f"dataset {path} lists no images")
    return Dataset(path.stem, images, categories, annotations)
