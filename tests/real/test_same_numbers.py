"""Random data sets, written in YOLO and in COCO form, give the same twelve numbers.

50 of them by default, as many as the variable QUANTGATE_DATASETS says where it is set; `scripts/full` asks for 2,000.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from builders import detections, quick
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inputs.datasets.loading import load_scored
from harness.measure.accuracy.coco import evaluate
from harness.measure.accuracy.coco_streaming import Evaluator
from harness.tasks.detect import COCO_STATS

PARTS = 64  # boxes are multiples of a 64th of their image: exact in both forms, so that no rounding decides a match


@dataclass(frozen=True)
class Row:
    """A box in 64ths of its image."""

    label: int
    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Made:
    """One image, its objects and what a model finds in it."""

    name: str  # below the folder of the split, with its suffix
    id: int | str  # in the COCO form
    width: int
    height: int
    objects: tuple[Row, ...]
    found: tuple[Row, ...]


words = st.text(st.characters(exclude_categories=["C"], exclude_characters="/\\"), min_size=1, max_size=8)
raw = st.binary(min_size=1, max_size=8).map(
    lambda b: os.fsdecode(bytes(c | 0x80 if c < 0x30 or c == 0x5C else c for c in b))
)
stems = st.one_of(
    words, raw, st.integers(0, 10**20).map(str), st.sampled_from(["000001", "a b", "ä", "12345678901234567890"])
)
folders = st.lists(st.one_of(words, st.sampled_from(["images", "labels", "a b"])), max_size=2)
ids = st.one_of(
    st.integers(0, 99), st.integers((1 << 63) - 9, (1 << 63) + 9), st.integers(0, (1 << 128) - 1), st.uuids().map(str)
)


@st.composite
def rows(draw, classes):
    x, y = draw(st.integers(0, PARTS - 1)), draw(st.integers(0, PARTS - 1))
    w, h = draw(st.integers(1, PARTS - x)), draw(st.integers(1, PARTS - y))
    return Row(draw(st.integers(0, classes - 1)), 2 * x, 2 * y, 2 * w, 2 * h)


@st.composite
def split(draw):
    """Class names and images of a random data set."""
    names = draw(st.lists(words, min_size=1, max_size=4))
    made, taken = [], set()
    for _ in range(draw(st.integers(1, 5))):
        path = "/".join([*draw(folders), draw(stems)])
        number = draw(ids)
        if any(part.startswith(".") for part in path.split("/")) or {path, str(number)} & taken:
            continue
        taken |= {path, str(number)}
        objects = draw(st.lists(rows(len(names)), max_size=4))
        objects += objects[: draw(st.integers(0, 1))]  # some are there twice
        found = draw(st.lists(rows(len(names)), max_size=3)) + objects[: draw(st.integers(0, 4))]
        suffix = draw(st.sampled_from([".png", ".PNG", ".jpg", ".JPEG", ".bmp"]))
        sides = draw(st.integers(8, 300)), draw(st.integers(8, 300))
        made.append(Made(path + suffix, number, *sides, tuple(objects), tuple(found)))
    return names, made


@functools.cache
def encoded(suffix, width, height):
    return cv2.imencode(suffix.lower(), np.full((height, width, 3), 99, np.uint8))[1].tobytes()


def write_yolo(root, names, made, draw):
    """The data set in YOLO form; the label file is where Ultralytics' `img2label_paths` says."""
    bom, end = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])), draw(st.sampled_from(["\n", "\r\n", " \n\n"]))
    for image in made:
        file = root / "images" / "val" / image.name
        label = Path("/labels/".join(str(file).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt")
        text = [
            f"{row.label} {(row.x + row.w / 2) / 128} {(row.y + row.h / 2) / 128} {row.w / 128} {row.h / 128}"
            for row in image.objects
        ]
        for place, content in (
            (file, encoded(file.suffix, image.width, image.height)),
            (label, bom + end.join(text).encode()),
        ):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    declared = dict(enumerate(names)) if draw(st.booleans()) else names
    (root / "data.yaml").write_text(yaml.safe_dump({"val": "images/val", "names": declared}))


def write_coco(root, names, made, draw):
    """The same in COCO form, beside it."""
    first, as_text = draw(st.integers(0, 5)), draw(st.booleans())
    less = draw(st.sets(st.sampled_from(["id", "area", "iscrowd"])))
    entries, count = [], 0
    for image in made:
        for row in image.objects:
            x, w = (side * image.width / 128 for side in (row.x, row.w))
            y, h = (side * image.height / 128 for side in (row.y, row.h))
            count += 1
            whole = {
                "id": count, "image_id": str(image.id) if as_text else image.id, "category_id": row.label + first,
                "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0,
            }  # fmt: skip
            entries.append({key: value for key, value in whole.items() if key not in less})
    slash = draw(st.sampled_from(["/", "\\"]))
    images = [
        {"id": one.id, "file_name": one.name.replace("/", slash), "width": one.width, "height": one.height}
        for one in made
    ]
    categories = [{"id": k, "name": name} for k, name in enumerate(names, first)]
    content = {"images": images, "annotations": entries, "categories": categories}
    text = json.dumps(content, ensure_ascii=draw(st.booleans()))
    (root / "instances_val.json").write_bytes(text.encode("utf-8", "surrogateescape"))


def found_in(image, scores):
    """What the model finds in an image, with scores that no two detections share."""
    x, y = image.width / 128, image.height / 128
    return detections(
        *([r.x * x, r.y * y, (r.x + r.w) * x, (r.y + r.h) * y, next(scores), r.label] for r in image.found)
    )


@settings(quick, max_examples=int(os.environ.get("QUANTGATE_DATASETS", "50")))
@given(split(), st.data())
def test_both_forms_of_a_data_set_give_the_same_twelve_numbers(given_set, data):
    names, made = given_set
    if not made:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_yolo(root, names, made, data.draw)
        write_coco(root, names, made, data.draw)
        scores = iter(np.linspace(0.99, 0.01, sum(len(image.found) for image in made) or 1))
        of_file = {str(root / "images" / "val" / image.name): found_in(image, scores) for image in made}
        by_yolo, by_coco = load_scored(root / "data.yaml"), load_scored(root / "instances_val.json")
        assert len(by_yolo.images) == len(by_coco.images) == len(made)
        assert len(by_yolo.annotations) == len(by_coco.annotations)
        streamed = Evaluator(by_yolo, names)
        streamed.add([of_file[image.path] for image in by_yolo.images])
        one = streamed.result().metrics
        other = evaluate(by_coco, [of_file[image.path] for image in by_coco.images], names).metrics
    assert {name: one[name] for name in COCO_STATS} == {name: other[name] for name in COCO_STATS}
