"""Run fresh processes that measure pairs, in one timed section: of one side, or of two sides in turns."""

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
    """Run one process per turn, and return what each has measured.

    The processes start side by side before the section begins, and measure one after the other within it.

    Args:
        turns: what each process opens, and how it is started; at least one.
        references: names of the references that CPU time is divided by.
        repeats: how often each reference is repeated per call of the target; a process fits what is absent.
        lock: the lock of the machine.
        log: label of a process → the file to which it prints.
        limit_s: seconds after which a process without a sign of life is given up.

    Raises:
        Unavailable, ConfigError, CellError: what the first process that fails has raised, or how it died. For a side
            with a name it is a CellError that begins with the name.
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
                raise _named(side, answer)
        with lock.timed(turns[0][0].cell.device):
            return [_replicate(child, side) for child, (_, side) in zip(children, turns, strict=True)]


def _replicate(child: Child, side: Side) -> Replicate:
    """Let a child that is ready measure, and wait for what it says."""
    try:
        child.send(READY)
        observed: Replicate = child.answer()
    except QuantgateError as error:
        raise _named(side, error) from None
    return observed


def _named(side: Side, error: BaseException) -> BaseException:
    """The error, with the name of the side in front where the side has one."""
    return CellError(f"{side.name}: {error}") if side.name else error
