"""Which cells a report shows, in which order, and what it looks up beside a cell: its siblings, the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.core.errors import ConfigError, nearest
from harness.core.measurement import ONE_PLACE
from harness.core.metrics import GATED, METRICS
from harness.core.status import SEVERITY, Status, severity
from harness.report.common.numbers import divided
from harness.store.results import CellResult

SORTS = ("status", "cell")
MEASURED = tuple(name for name in METRICS if name not in (*GATED, "class_ap"))
"""The metrics that are measured for a cell; the other metrics exist in gates only."""


@dataclass(frozen=True)
class View:
    """How a person wants to see the results.

    Raises:
        ConfigError: there is no such order.
    """

    sort: str = "status"  # the worst first; "cell": as the suite declares the cells; or a metric, the best value first
    show: str = ""  # words with commas between: a status, a part of a cell's id, or a pattern with * and ?; empty: all
    verbosity: int = 0  # −1: verdicts alone; 1: every metric, class and gate

    def __post_init__(self) -> None:
        if self.sort not in (*SORTS, *MEASURED):
            known = (*SORTS, *MEASURED)
            raise ConfigError(f"{self.sort!r} is neither status, cell nor a metric; {nearest(self.sort, known)}")

    @property
    def words(self) -> tuple[str, ...]:
        """The words of `show`, spelled as ids spell them."""
        return tuple(filter(None, (word.strip().replace(":", "~") for word in self.show.split(","))))


def chosen(results: Sequence[CellResult], view: View) -> list[CellResult]:
    """The results that the view shows, in its order."""
    found = [one for one in results if not view.words or any(_matches(one, word) for word in view.words)]
    if view.sort == "status":
        return sorted(found, key=lambda one: display_order(one.status))
    if view.sort == "cell":
        return found
    sign = -1 if METRICS[view.sort].higher_is_better else 1

    def order(one: CellResult) -> tuple[bool, float]:
        value = one.metric(view.sort)
        return value is None, sign * (value or 0)

    return sorted(found, key=order)


def in_vain(results: Sequence[CellResult], view: View) -> Iterator[str]:
    """A line for each word or metric of the view that finds nothing.

    A status that no cell has is no mistake: that there is none is what the person asked.
    """
    cells = [one.cell for one in results if one.cell]
    known = {part for cell in cells for part in (cell.model, cell.precision, cell.backend, cell.device)}
    for word in view.words:
        if word not in SEVERITY and not any(_matches(one, word) for one in results):
            yield f"--qg-show: no cell matches {word!r}; {nearest(word, known | set(SEVERITY))}"
    if view.sort not in SORTS and all(one.metric(view.sort) is None for one in results):
        yield f"--qg-sort: this run measured no {view.sort}"


def display_order(status: Status) -> tuple[bool, int]:
    """The key that sorts statuses for a reader: the worst first, and `unavailable` last because it says least."""
    return status == "unavailable", severity(status)


def _matches(result: CellResult, word: str) -> bool:
    if word in SEVERITY:
        return result.status == word
    return fnmatchcase(result.id, word if set(word) & set("*?[") else f"*{word}*")


# Siblings


def is_fp32(result: CellResult) -> bool:
    """Whether this is the fp32 cell that its siblings are held against."""
    return result.cell is not None and result.cell.precision == "fp32"


def fp32_siblings(results: Sequence[CellResult]) -> Callable[[CellResult], CellResult | None]:
    """A function that finds the fp32 sibling of a cell among `results`, in the cell's own suite.

    It returns None for an fp32 cell, and for a cell whose sibling is not among `results`.
    """
    known = {(one.suite, one.cell): one for one in results if is_fp32(one)}

    def sibling_of(result: CellResult) -> CellResult | None:
        if result.cell is None or is_fp32(result):
            return None
        return known.get((result.suite, result.cell.sibling("fp32")))

    return sibling_of


def size_ratio(result: CellResult, fp32: CellResult | None) -> float | None:
    """The size of the artifact over the size of the fp32 sibling's; 1 for an fp32 cell, None where one is not known."""
    reference = result if is_fp32(result) else fp32
    return divided(result.metric("size_bytes"), reference.metric("size_bytes") if reference else None)


def sibling_groups(results: Sequence[CellResult]) -> list[list[CellResult]]:
    """The results in groups of siblings. A group stands where its first cell stands, and begins with fp32."""
    found: dict[object, list[CellResult]] = {}
    for one in results:
        found.setdefault(one.cell.group if one.cell else None, []).append(one)
    return [sorted(group, key=lambda one: not is_fp32(one)) for group in found.values()]


# The Pareto front


@dataclass(frozen=True)
class _Candidate:
    """A cell that may be on the Pareto front."""

    id: str
    league: object  # equal for cells that can be weighed against each other
    score: float  # mAP
    cost: float  # milliseconds per call, or bytes

    def beats(self, other: _Candidate) -> bool:
        """Whether this cell is at least as good as the other in score and cost, and better in one of them."""
        as_good = self.score >= other.score and self.cost <= other.cost
        return self.league == other.league and as_good and (self.score, self.cost) != (other.score, other.cost)


def pareto_front(results: Sequence[CellResult]) -> frozenset[str]:
    """Ids of the cells that no other cell beats in mAP and p50, or in mAP and size where nothing was timed.

    A cell beats another where it is at least as good in both numbers and better in one of them. Devices, batch sizes
    and tasks have fronts of their own. A cell that is alone beats nobody: then there is no front.
    """
    cost = "latency_p50_ms" if any(one.metric("latency_p50_ms") for one in results) else "size_bytes"
    found = []
    for one in results:
        score, paid = one.metric("map"), one.metric(cost)
        if score is not None and paid is not None and detects(one):
            found.append(_Candidate(one.id, _league(one), score, paid))
    if len(found) < 2:
        return frozenset()
    return frozenset(one.id for one in found if not any(other.beats(one) for other in found))


def detects(result: CellResult) -> bool:
    """Whether a cell finds anything: without, it is neither best nor smallest, whatever its gates say."""
    notes = result.measured.notes if result.measured else ()
    return result.metric("map") != 0 and ONE_PLACE not in notes


def _league(result: CellResult) -> object:
    """What cells share that can be weighed against each other; the data set's digest tells its task too."""
    assert result.cell and result.measured
    return result.cell.device, result.cell.batch, result.measured.provenance.get("dataset")


# What a cell or a suite has measured


def latency_change(result: CellResult) -> float | None:
    """The change of gated CPU time against the baseline, as a share; None where no verdict tells it."""
    for verdict in result.verdicts:
        if (verdict.metric, verdict.against) == ("latency", "baseline") and verdict.observed is not None:
            return verdict.observed - 1
    return None


def scored_images(results: Sequence[CellResult]) -> int:
    """The number of images that the cells of a suite were scored on; 0 where none was scored."""
    for result in results:
        if result.measured and "images" in result.measured.provenance:
            return int(result.measured.provenance["images"])
    return 0
