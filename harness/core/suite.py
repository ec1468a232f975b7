"""What a suite file declares: the suite itself, its gates, its calibration images and its decoding thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Literal

from harness.core.cell import Cell
from harness.core.errors import ConfigError, nearest
from harness.core.metrics import GATED, METRICS, RELATIVE
from harness.core.verdict import Against


@dataclass(frozen=True)
class Calibration:
    """The images that static int8 is calibrated on. All fields are in the artifact's key and in the results.

    Raises:
        ConfigError: `images` is below 1, or `order` is unknown.
    """

    images: int = 64  # how many images; a source with fewer is an error
    data: str = ""  # a data set, a folder or a .txt list of images; empty: the train split of `Suite.dataset`
    order: Literal["id", "random"] = "id"  # which images: the first by image id, or a random draw
    seed: int = 0  # of the random draw
    allow_overlap: bool = False  # allow images that are scored too; the table then has a note

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ConfigError(f"{self}: calibrate on one image or more")
        if self.order not in ("id", "random"):
            raise ConfigError(f"{self}: order is 'id' or 'random'")


@dataclass(frozen=True)
class Decoding:
    """The thresholds of post-processing. Every backend is decoded with them."""

    conf: float = 0.001  # candidates above this score are kept
    iou: float = 0.7  # NMS drops a box that overlaps a better one by more: intersection over union
    max_det: int = 300  # detections kept per image


@dataclass(frozen=True)
class Gate:
    """A rule: how far a metric may be from its baseline, from the fp32 sibling, or from a fixed limit.

    `max_drop` and `max_rise` are absolute for metrics without a unit (mAP, recall: 0.002 is 0.2 AP points) and
    relative for metrics with one (bytes, milliseconds: 0.05 is 5 %); `relative` overrides this. `max_ratio` and
    `min_ratio` bound observed / reference. `min` and `max` are fixed limits and need no reference.

    `Gate("latency", max_rise=0.05)` judges CPU time against the baseline by the stop rule of `judge.stop_rule`. It also
    brings two more gates: of the waiting (`latency_wall`) and of the change since the last anchor (`latency_creep`).
    Each has a limit of 10 % (`latency_wall` no less than this gate's), unless the suite has a gate of its name.
    `Gate("latency", max_ratio=0.9, against="fp32")` judges the ratio to the fp32 sibling, whose calls take turns with
    the cell's in one run. No wall clock is judged against a stored one.

    `Gate("class_ap", max_drop=0.1)` judges every class with at least `min_instances` objects and names the worst.

    Raises:
        ConfigError: the metric is unknown, or its limits make no sense.
    """

    metric: str  # a name in `core.metrics.METRICS`
    max_drop: float | None = None  # how far below the reference
    max_rise: float | None = None  # how far above the reference
    min_ratio: float | None = None  # lowest observed / reference
    max_ratio: float | None = None  # highest observed / reference
    min: float | None = None  # lowest value
    max: float | None = None  # highest value
    against: Against = "baseline"  # the reference; "limit" where `min` or `max` is given
    relative: bool | None = None  # whether drops and rises are shares of the reference; None: by the unit
    precisions: Sequence[str] = ()  # judge only these, as "int8" or "int8:NAME"; empty: all
    backends: Sequence[str] = ()  # judge only these; empty: all
    min_instances: int = 10  # class_ap judges classes with at least so many objects

    def __post_init__(self) -> None:
        for name in ("precisions", "backends"):
            names = getattr(self, name)
            object.__setattr__(self, name, (names,) if isinstance(names, str) else tuple(names))
        limits = {name: getattr(self, name) for name in LIMITS if getattr(self, name) is not None}
        where = f"Gate({self.metric!r})"
        if self.metric not in METRICS:
            raise ConfigError(f"{where}: unknown metric; {nearest(self.metric, METRICS)}")
        if not limits:
            raise ConfigError(f"{where} has no limit: give one of {', '.join(LIMITS)}")
        if self.against not in ("baseline", "fp32", "limit"):
            raise ConfigError(f"{where}: against={self.against!r} is not one of baseline, fp32, limit")
        for name, value in limits.items():
            if not isinstance(value, int | float) or value != value or (value < 0 and name not in ("min", "max")):
                raise ConfigError(f"{where}: {name}={value!r} is not a number ≥ 0")
        if {"min", "max"} & limits.keys():
            if limits.keys() - {"min", "max"}:
                raise ConfigError(
                    f"{where}: min/max are fixed limits; put drops, rises and ratios in a gate of their own"
                )
            object.__setattr__(self, "against", "limit")
        elif self.against == "limit":
            raise ConfigError(f"{where}: against='limit' takes min= or max=")
        if self.metric == "class_ap" and (limits.keys() != {"max_drop"} or self.relative):
            raise ConfigError(f"{where}: it takes max_drop=, in points of AP: 0.1")
        if self.metric in RELATIVE and self.against != "limit":
            raise ConfigError(f"{where}: it is held against the fp32 sibling already; give min= or max=")
        if METRICS[self.metric].phase == "latency" and self.against == "baseline":
            self._check_latency(where, limits)
        if self.metric == "latency" and self.against == "fp32" and limits.keys() - {"max_ratio", "min_ratio"}:
            raise ConfigError(f"{where}: it is a ratio already, measured in the same run; use max_ratio=")

    def _check_latency(self, where: str, limits: Mapping[str, float]) -> None:
        """Raise ConfigError where a gate of latency against the baseline is none that processes can judge."""
        if self.metric not in GATED:
            raise ConfigError(
                f"{where}: stored wall clocks and memory are shown, not gated; gate 'latency' with max_rise="
            )
        if limits.keys() != {"max_rise"} or not limits["max_rise"] or self.relative is False:
            raise ConfigError(f"{where}: against the baseline it takes max_rise= above 0, a share: 0.05 is 5 %")
        if self.metric == "latency_wall" and limits["max_rise"] < 0.1:
            raise ConfigError(f"{where}: the wall clock resolves 10 %, not {limits['max_rise']:.0%}; use 'latency'")

    def applies(self, cell: Cell) -> bool:
        """Whether this gate judges `cell`. An fp32 cell is never held against itself."""
        if cell.precision == "fp32" and (self.against == "fp32" or self.metric in RELATIVE):
            return False
        named = not self.precisions or cell.precision in self.precisions or cell.family in self.precisions
        return named and (not self.backends or cell.backend in self.backends)


LIMITS = ("max_drop", "max_rise", "min_ratio", "max_ratio", "min", "max")
"""The fields of a gate that are limits; at least one is given."""


@dataclass(frozen=True)
class Suite:
    """A matrix of cells, the data set that scores them, and the gates that judge them.

    Raises:
        ConfigError: a field makes no sense, or a gate names what the matrix does not have.
    """

    name: str  # letters, digits, "-", "_" and "."; it names a folder
    dataset: str | PathLike[str] | Sequence[str]  # a path, or names tried in order (bundled, data dir, Ultralytics)
    cells: Sequence[Cell]  # from matrix()
    gates: Sequence[Gate] = ()
    decoding: Decoding = field(default_factory=Decoding)
    operating_conf: float = 0.25  # the score from which the deployed detector reports an object
    calibration: Calibration = field(default_factory=Calibration)  # the images that static int8 is calibrated on
    threads: int = 0  # intra-op threads of the timed section; 0: all cores. Accuracy always runs on one thread
    calls: int = 100  # timed calls per cell, at least 100
    warmup: int = 3  # untimed calls before the timed calls

    def __post_init__(self) -> None:
        where = f"suite {self.name!r}"
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name) or self.name.startswith("."):
            raise ConfigError(f"{where}: a name is made of letters, digits, '-', '_' and '.' (it becomes a folder)")
        if not self.cells:
            raise ConfigError(f"{where} has an empty matrix: give matrix() at least one model, precision and backend")
        if self.calls < 100:
            raise ConfigError(f"{where}: calls={self.calls}; percentiles need at least 100 timed calls")
        if not 0 < self.operating_conf < 1:
            raise ConfigError(f"{where}: operating_conf={self.operating_conf}; a score lies between 0 and 1")
        if self.threads < 0 or self.warmup < 0:
            raise ConfigError(f"{where}: threads and warmup must be ≥ 0")
        if not isinstance(self.calibration, Calibration):
            raise ConfigError(f"{where}: calibration={self.calibration!r}; give Calibration(images=…)")
        ids = [cell.id for cell in self.cells]
        if twins := [name for name in ids if ids.count(name) > 1]:
            raise ConfigError(f"{where}: two cells are named {twins[0]}; give their weights different file names")
        present = set(self.cells)
        for gate in self.gates:
            _check_names(f"{where}: Gate({gate.metric!r})", gate, self.cells)
            for cell in self.cells:
                if gate.against == "fp32" and gate.applies(cell) and cell.sibling("fp32") not in present:
                    how = "declare Model(…, float='….pt')" if cell.precision == "ready" else "add fp32"
                    raise ConfigError(
                        f"{where}: Gate({gate.metric!r}, against='fp32') needs {cell.sibling('fp32')}; {how}"
                    )

    def fp32_of(self, cell: Cell) -> Cell | None:
        """The fp32 cell that a cell is held against; None for fp32 itself, and where the suite has none."""
        wanted = cell.sibling("fp32")
        return next((one for one in self.cells if one == wanted != cell), None)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets to look for, in this order."""
        return (str(self.dataset),) if isinstance(self.dataset, str | PathLike) else tuple(map(str, self.dataset))


def _check_names(where: str, gate: Gate, cells: Sequence[Cell]) -> None:
    """Raise ConfigError for a gate of a precision or backend that no cell has: it would judge nothing, in silence."""
    precisions = {cell.precision for cell in cells} | {cell.family for cell in cells}
    backends = {cell.backend for cell in cells}
    for axis, wanted, known in (("precision", gate.precisions, precisions), ("backend", gate.backends, backends)):
        for name in wanted:
            if name not in known:
                raise ConfigError(f"{where}: no cell of the suite has {axis} {name!r}; {nearest(name, known)}")
