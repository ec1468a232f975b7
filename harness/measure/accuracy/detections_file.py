"""Detections of a run on disk: one compressed file, addressed by a hash of the detections and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.dataset import Dataset
from harness.core.words import printable
from harness.tasks.base import Detections
from harness.tasks.registry import TASKS


def detections_digest(found: Sequence[Detections]) -> str:
    """Return a hash of the detections of every image, 24 hexadecimal digits.

    The order of the images matters, and the order of the detections of an image does not.
    """
    seen = hashlib.sha256()
    for one in found:
        table = np.column_stack([-one.scores, one.classes, one.boxes]).astype(np.float32)
        if one.points is not None:
            table = np.concatenate([table, one.points.reshape(len(table), one.points[0:1].size)], axis=1)
        order = np.lexsort(table.T[::-1])
        seen.update(len(table).to_bytes(4, "little"))
        seen.update((table[order] + np.float32(0)).tobytes())  # + 0 turns −0 into 0
        if one.masks is not None:
            seen.update(b"".join(one.masks[k].tobytes() for k in order))
    return seen.hexdigest()[:24]


def save_detections(path: Path, dataset: Dataset, found: Sequence[Detections], names: Sequence[str]) -> None:
    """Write the detections of a run to an .npz file, concatenated.

    Its array `counts` tells how many detections each image has; what `Task.pack` adds holds masks and key points.

    Args:
        path: the file.
        dataset: the images, whose ids are stored.
        found: detections, one entry for each of `dataset.images`.
        names: class names of the model, in the order of its outputs.
    """
    more: dict[str, Any] = {name: part for kind in TASKS.values() for name, part in kind.pack(found).items()}
    np.savez_compressed(
        path,
        image_ids=_ids([image.id for image in dataset.images]),
        counts=np.array([len(one.scores) for one in found]),
        boxes=_joined([one.boxes for one in found], (0, 4), np.float32),
        scores=_joined([one.scores for one in found], (0,), np.float32),
        classes=_joined([one.classes for one in found], (0,), np.int64),
        names=np.array(names, np.str_),
        **more,
    )


def load_detections(path: Path, shapes: bool = True) -> list[Detections]:
    """Return detections by image, in the order of the data set.

    Args:
        path: a file that `save_detections` has written.
        shapes: load masks and key points too, besides boxes, scores and classes.

    Raises:
        OSError, ValueError, KeyError: the file is absent or damaged, or holds something else.
    """
    with _opened(path) as stored:
        ends = np.cumsum(stored["counts"])[:-1]
        parts = [np.split(stored[name], ends) for name in ("boxes", "scores", "classes")]
        found = [Detections(*part) for part in zip(*parts, strict=True)]
        for kind in TASKS.values() if shapes else ():
            found = kind.unpack(stored, found)
    return found


def stored_class_names(path: Path) -> list[str]:
    """Return the class names of the model that found the detections; none for a file of an earlier version.

    Raises:
        OSError, ValueError: the file is absent or damaged, or holds something else.
    """
    with _opened(path) as stored:
        return [str(name) for name in stored["names"]] if "names" in stored else []


def _ids(ids: Sequence[int | str]) -> NDArray[np.generic]:
    """Ids as numbers, or as text where numpy would make floats or objects of them."""
    if all(isinstance(one, int) and -(1 << 63) <= one < 1 << 63 for one in ids):
        return np.array(ids, np.int64)
    return np.array([printable(str(one)) for one in ids], np.str_)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of an .npz file by name."""
    try:
        # Opened here and not by numpy, which leaves a damaged file open.
        with path.open("rb") as file, np.load(file) as stored:
            yield stored
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: {error}") from None


def _joined(arrays: Sequence[NDArray[np.generic]], empty: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    """The arrays as one; an array of shape `empty` where there are none."""
    return np.concatenate([np.zeros(empty, dtype), *arrays])
