"""COCO instances JSON, with its images in one of the usual places. `coco_rows.py` reads the annotations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.dataset import BOX, Dataset, by_id
from harness.core.errors import ConfigError
from harness.core.words import counted, is_whole
from harness.inputs.datasets.base import as_image, dark_note, shown, text_of
from harness.inputs.datasets.coco_files import find_images
from harness.inputs.datasets.coco_rows import Entries, annotation, as_id
from harness.inputs.datasets.exif import displayed
from harness.inputs.datasets.objects import Placed, without_the_impossible
from harness.inputs.datasets.plausible import box_notes, expect_boxes_in_pixels
from harness.inputs.image_files import ImageFile, inspect_image

LARGE = 1 << 53  # from here on numpy may round a number


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

    `find_images` tells where images are looked for. Boxes that were drawn on images as they are stored, before their
    EXIF orientation turns them, are turned with them.

    Raises:
        ConfigError: the file is no COCO JSON, an entry is malformed or refers to nothing, or an image is missing.
    """
    listed, truth, declared = _content(path)
    ids = [_image_id(path, at, entry) for at, entry in enumerate(listed)]
    twice, times = Counter(ids).most_common(1)[0] if ids else (0, 0)
    if times > 1:
        raise ConfigError(f"dataset {path} has image id {twice} twice")
    if not ids:
        raise ConfigError(f"dataset {path} lists no images")
    categories, numbers = _categories(path, declared)
    sizes = {number: _size(path, number, entry) for number, entry in zip(ids, listed, strict=True)}
    entries = Entries.of(ids, numbers)
    rows = [annotation(path, at, row, entries) for at, row in enumerate(truth)]
    places = find_images(path, {number: entry["file_name"] for number, entry in zip(ids, listed, strict=True)})
    files = {number: inspect_image(places[number]) for number in ids}
    rows, turned = displayed(path, rows, files, sizes)
    expect_boxes_in_pixels(path, rows, files)
    categories, roots = _without_root(categories, declared, rows)
    return _made(path, files, categories, rows, (*roots, *turned, *_one_file_note(files)))


def _made(
    path: Path, files: Mapping[int | str, ImageFile], categories: Mapping[int, str], rows: Sequence[Placed],
    notes: tuple[str, ...],
) -> Dataset:  # fmt: skip
    """The data set of checked entries, with its images in the order of their ids."""
    kept, left_out = without_the_impossible(rows)
    outside = box_notes(rows, files)
    images = sorted((as_image(number, file) for number, file in files.items()), key=by_id)
    made = Dataset(path.stem, tuple(images), categories, kept)
    nothing = () if kept else (f"{path.name} has no objects: there is nothing to score",)
    return replace(made, notes=(*notes, *nothing, *left_out, *outside, *dark_note(list(files.values()))))


def _one_file_note(files: Mapping[int | str, ImageFile]) -> tuple[str, ...]:
    """A note where several images of the JSON are one file: what one has, the others lack."""
    often = [file for file, times in Counter(file.path for file in files.values()).items() if times > 1]
    said = f"{counted(len(often), 'file')} listed as several images, which are scored apart"
    return (f"{said} (first: {shown(often[0])})",) if often else ()


def _content(path: Path) -> tuple[list[Any], list[Any], list[Any]]:
    """The images, annotations and categories of a JSON; no annotations where it says null."""
    try:
        content = json.loads(text_of(path, names=True))
        listed, truth, declared = content["images"], content["annotations"], content["categories"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"dataset {path} is not a COCO instances JSON: {type(error).__name__} {error}") from None
    for what, entries in (("images", listed), ("annotations", truth or []), ("categories", declared)):
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ConfigError(f"dataset {path} is not a COCO instances JSON: {what!r} is no list of entries")
    return listed, truth or [], declared


def _image_id(path: Path, at: int, entry: Mapping[str, Any]) -> int | str:
    """The id of an image, a whole number or a text."""
    for key in ("id", "file_name"):
        if entry.get(key) is None or entry[key] == "":
            raise ConfigError(f"dataset {path}: images[{at}] has no {key!r}")
    if not isinstance(entry["file_name"], str):
        raise ConfigError(f"dataset {path}: images[{at}] has the file_name {entry['file_name']!r}, which is no text")
    return as_id(f"dataset {path}: images[{at}] has the id", entry["id"])


def _size(path: Path, number: int | str, entry: Mapping[str, Any]) -> tuple[int, int]:
    """The declared width and height of an image in pixels; 0 and 0 where the file does not say both."""
    declared = entry.get("width"), entry.get("height")
    try:
        width, height = (int(float(side)) if side is not None else 0 for side in declared)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"dataset {path}: image {number} has the size {declared[0]!r} × {declared[1]!r}") from None
    return (width, height) if width > 0 and height > 0 else (0, 0)


def _categories(path: Path, declared: Sequence[Mapping[str, Any]]) -> tuple[dict[int, str], dict[int | str, int]]:
    """Category number → name, and id in the file → category number.

    The number is the id; where an id is a text that is no number, or too large, categories are numbered from 1.
    """
    names: dict[int | str, str] = {}
    for at, entry in enumerate(declared):
        if entry.get("id") is None or entry.get("name") is None:
            lacking = "id" if entry.get("id") is None else "name"
            raise ConfigError(f"dataset {path} is not a COCO instances JSON: categories[{at}] has no {lacking!r}")
        number = as_id(f"dataset {path}: categories[{at}] has the id", entry["id"])
        if number in names:
            raise ConfigError(f"dataset {path} has category id {number} twice")
        names[number] = str(entry["name"])
    if not names:
        raise ConfigError(f"dataset {path} lists no categories")
    meant = {one: int(one) if is_whole(str(one)) else None for one in names}
    small = all(number is not None and number < LARGE for number in meant.values())
    if not small or len(set(meant.values())) < len(meant):
        meant = {one: number for number, one in enumerate(names, 1)}
    numbers = {one: number for one, number in meant.items() if number is not None}
    return {numbers[one]: name for one, name in names.items()}, numbers


def _without_root(
    categories: Mapping[int, str], declared: Sequence[Mapping[str, Any]], rows: Sequence[Placed]
) -> tuple[dict[int, str], tuple[str, ...]]:
    """The categories without Roboflow's root, and a note on it.

    Roboflow adds a category, which owns no objects, and names it as the supercategory of all others.
    """
    owners = {row["category_id"] for _, row in rows}
    supers = dict(zip(categories, (str(entry.get("supercategory")) for entry in declared), strict=True))
    for number, name in categories.items():
        others = {above for other, above in supers.items() if other != number}
        if number not in owners and others == {name}:
            kept = {other: said for other, said in categories.items() if other != number}
            return kept, (f"category {number}, {name!r}, has no objects and stands above all others: left out",)
    return dict(categories), ()
