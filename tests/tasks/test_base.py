"""Every task has an answer of its own to all that the protocol of a task asks."""

from __future__ import annotations

import inspect

import pytest

from harness.tasks.base import Task
from harness.tasks.registry import TASKS

QUESTIONS = [name for name, member in vars(Task).items() if inspect.isfunction(member) and not name.startswith("_")]


def test_the_protocol_asks_something():
    assert {"ground_truth", "shape", "pack", "unpack"} <= set(QUESTIONS)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_task_inherits_an_empty_method_of_the_protocol(name, question):
    """The tasks inherit from `Task`: a method that none of them wrote would answer None, in silence."""
    own, asked = getattr(type(TASKS[name]), question), getattr(Task, question)
    assert own is not asked
    assert list(inspect.signature(own).parameters) == list(inspect.signature(asked).parameters)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_names_its_ground_truth_and_its_numbers_in_pycocotools(name):
    one = TASKS[name]
    assert one.truth in ("bbox", "segmentation", "keypoints")
    assert one.iou_type in ("bbox", "segm", "keypoints")
    assert len(one.stats) == len(set(one.stats)) == (10 if one.iou_type == "keypoints" else 12)
    assert one.stats[0] == "map"
