"""Words that messages of every wing are made of."""

from __future__ import annotations

import re

SURROGATE = re.compile("[\udc80-\udcff]")
"""Stands in Python for a byte of a file name that is not UTF-8."""


def printable(text: str) -> str:
    """The text with `\\xe9` for each byte of a file name that is not UTF-8, so that it can be written anywhere."""
    escaped = SURROGATE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)
    return escaped.encode("utf-8", "backslashreplace").decode()


def is_whole(text: str) -> bool:
    """Whether a text is a whole number from 0 in ASCII digits, which `int` reads."""
    return text.isascii() and text.isdigit()


def counted(count: int, noun: str) -> str:
    """A count of things: `1 cell`, `2 cells`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
