"""How a precision is made for a backend: one module per toolchain.

`base.py` says what a recipe is, `registry.py` finds the recipe of a cell. A backend of another package imports `Recipe`
and `BuildInputs` from here (docs/backends.md).
"""

from harness.recipes.base import BuildInputs, Recipe

__all__ = ["BuildInputs", "Recipe"]
