"""The errors that quantgate raises: one base class with four kinds below it. Every message is one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import ClassVar, Literal

from harness.core.words import printable


class QuantgateError(Exception):
    """The base of all errors of quantgate. The message is one line: what is wrong, where, and what to do next.

    A command prints the message and ends with `exit_code`. In a run the error costs one cell, which gets `status` and
    the message as its reason.
    """

    exit_code: ClassVar[int] = 3
    status: ClassVar[Literal["error", "unavailable"]] = "error"

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message)))


class ConfigError(QuantgateError, ValueError):
    """The user's input is wrong: a name, an option, a suite file, or a file that it names."""

    exit_code = 2


class Unavailable(QuantgateError, RuntimeError):
    """This machine cannot run the cell: a package, a device or data are absent. The message says what would help."""

    status = "unavailable"


class Unsupported(Unavailable):
    """Nothing to install makes the cell run: the runtime lacks the precision, or the processor lacks instructions."""


class CellError(QuantgateError, RuntimeError):
    """A cell failed while it ran: its child process crashed, exceeded its time limit, or reported a failure."""


KINDS: dict[str, type[QuantgateError]] = {
    kind.__name__: kind for kind in (ConfigError, Unavailable, Unsupported, CellError)
}
"""The kinds of error by class name: a child process sends the name to its parent."""


def kind_of(error: QuantgateError) -> str:
    """The name in `KINDS` of what an error is: its own class, or the nearest base class that the parent knows too.

    The backend of another package may raise its own subclass, which only the child has imported. An error that is of
    none of the kinds is a `CellError`.
    """
    names = (kind.__name__ for kind in type(error).__mro__ if KINDS.get(kind.__name__) is kind)
    return next(names, CellError.__name__)


PLACE = re.compile(r"Exception from |Check '.*' failed at |Model wasn't fully converted|.*:$")
"""Lines of an error that say where in OpenVINO it was raised, or that only announce the next line."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt `word`: the most similar of the `known` words, or all of them where none is similar."""
    options = {option.lower(): option for option in sorted(known)}
    close = difflib.get_close_matches(word.lower(), options, n=1, cutoff=0.5)
    return f"did you mean {options[close[0]]!r}?" if close else f"known: {', '.join(options.values())}"


def first_line(error: BaseException) -> str:
    """The first telling line of a library's error, at most 300 characters; the error's class where it has no text.

    OpenVINO's errors begin with lines that only name places in its source; such lines are passed over.
    """
    return headline(str(error)) or type(error).__name__


def headline(text: str) -> str:
    """The first telling line of a text, as `first_line` chooses it; empty where the text has none."""
    lines = [line.strip(" -") for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not PLACE.match(line)] or lines
    return telling[0][:300] if telling else ""
