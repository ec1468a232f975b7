"""Children without processes, for tests of what their parent does with them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest


class Stage:
    """What children are started with, what is asked of them, and the timed section around it, in order.

    `answer(job, command)` gives every answer; the command is None before the section. An error is raised as a child
    raises it.
    """

    def __init__(self, answer: Callable[[Any, Any], Any]) -> None:
        self.answer = answer
        self.children: list[StandIn] = []
        self.log: list[Any] = []

    @contextlib.contextmanager
    def timed(self, device: str = "cpu") -> Iterator[None]:
        """The section of a machine lock."""
        self.log.append(f"timed section on {device}")
        yield
        self.log.append("end of section")

    def child(self, job: Any, log: Any, limit_s: float, environment: Any = None, python: str = sys.executable):
        self.children.append(StandIn(self, job, log, limit_s, environment, python))
        return self.children[-1]

    def heavy_answers(self, children: list[StandIn], lock: Any) -> list[Any]:
        return [self.answer(child.job, None) for child in children]


class StandIn:
    """A child whose answers come from the stage."""

    def __init__(self, stage: Stage, job: Any, log: Any, limit_s: float, environment: Any, python: str) -> None:
        self._stage, self.job, self.log, self.limit_s = stage, job, log, limit_s
        self.environment, self.python, self.ended, self._command = environment, python, False, None

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        self.ended = True

    def send(self, command: Any) -> None:
        self._command = command

    def answer(self) -> Any:
        self._stage.log.append((self.job.cell.id, self._command))
        value = self._stage.answer(self.job, self._command)
        if isinstance(value, BaseException):
            raise value
        return value


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, Callable[[Any, Any], Any]], Stage]:
    """Replaces the children of a module. The stage that it returns is also the machine lock."""

    def start(module: ModuleType, answer: Callable[[Any, Any], Any]) -> Stage:
        stage = Stage(answer)
        monkeypatch.setattr(module, "Child", stage.child)
        monkeypatch.setattr(module, "heavy_answers", stage.heavy_answers)
        return stage

    return start
