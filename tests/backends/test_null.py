"""The mock that ships: it says what its script says, and breaks how its script says."""

from __future__ import annotations

import time

import numpy as np
import pytest
from builders import null_weights

from harness import Cell, Unavailable
from harness.backends import null
from harness.core.measurement import Artifact

CELL = Cell("model", "fp32", "null", batch=2)
BATCH = np.zeros((2, 3, 32, 32), np.float32)


@pytest.fixture
def session(tmp_path):
    """Open a script."""

    def opened(**script):
        return null.open(Artifact(str(null_weights(tmp_path / "model.json", **script)), "key", 1), CELL, 1)

    return opened


def test_the_scripted_detections_come_for_every_image_of_the_batch(session):
    (output,) = session(detections=[[1, 2, 3, 4, 0.5, 1]]).infer(BATCH)
    assert output.shape == (2, 1, 6)
    assert output.tolist() == [[[1, 2, 3, 4, 0.5, 1]]] * 2


def test_a_script_may_detect_nothing(session):
    assert session(detections=[]).infer(BATCH)[0].shape == (2, 0, 6)


def test_a_call_takes_the_scripted_time(session):
    slow = session(delay_ms=20)
    start = time.perf_counter()
    slow.infer(BATCH)
    assert time.perf_counter() - start >= 0.02


@pytest.mark.parametrize(("fault", "error"), [("raise", RuntimeError), ("memory", MemoryError)])
def test_a_scripted_fault_happens_at_the_first_inference(session, fault, error):
    broken = session(fault=fault)
    with pytest.raises(error, match=r"null: .* as scripted"):
        broken.infer(BATCH)


def test_what_was_executed_is_scripted_too(session):
    assert session().executed() == {"f32": 1}
    assert session(executed={"i8": 3}).executed() == {"i8": 3}


def test_it_is_always_available_on_the_cpu_and_nowhere_else():
    assert null.probe(CELL)
    with pytest.raises(Unavailable, match="null runs on device 'cpu' only"):
        null.probe(Cell("model", "fp32", "null", "cuda"))


def test_a_closed_session_answers_no_more(session):
    closed = session()
    closed.close()
    with pytest.raises(AttributeError):
        closed.infer(BATCH)
