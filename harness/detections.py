"""Detections of a run on disk: one compressed file, addressed by a hash of what was found and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets import Dataset
from harness.families import Detections


def digest(found: Sequence[Detections]) -> str:
    """Equal for equal detections of every image, in whatever order an image's are; 24 hexadecimal digits."""
    seen = hashlib.sha256()
    for one in found:
        table = np.column_stack([-one.scores, one.classes, one.boxes]).astype(np.float32)
        rows = table[np.lexsort(table.T[::-1])]
        seen.update(len(rows).to_bytes(4, "little"))
        seen.update((rows + np.float32(0)).tobytes())  # −0 and 0 are the same
    return seen.hexdigest()[:24]


def save(path: Path, dataset: Dataset, found: Sequence[Detections], names: Sequence[str]) -> None:
    """All detections of a run, concatenated; `counts` splits them by image, `names` are the model's classes."""
    np.savez_compressed(
        path,
        image_ids=np.array([image.id for image in dataset.images]),
        counts=np.array([len(one.scores) for one in found]),
        boxes=_joined([one.boxes for one in found], (0, 4), np.float32),
        scores=_joined([one.scores for one in found], (0,), np.float32),
        classes=_joined([one.classes for one in found], (0,), np.int64),
        names=np.array(names, np.str_),
    )


def load(path: Path) -> list[Detections]:
    """By image, in the order of the data set.

    Raises:
        OSError, ValueError, KeyError: it is not such a file.
    """
    with np.load(path) as stored:
        ends = np.cumsum(stored["counts"])[:-1]
        parts = [np.split(stored[name], ends) for name in ("boxes", "scores", "classes")]
    return [Detections(*part) for part in zip(*parts, strict=True)]


def class_names(path: Path) -> list[str]:
    """Of the model that found them; empty for a file of an earlier version.

    Raises:
        OSError, ValueError: it is not such a file.
    """
    with np.load(path) as stored:
        return [str(name) for name in stored["names"]] if "names" in stored else []


def _joined(arrays: Sequence[NDArray[np.generic]], empty: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    return np.concatenate([np.zeros(empty, dtype), *arrays])
