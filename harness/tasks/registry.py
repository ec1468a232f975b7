"""The tasks by name, and a data set as a task sees it. A new task is a file `tasks/NAME.py` and an entry in TASKS."""

from __future__ import annotations

from dataclasses import replace

from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.tasks.base import Task
from harness.tasks.detect import Detect
from harness.tasks.pose import Pose
from harness.tasks.segment import Segment

TASKS: dict[str, Task] = {one.name: one for one in (Detect(), Segment(), Pose())}
"""Every task that quantgate scores, by Ultralytics' name."""


def task(name: str) -> Task:
    """The task of this `name`.

    Raises:
        ConfigError: quantgate does not score such a task.
    """
    if name not in TASKS:
        raise ConfigError(f"the model is for the task {name!r}; quantgate scores {', '.join(TASKS)}")
    return TASKS[name]


def of_task(dataset: Dataset, name: str) -> Dataset:
    """The data set with the ground truth that scores models of the task `name`; its images stay.

    Raises:
        ConfigError: quantgate does not score such a task, or an object lacks its ground truth.
    """
    if name == dataset.task:
        return dataset
    wanted = task(name)
    return replace(
        dataset,
        task=name,
        truth=wanted.truth,
        annotations=wanted.ground_truth(dataset),
        sigmas=wanted.declared_sigmas(dataset),
    )
