"""An explanation as rich tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table

from harness.measure.explain.explain import Explanation, Lost
from harness.measure.explain.tide import TYPES
from harness.report.common.tables import NONE
from harness.report.common.wording import WORDS, _value, explanation_line


def render_explanation(explained: Explanation) -> Iterator[RenderableType]:
    """Verdict first, then the tables, the empty ones left out."""
    yield explanation_line(explained)
    yield _stages(explained)
    yield from (f"{stage.name}: {stage.skipped}" for stage in explained.stages if stage.skipped)
    yield _errors(explained)
    if explained.classes:
        classes = [(*_lost(one, ".3f"), _signed(one.after - one.before)) for one in explained.classes]
        yield _table("classes that lost most", ("class", "AP fp32", "AP cell", "change"), classes)
    if explained.pictures:
        pictures = [_lost(one, ".0f") for one in explained.pictures]
        yield _table("images that lost most", ("image", "detections of fp32", "survive"), pictures)
    if explained.layers:
        rows = [(one.name, _value(one.snr_db, ".1f"), f"{one.own_noise:.2%}") for one in explained.layers]
        yield _table("layers by the noise they add: keep the first in float", ("layer", "SNR dB", "own noise"), rows)
    else:
        yield f"no layers: {explained.no_layers}"


def _stages(explained: Explanation) -> Table:
    known = {stage.name: stage for stage in explained.stages}
    rows = []
    for stage in explained.stages:
        before = known.get(stage.against)
        change = NONE
        if before and before.map is not None and stage.map is not None:
            change = _signed(stage.map - before.map)
        numbers = (_value(stage.map), change, _value(stage.agreement), _value(stage.score_shift, "+.4f"))
        rows.append((WORDS[stage.name], *numbers))
    return _table("stages", ("pipeline", "mAP", "change", "agreement", "score shift"), rows)


def _errors(explained: Explanation) -> Table:
    before, after = explained.before, explained.after
    rows = [
        (kind, str(before.counts[kind]), str(after.counts[kind]), _value(before.cost[kind]), _value(after.cost[kind]))
        for kind in TYPES
    ]
    columns = ("error", "fp32", "cell", "costs fp32 AP 50", "costs cell AP 50")
    return _table("kinds of error of the boxes, in the manner of TIDE", columns, rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, name in enumerate(columns):
        drawn.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(*row)
    return drawn


def _lost(one: Lost, form: str) -> tuple[str, str, str]:
    return one.name, format(one.before, form), format(one.after, form)


def _signed(number: float) -> str:
    return f"{number:+.4f}".replace("-", "−")
