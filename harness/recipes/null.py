"""The recipes of the null backend: its weights, a script of detections in JSON, are copied as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError
from harness.recipes.base import BuildInputs, Recipe, Table

RECIPES: Table = {
    ("null", "fp32"): Recipe("null:copy", "model.json", "f32", "f32", "checkpoint"),
    ("null", "int8"): Recipe("null:copy", "model.json", "i8", "i8", "checkpoint"),
    ("null", "ready"): Recipe("null:copy", "model.json", "i8", "i8", "checkpoint"),
}


def copy(inputs: BuildInputs, folder: Path) -> dict[str, Any]:
    """Copy the script; its class names become the artifact's metadata.

    Raises:
        ConfigError: the weights are no JSON object with `names`.
    """
    try:
        script = json.loads(inputs.weights.read_text())
        names = [str(name) for name in script["names"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"weights {inputs.weights} are not a null script: {type(error).__name__} {error}") from None
    shutil.copyfile(inputs.weights, folder / "model.json")
    return {"names": names}
