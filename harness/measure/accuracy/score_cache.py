"""Accuracy that an earlier run has measured: one artifact on one data set by one runtime always scores the same.

This is sound because accuracy runs on one thread and nothing in it is random: a test compares two fresh runs to the
last digit. Everything that could change a number is in the key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import files
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.core.version import __version__
from harness.machine.fingerprint import machine_class, version
from harness.measure.accuracy.score import Scored
from harness.tasks.decode import DECODING_VERSION

REUSED = "accuracy reused from an earlier run of the same artifact, data and runtime (--qg-fresh measures again)"
SCORING = ("numpy", "opencv-python", "pycocotools")  # distributions that turn outputs into metrics


class Scores:
    """Where the score of one artifact on one data set is kept between runs.

    Args:
        cache: folder of the cache.
        cell: the cell that is scored.
        artifact: its artifact.
        provenance: everything else that the score depends on: data set, decoding, image size, versions of the runtime
            and the tools.
        resampled: metrics that the bootstrap resamples.
    """

    def __init__(
        self, cache: Path, cell: Cell, artifact: Artifact, provenance: Mapping[str, Any], resampled: Sequence[str]
    ) -> None:
        shaped_by = {
            "cell": [cell.backend, cell.precision, cell.device, cell.head, cell.boxes, cell.scores],
            "quantgate": __version__,  # its sessions and its scoring shape the numbers too
            "artifact": artifact.key,
            "provenance": dict(provenance),
            "decoding": DECODING_VERSION,
            "resampled": sorted(resampled),
            "machine": machine_class(),
            "scoring": {tool: version(tool) for tool in SCORING},
        }
        key = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()[:24]
        self._cache, self._card = cache, cache / "scores" / f"{key}.json"

    def reuse(self) -> Scored | None:
        """Return the kept score; None where there is none, or where the score or its detections are damaged or gone."""
        try:
            card = json.loads(self._card.read_text())
            scored = Scored(**{**card, "unknown": tuple(card["unknown"]), "notes": tuple(card["notes"])})
            return scored if detections_file(self._cache, scored.detections).exists() else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def keep(self, scored: Scored, found: Path) -> None:
        """Keep a score and its detections, which lie in the file `found`.

        The card of the score is written last, so that it never names detections that are not there.

        Raises:
            ConfigError: the cache cannot be written.
        """
        file = detections_file(self._cache, scored.detections)
        files.write_bytes(file, found.read_bytes(), "--qg-cache-dir")
        files.write_text(self._card, json.dumps(dataclasses.asdict(scored)), "--qg-cache-dir")


def dataset_file(folder: Path, digest: str) -> Path:
    """Return the file in which the results of a run keep a scored data set, as COCO instances (`to_coco`).

    Args:
        folder: folder of the run.
        digest: hash of the data set.
    """
    return folder / "datasets" / f"{digest}.json"


def detections_file(folder: Path, digest: str) -> Path:
    """Return the file in which a cache, or the results of a run, keep detections (`save_detections`).

    Args:
        folder: folder of the cache or of the run.
        digest: `detections_digest` of the detections.
    """
    return folder / "detections" / f"{digest}.npz"
