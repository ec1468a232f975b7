"""Detections of a run on disk: one compressed file, addressed by a hash of what was found and nothing else."""

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
from harness.tasks.base import Detections
from harness.tasks.registry import TASKS


def detections_digest(found: Sequence[Detections]) -> str:
    """Equal for equal detections of every image, in whatever order an image's are; 24 hexadecimal digits."""
    seen = hashlib.sha256()
    for one in found:
        table = np.column_stack([-one.scores, one.classes, one.boxes]).astype(np.float32)
        if one.points is not None:
            table = np.concatenate([table, one.points.reshape(len(table), one.points[0:1].size)], axis=1)
        order = np.lexsort(table.T[::-1])
        seen.update(len(table).to_bytes(4, "little"))
        seen.update((table[order] + np.float32(0)).tobytes())  # −0 and 0 are the same
        if one.masks is not None:
            seen.update(b"".join(one.masks[k].tobytes() for k in order))
    return seen.hexdigest()[:24]


def save_detections(path: Path, dataset: Dataset, found: Sequence[Detections], names: Sequence[str]) -> None:
    """All detections of a run, concatenated; `counts` splits them by image, `lengths` the masks by detection.

    `names` are the model's classes.
    """
    more: dict[str, Any] = {name: part for kind in TASKS.values() for name, part in kind.pack(found).items()}
    np.savez_compressed(
        path,
        image_ids=np.array([image.id for image in dataset.images]),
        counts=np.array([len(one.scores) for one in found]),
        boxes=_joined([one.boxes for one in found], (0, 4), np.float32),
        scores=_joined([one.scores for one in found], (0,), np.float32),
        classes=_joined([one.classes for one in found], (0,), np.int64),
        names=np.array(names, np.str_),
        **more,
    )


def load_detections(path: Path, shapes: bool = True) -> list[Detections]:
    """By image, in the order of the data set; without `shapes` boxes alone, without masks and key points.

    Raises:
        OSError, ValueError, KeyError: it is not such a file.
    """
    with _opened(path) as stored:
        ends = np.cumsum(stored["counts"])[:-1]
        parts = [np.split(stored[name], ends) for name in ("boxes", "scores", "classes")]
        found = [Detections(*part) for part in zip(*parts, strict=True)]
        for kind in TASKS.values() if shapes else ():
            found = kind.unpack(stored, found)
    return found


def stored_class_names(path: Path) -> list[str]:
    """Of the model that found them; empty for a file of an earlier version.

    Raises:
        OSError, ValueError: it is not such a file.
    """
    with _opened(path) as stored:
        return [str(name) for name in stored["names"]] if "names" in stored else []


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    try:
        with (
            path.open("rb") as file,
            np.load(file) as stored,
        ):  # numpy leaves a torn one open
            yield stored
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: {error}") from None


def _joined(arrays: Sequence[NDArray[np.generic]], empty: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    return np.concatenate([np.zeros(empty, dtype), *arrays])
