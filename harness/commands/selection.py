"""Cells chosen by an expression over their ids, as pytest's `-k` chooses tests."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.core.errors import ConfigError

OPERATORS = ("and", "or", "not", "(", ")")


def selector(expression: str) -> Callable[[str], bool]:
    """`int8 and not (torch or litert)` → whether a name contains these words; an empty one chooses every name.

    Raises:
        ConfigError: it is no expression.
    """
    words = re.findall(r"[()]|[^\s()]+", expression)

    def chosen(name: str) -> bool:
        if not words:
            return True
        said = [word if word in OPERATORS else str(word.lower() in name.lower()) for word in words]
        return bool(eval(" ".join(said), {"__builtins__": {}}))  # nothing but True, False and OPERATORS

    try:
        chosen("")
    except (SyntaxError, TypeError):
        raise ConfigError(
            f"-k {expression!r} is no expression; for example: 'int8 and not (torch or litert)'"
        ) from None
    return chosen
