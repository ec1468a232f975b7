"""What can go wrong, as one kind of error with four kinds below it. Every message is one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import ClassVar, Literal


class QuantgateError(Exception):
    """What quantgate raises. The message is one line: what is wrong, where, and what to do next.

    A command prints the line and ends with `exit_code`. In a run it costs one cell, which gets `status` and the line.
    """

    exit_code: ClassVar[int] = 3
    status: ClassVar[Literal["error", "unavailable"]] = "error"


class ConfigError(QuantgateError, ValueError):
    """The user's input is wrong."""

    exit_code = 2


class Unavailable(QuantgateError, RuntimeError):
    """This machine cannot run it: a package, a device or data are absent. The message says what would change that."""

    status = "unavailable"


class Unsupported(Unavailable):
    """Nothing to install would change it: the runtime has no such precision, or this processor lacks instructions."""


class CellError(QuantgateError, RuntimeError):
    """A cell was to run and did not: its child crashed, hung past its limit, or reported a failure."""


KINDS: dict[str, type[QuantgateError]] = {
    kind.__name__: kind for kind in (ConfigError, Unavailable, Unsupported, CellError)
}
"""The kinds of error by name: how a child process tells its parent which one it met."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt `word`: the nearest of `known`, or all of them when none is near."""
    options = {option.lower(): option for option in sorted(known)}
    close = difflib.get_close_matches(word.lower(), options, n=1, cutoff=0.5)
    return f"did you mean {options[close[0]]!r}?" if close else f"known: {', '.join(options.values())}"


def first_line(error: BaseException) -> str:
    """What a library said, for the end of a one-line message; its class where it said nothing.

    OpenVINO begins with the places in its source from where it says it.
    """
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not PLACE.match(line)] or lines
    return telling[0][:300] if telling else type(error).__name__


PLACE = re.compile(r"Exception from |Check '.*' failed at |Model wasn't fully converted|.*:$")
