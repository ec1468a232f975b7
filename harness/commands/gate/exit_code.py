"""What the results of both sides come to: the lines that no table of one side can have, and one exit code. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from harness.commands.base import Exit
from harness.core.status import FAILING
from harness.core.suite import Gate
from harness.core.words import counted
from harness.store.results import Recorded

NOTHING = Recorded((), (), {}, {}, {})
"""The results of a side that has none."""


def difference_lines(now: Recorded, base: Recorded) -> Iterator[str]:
    """Yield lines on cells of one side only, on cells that the base could not measure, and on gates that differ."""
    present, accepted = _cells(now), _cells(base)
    for word, found in (("new", present - accepted), ("removed", accepted - present)):
        for suite in sorted({suite for suite, _ in found}):
            names = sorted(name for owner, name in found if owner == suite)
            yield f"{suite}: {counted(len(names), f'{word} cell')}: {', '.join(names)}"
    for row in base.cells:
        if row.status == "error":
            yield f"{row.suite}: {row.id}: error on the base: {row.reason}"
    for suite in sorted(base.gates.keys() & now.gates.keys()):
        changed = [f"− {_declared(one)}" for one in base.gates[suite] if one not in now.gates[suite]]
        changed += [f"+ {_declared(one)}" for one in now.gates[suite] if one not in base.gates[suite]]
        if changed:
            yield f"{suite}: judged by its own gates, which the base does not have: {', '.join(changed)}"


def code(ended: int, now: Recorded, base: Recorded, strict: bool, allow_removed: bool) -> Exit:
    """The exit code of the gate. A regression outweighs an error, and an error outweighs an inconclusive verdict.

    Args:
        ended: the exit code of the working tree's pytest; negative where a signal killed it.
        now: the results of the working tree. Without any cell the gate does not succeed.
        base: the results of the base.
        strict: an inconclusive verdict is no success.
        allow_removed: a cell that only the base has is no regression.
    """
    if ended not in (0, 1, 2) or (ended == 2 and not now.cells):  # 2: stopped by -x on workers, or never begun
        return Exit.INFRASTRUCTURE if ended < 0 or ended == 3 else Exit.USAGE
    statuses = {row.status for row in now.cells} | {one.status for row in now.cells for one in row.verdicts}
    if statuses & (FAILING - {"error"}) or (not allow_removed and _cells(base) - _cells(now)):
        return Exit.REGRESSION
    if "error" in statuses or any(row.status == "error" for row in base.cells):
        return Exit.INFRASTRUCTURE
    if not now.cells:
        return Exit.USAGE
    if strict and "inconclusive" in statuses:
        return Exit.INCONCLUSIVE
    if ended == 1:
        return Exit.REGRESSION
    return Exit.INFRASTRUCTURE if ended or "not-run" in statuses else Exit.FINE


def _cells(side: Recorded) -> set[tuple[str, str]]:
    """Suite and id of every cell that the suites of a side declare."""
    return {(row.suite, row.id) for row in side.cells if row.cell}


def _declared(gate: Gate) -> str:
    """The gate as its author wrote it: without the fields that have their default."""
    words = [repr(gate.metric)]
    for field in dataclasses.fields(gate):
        value = getattr(gate, field.name)
        if field.name != "metric" and value != field.default:
            words.append(f"{field.name}={value!r}")
    return f"Gate({', '.join(words)})"
