"""Which cells a table shows, in which order, and which of them no other beats. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.core.errors import ConfigError, nearest
from harness.core.metrics import GATED, METRICS
from harness.core.status import SEVERITY, Status
from harness.store.results import CellResult

SORTS = ("status", "cell")
MEASURED = tuple(name for name in METRICS if name not in (*GATED, "class_ap"))
"""The metrics that are numbers of a cell; the others exist in gates only."""


@dataclass(frozen=True)
class View:
    """How a person wants to see the results.

    Raises:
        ConfigError: there is no such order.
    """

    sort: str = "status"  # worst first; "cell": as the suite declares them; or a metric, the best first
    show: str = ""  # words with commas between: a status, a part of a cell's id, or a pattern with * and ?; empty: all
    verbosity: int = 0  # −1: verdicts alone; 1: every metric, class and gate

    def __post_init__(self) -> None:
        if self.sort not in (*SORTS, *MEASURED):
            known = (*SORTS, *MEASURED)
            raise ConfigError(f"{self.sort!r} is neither status, cell nor a metric; {nearest(self.sort, known)}")

    @property
    def words(self) -> tuple[str, ...]:
        """As ids spell them."""
        return tuple(filter(None, (word.strip().replace(":", "~") for word in self.show.split(","))))


def chosen(results: Sequence[CellResult], view: View) -> list[CellResult]:
    """The results that the view shows, in its order."""
    found = [one for one in results if not view.words or any(_matches(one, word) for word in view.words)]
    if view.sort == "status":
        return sorted(found, key=lambda one: display_order(one.status))
    if view.sort == "cell":
        return found
    sign = -1 if METRICS[view.sort].higher_is_better else 1
    values = {id(one): one.metric(view.sort) for one in found}
    return sorted(found, key=lambda one: (values[id(one)] is None, sign * (values[id(one)] or 0)))


def in_vain(results: Sequence[CellResult], view: View) -> Iterator[str]:
    """What of the view finds nothing, in one line each; a status that no cell has is an answer and not a mistake."""
    cells = [one.cell for one in results if one.cell]
    known = {part for cell in cells for part in (cell.model, cell.precision, cell.backend, cell.device)}
    for word in view.words:
        if word not in SEVERITY and not any(_matches(one, word) for one in results):
            yield f"--qg-show: no cell matches {word!r}; {nearest(word, known | set(SEVERITY))}"
    if view.sort not in SORTS and all(one.metric(view.sort) is None for one in results):
        yield f"--qg-sort: this run measured no {view.sort}"


def sibling_groups(results: Sequence[CellResult]) -> list[list[CellResult]]:
    """Siblings together where their first one stands, fp32 before the others: it is what they are held against."""
    found: dict[object, list[CellResult]] = {}
    for one in results:
        found.setdefault(one.cell.sibling("") if one.cell else None, []).append(one)
    return [sorted(group, key=lambda one: not one.cell or one.cell.precision != "fp32") for group in found.values()]


def best(results: Sequence[CellResult]) -> frozenset[str]:
    """Ids of the cells on the Pareto front: no other is at least as good in both of mAP and p50 and better in one; of
    mAP and size where nothing was timed. Devices, batches and tasks have fronts of their own. One cell alone beats
    nobody."""
    cost = "latency_p50_ms" if any(one.metric("latency_p50_ms") for one in results) else "size_bytes"
    points = [
        (one.id, _league(one), score, paid)
        for one in results
        if (score := one.metric("map")) is not None and (paid := one.metric(cost)) is not None
    ]
    return frozenset(
        name
        for name, league, score, paid in points
        if len(points) > 1
        and not any(
            league == of and other >= score and other_paid <= paid and (other, other_paid) != (score, paid)
            for _, of, other, other_paid in points
        )
    )


def _league(result: CellResult) -> object:
    """What cells share that can be weighed against each other; the data set's digest tells its task too."""
    assert result.cell and result.measured
    return result.cell.device, result.cell.batch, result.measured.provenance.get("dataset")


def display_order(status: Status) -> tuple[bool, int]:
    """Worst first; what could not run says least."""
    return status == "unavailable", SEVERITY.index(status)


def _matches(result: CellResult, word: str) -> bool:
    if word in SEVERITY:
        return result.status == word
    return fnmatchcase(result.id, word if set(word) & set("*?[") else f"*{word}*")
