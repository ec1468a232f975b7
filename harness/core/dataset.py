"""What a data set is, and the tasks that its ground truth serves."""

from __future__ import annotations

from typing import Literal

Task = Literal["detect", "segment", "pose"]
"""What a model finds beside boxes: nothing, masks, key points. Ultralytics' names."""


TASKS: tuple[Task, ...] = Task.__args__  # type: ignore[attr-defined]
