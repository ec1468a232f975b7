"""What `quantgate gate` makes of both sides' results: lines that the table does not have, and one exit code. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.commands.base import Exit
from harness.results import Results
from harness.types import FAILING, Gate

NOTHING = Results({}, (), ())


def lines(now: Results, base: Results) -> Iterator[str]:
    """Cells and gates of one side only, and cells that the base could not measure."""
    present, accepted = _cells(now), _cells(base)
    for word, found in (("new", present - accepted), ("removed", accepted - present)):
        for suite in sorted({suite for suite, _ in found}):
            names = sorted(name for owner, name in found if owner == suite)
            yield f"{suite}: {len(names)} {word} cell{'s' * (len(names) > 1)}: {', '.join(names)}"
    for row in base.cells:
        if row.status == "error":
            yield f"{row.suite}: {row.id}: error on the base: {row.reason}"
    before, after = _gates(base.suites), _gates(now.suites)
    for suite in sorted(before.keys() & after.keys()):
        changed = [f"− {one}" for one in before[suite] if one not in after[suite]]
        changed += [f"+ {one}" for one in after[suite] if one not in before[suite]]
        if changed:
            yield f"{suite}: judged by its own gates, which the base has not: {', '.join(changed)}"


def code(ended: int, now: Results, base: Results, strict: bool, allow_removed: bool) -> Exit:
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


def _cells(side: Results) -> set[tuple[str, str]]:
    return {(row.suite, row.id) for row in side.cells if row.cell}


def _gates(suites: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The gates of every suite as their author wrote them, less what is said by default."""
    return {str(suite["name"]): [_said(gate) for gate in suite["gates"]] for suite in suites}


def _said(gate: Mapping[str, Any]) -> str:
    usual = {field.name: field.default for field in dataclasses.fields(Gate)}
    given = [f"{name}={value!r}" for name, value in gate.items() if name != "metric" and value not in (usual[name], [])]
    return f"Gate({', '.join([repr(gate['metric']), *given])})"
