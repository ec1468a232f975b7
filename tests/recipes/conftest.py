"""A small detector that several toolchains build from; the bundled one is in `built.py`."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of an untrained detector with what a YOLO has: a residual, two levels, boxes as distributions."""
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    layers = {
        "nc": 2,
        "reg_max": 4,
        "backbone": [
            [-1, 1, "Conv", [8, 3, 2]],
            [-1, 1, "Conv", [16, 3, 2]],
            [-1, 1, "Bottleneck", [16]],
            [-1, 1, "Conv", [32, 3, 2]],
        ],
        "head": [[[2, 3], 1, "Detect", ["nc"]]],
    }
    model = DetectionModel(layers, ch=3, nc=2, verbose=False)
    model.names, model.args = {0: "cat", 1: "dog"}, {}
    checkpoint = tmp_path_factory.mktemp("tiny") / "tiny.pt"
    torch.save({"model": model}, checkpoint)
    return checkpoint
