"""Fresh processes that measure pairs, in one exclusive section: those of one side, or of two in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.core.errors import CellError, QuantgateError
from harness.core.processes import Replicate, Side, Turn
from harness.machine.child import Child, heavy_answers
from harness.machine.locks import MachineLock
from harness.machine.worker import READY
from harness.measure.latency.cpu_pairs import PairsJob
from harness.measure.latency.references import SINGLE_THREAD


def measure_replicates(
    turns: Sequence[Turn], references: Sequence[str], repeats: Mapping[str, int],
    lock: MachineLock, log: Callable[[str], Path], limit_s: float,
) -> list[Replicate]:  # fmt: skip
    """One process a turn, one after the other; they start side by side before the section begins.

    Raises:
        Unavailable, ConfigError, CellError: the first that fails.
    """
    with ExitStack() as stack:
        children = []
        for number, (target, side) in enumerate(turns):
            job = PairsJob(target.cell, target.artifact, target.pixels, tuple(references), repeats)
            environment = {**SINGLE_THREAD, **side.environment}
            child = Child(job, log(f"pairs {target.cell} {number}"), limit_s, environment, side.python)
            children.append(stack.enter_context(child))
        for answer, (_, side) in zip(heavy_answers(children, lock), turns, strict=True):
            if isinstance(answer, BaseException):
                raise _of(side, answer)
        with lock.timed(turns[0][0].cell.device):
            return [_answer(child, side) for child, (_, side) in zip(children, turns, strict=True)]


def _answer(child: Child, side: Side) -> Replicate:
    try:
        child.send(READY)
        observed: Replicate = child.answer()
    except QuantgateError as error:
        raise _of(side, error) from None
    return observed


def _of(side: Side, error: BaseException) -> BaseException:
    """What fails on another side than this process's says so."""
    return CellError(f"{side.name}: {error}") if side.name else error
