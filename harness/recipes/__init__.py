"""How a precision is made for a backend: one file per toolchain.

`base.py` says what a recipe is, `registry.py` finds the recipe of a cell. The author of a backend imports from here.
"""

from harness.recipes.base import BuildInputs, Recipe

__all__ = ["BuildInputs", "Recipe"]
