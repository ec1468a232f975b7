"""What `quantgate gate` makes of both sides' results: lines that the table does not have, and one exit code. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from harness.commands.base import Exit
from harness.core.status import FAILING
from harness.core.suite import Gate
from harness.store.results import Recorded

NOTHING = Recorded((), (), {}, {}, {})


def difference_lines(now: Recorded, base: Recorded) -> Iterator[str]:
    """Cells and gates of one side only, and cells that the base could not measure."""
    present, accepted = _cells(now), _cells(base)
    for word, found in (("new", present - accepted), ("removed", accepted - present)):
        for suite in sorted({suite for suite, _ in found}):
            names = sorted(name for owner, name in found if owner == suite)
            yield f"{suite}: {len(names)} {word} cell{'s' * (len(names) > 1)}: {', '.join(names)}"
    for row in base.cells:
        if row.status == "error":
            yield f"{row.suite}: {row.id}: error on the base: {row.reason}"
    for suite in sorted(base.gates.keys() & now.gates.keys()):
        changed = [f"− {_said(one)}" for one in base.gates[suite] if one not in now.gates[suite]]
        changed += [f"+ {_said(one)}" for one in now.gates[suite] if one not in base.gates[suite]]
        if changed:
            yield f"{suite}: judged by its own gates, which the base has not: {', '.join(changed)}"


def code(ended: int, now: Recorded, base: Recorded, strict: bool, allow_removed: bool) -> Exit:
    """The exit code. `ended` is pytest's own; `strict` fails what is inconclusive.

    A regression outweighs an error, and an error what is inconclusive. Nothing judged is no success.
    """
    if ended not in (0, 1):
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
    return Exit.REGRESSION if ended else Exit.FINE


def _cells(side: Recorded) -> set[tuple[str, str]]:
    return {(row.suite, row.id) for row in side.cells if row.cell}


def _said(gate: Gate) -> str:
    """The gate as its author wrote it, less what is said by default."""
    given = {
        field.name: getattr(gate, field.name)
        for field in dataclasses.fields(gate)
        if field.name != "metric" and getattr(gate, field.name) != field.default
    }
    return f"Gate({', '.join([repr(gate.metric), *(f'{name}={value!r}' for name, value in given.items())])})"
