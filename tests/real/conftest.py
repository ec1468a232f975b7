"""What the tests on real runtimes share."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.inputs.sources import BUNDLED_DATA

IMAGES = 12


@pytest.fixture(scope="session")
def few_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first images of the bundled data as a data set of their own."""
    source = BUNDLED_DATA["digits"]
    truth = json.loads((source / "annotations" / "instances_val.json").read_text())
    truth["images"] = truth["images"][:IMAGES]
    kept = {image["id"] for image in truth["images"]}
    truth["annotations"] = [row for row in truth["annotations"] if row["image_id"] in kept]
    folder = tmp_path_factory.mktemp("few")
    for image in truth["images"]:
        shutil.copy(source / "images" / "val" / Path(image["file_name"]).name, folder / Path(image["file_name"]).name)
        image["file_name"] = Path(image["file_name"]).name
    path = folder / "instances_val.json"
    path.write_text(json.dumps(truth))
    return path
