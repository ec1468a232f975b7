"""What the card of an exported artifact says of its outputs comes from one call of the artifact."""

from __future__ import annotations

import numpy as np
import pytest
from builders import dataset, null_weights
from jobs import Silent

from harness import ConfigError
from harness.core.cell import Cell
from harness.core.measurement import Artifact
from harness.measure.accuracy.signature import SignatureJob


def signature(tmp_path, names, batch=1, **script):
    weights = null_weights(tmp_path / "model.json", **script)
    cell = Cell("model", "fp32", "null", imgsz=64, batch=batch)
    pixels = tmp_path / "pixels.npy"
    np.save(pixels, np.zeros((1, 3, 64, 64), np.uint8))
    artifact = Artifact(str(weights), "key", 1, {"names": names})
    return SignatureJob(cell, artifact, dataset(1), str(pixels)).run(Silent())


def test_it_names_the_output_with_the_detections_its_shape_and_the_classes(tmp_path):
    seen = signature(tmp_path, ["cow"], batch=2)
    assert (seen.reading.layout, seen.reading.output, seen.shape, seen.names) == ("e2e", 0, (2, 1, 6), ["cow"])


def test_the_data_set_names_the_classes_where_the_file_does_not(tmp_path):
    assert signature(tmp_path, None).names == ["cat", "dog"]


def test_an_artifact_that_is_no_detector_has_no_signature(tmp_path, monkeypatch):
    from harness.backends import null

    monkeypatch.setattr(null.NullSession, "infer", lambda self, batch: (batch[:, 0, 0],))
    with pytest.raises(ConfigError, match=r"model-fp32-null-cpu: output of shape 1×64 does not fit"):
        signature(tmp_path, ["cow"])
