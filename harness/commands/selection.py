"""Cells chosen by an expression over the words of their ids, as pytest's `-k` chooses tests."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.core.errors import ConfigError

OPERATORS = ("and", "or", "not", "(", ")")


def selector(expression: str) -> Callable[[str], bool]:
    """A function that says whether an expression such as `int8 and not (torch or litert)` chooses a name.

    A word is true where the name contains it, in upper or lower case. An empty expression chooses every name.

    Raises:
        ConfigError: `expression` cannot be parsed.
    """
    words = re.findall(r"[()]|[^\s()]+", expression)

    def chosen(name: str) -> bool:
        if not words:
            return True
        logic = [word if word in OPERATORS else str(word.lower() in name.lower()) for word in words]
        return bool(eval(" ".join(logic), {"__builtins__": {}}))  # nothing but True, False and OPERATORS

    try:
        chosen("")
    except (SyntaxError, TypeError):
        raise ConfigError(
            f"-k {expression!r} is no expression; for example: 'int8 and not (torch or litert)'"
        ) from None
    return chosen
