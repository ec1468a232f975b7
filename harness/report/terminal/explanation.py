"""Where the accuracy of a cell went, as sentences and tables of rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table

from harness.measure.explain.explain import Explanation, Lost
from harness.measure.explain.tide import TYPES
from harness.report.common.numbers import NONE, number
from harness.report.common.wording import STAGE_NAMES, explanation_line


def render_explanation(explained: Explanation) -> Iterator[RenderableType]:
    """The answer in one line, then the tables that it rests on. A table without rows is left out."""
    yield explanation_line(explained)
    yield _stages(explained)
    yield from (f"{stage.name}: {stage.skipped}" for stage in explained.stages if stage.skipped)
    yield _errors(explained)
    if explained.classes:
        classes = [(*_lost(one, ".3f"), _change(one.after - one.before)) for one in explained.classes]
        yield _table("classes that lost most", ("class", "AP fp32", "AP cell", "change"), classes)
    if explained.pictures:
        pictures = [_lost(one, ".0f") for one in explained.pictures]
        yield _table("images that lost most", ("image", "detections of fp32", "survive"), pictures)
    if explained.layers:
        rows = [(one.name, number(one.snr_db, ".1f"), number(one.own_noise, ".2%")) for one in explained.layers]
        yield _table("layers by the noise they add: keep the first in float", ("layer", "SNR dB", "own noise"), rows)
    else:
        yield f"no layers: {explained.no_layers}"


def _stages(explained: Explanation) -> Table:
    """A row for each stage: its numbers, and the change of mAP since the stage that it is compared with."""
    known = {stage.name: stage for stage in explained.stages}
    rows = []
    for stage in explained.stages:
        before = known.get(stage.against)
        change = NONE
        if before and before.map is not None and stage.map is not None:
            change = _change(stage.map - before.map)
        numbers = (number(stage.map, ".4f"), change, number(stage.agreement, ".4f"), _change(stage.score_shift))
        rows.append((STAGE_NAMES[stage.name], *numbers))
    return _table("stages", ("pipeline", "mAP", "change", "agreement", "score shift"), rows)


def _errors(explained: Explanation) -> Table:
    """A row for each kind of error: how many there are on both sides, and how much AP 50 they cost."""
    before, after = explained.before, explained.after
    rows = [
        (
            kind,
            str(before.counts[kind]),
            str(after.counts[kind]),
            number(before.cost[kind], ".4f"),
            number(after.cost[kind], ".4f"),
        )
        for kind in TYPES
    ]
    columns = ("error", "fp32", "cell", "costs fp32 AP 50", "costs cell AP 50")
    return _table("kinds of error of the boxes, in the manner of TIDE", columns, rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for position, name in enumerate(columns):
        drawn.add_column(name, justify="right" if position else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(*row)
    return drawn


def _lost(one: Lost, form: str) -> tuple[str, str, str]:
    """A class or an image, and its number on both sides."""
    return one.name, number(one.before, form), number(one.after, form)


def _change(value: float | None) -> str:
    """A change since the stage before; 0 is a change too, and keeps its sign."""
    return number(value, "+.4f", zero_sign=True)
