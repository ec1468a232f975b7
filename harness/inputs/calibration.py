"""Chooses the images that static int8 is calibrated on. `finder.py` finds where they come from."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.core.suite import Calibration
from harness.inputs.datasets.loading import overlap


def choose(
    source: Path, everything: Dataset | None, wanted: Calibration, scored: Dataset
) -> tuple[Dataset, tuple[str, ...]]:
    """Choose the images that the suite declares. `everything` is the data set that was found at `source`.

    Returns:
        The chosen images without ground truth, and notes that the table shows about them.

    Raises:
        ConfigError: there are fewer images than declared, or scored images among them that the suite does not allow.
    """
    if everything is None or not everything.images:
        raise ConfigError(f"{source} has no images to calibrate on (no train split); give --qg-calibration PATH")
    found = len(everything.images)
    if found < wanted.images:
        raise ConfigError(
            f"{source} has {found} images to calibrate on and the suite asks for {wanted.images}; "
            f"say Calibration(images={found}) in the suite, or give --qg-calibration PATH"
        )
    images = everything.images[: wanted.images]
    if wanted.order == "random":
        images = tuple(random.Random(wanted.seed).sample(everything.images, wanted.images))
    chosen = Dataset(everything.name, images)
    shared = overlap(chosen, scored)
    same = {image.digest for image in everything.images} == {image.digest for image in scored.images}
    if shared and not (same or wanted.allow_overlap):  # where train is val, the data set itself says so
        raise ConfigError(
            f"{len(shared)} of {len(images)} calibration images are also scored (first: {shared[0]}), which flatters "
            f"int8; give --qg-calibration PATH, or say Calibration(allow_overlap=True) in the suite"
        )
    flatters = f"calibrated on {len(shared)} of the scored images, which flatters int8; --qg-calibration names others"
    notes = (flatters,) if shared else ()
    return chosen, notes


def traced(chosen: Dataset, wanted: Calibration) -> dict[str, Any]:
    """What the results say about the chosen images. The digest covers their bytes and their order."""
    return {
        "dataset": chosen.name,
        "digest": chosen.digest,
        "images": len(chosen.images),
        "first": [Path(image.path).name for image in chosen.images[:3]],
        "order": wanted.order,
        "seed": wanted.seed if wanted.order == "random" else None,
    }
