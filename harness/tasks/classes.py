"""Matches the classes of a model with the categories of a data set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GENERATED = re.compile(r"class[ _-]?(\d+)|(\d+)", re.IGNORECASE)
"""A name that tools make up where classes have none: class_3, class3 or 3."""


@dataclass(frozen=True)
class Matched:
    """Which class of a model is which category of a data set."""

    categories: Mapping[int, int]  # class number of the model → category id; classes without a partner are absent
    note: str = ""  # where they were matched by something else than their names


def match_classes(categories: Mapping[int, str], names: Sequence[str]) -> Matched:
    """Match the class names of a model, in the order of its outputs, with the categories of a data set: id → name.

    Case and surrounding spaces do not matter where they distinguish nothing. Where both sides have the same list, it is
    matched by number, so that names may repeat. So is a single class on either side, whatever the names, and where one
    side has as many names made up by a tool (class_0, class_1, …) as the other has classes.
    """
    ids = sorted(categories)
    ours, theirs = [_plain(categories[number]) for number in ids], [_plain(name) for name in names]
    by_number = dict(enumerate(ids))
    if ours == theirs or [name.lower() for name in ours] == [name.lower() for name in theirs]:
        return Matched(by_number)
    found = _by_name(dict(zip(ids, ours, strict=True)), theirs)
    if found or len(ours) != len(theirs):
        return Matched(found)
    if len(ours) == 1:
        return Matched(by_number, f"the one class of the model, {theirs[0]!r}, was matched with {ours[0]!r}")
    if _generated(ours) or _generated(theirs):
        why = "since one side has no names of its own"
        return Matched(by_number, f"the classes were matched by number ({theirs[0]!r} with {ours[0]!r}, …), {why}")
    return Matched({})


def _by_name(categories: Mapping[int, str], names: Sequence[str]) -> dict[int, int]:
    """Class number → category id: first where the names are equal, then among the rest regardless of case."""
    found: dict[int, int] = {}
    for key in (str, str.lower):
        ours = _unique({number: key(name) for number, name in categories.items() if number not in found.values()})
        theirs = _unique({index: key(name) for index, name in enumerate(names) if index not in found})
        found |= {theirs[name]: number for name, number in ours.items() if name in theirs}
    return dict(sorted(found.items()))


def _unique(names: Mapping[int, str]) -> dict[str, int]:
    """Name → its number, without the names that two numbers have."""
    often = Counter(names.values())
    return {name: number for number, name in names.items() if often[name] == 1}


def _generated(names: Sequence[str]) -> bool:
    """Whether each name is only the number of its class."""
    numbers = [GENERATED.fullmatch(name) for name in names]
    return all(found and int(found[1] or found[2]) == index for index, found in enumerate(numbers))


def _plain(name: str) -> str:
    return str(name).strip()
