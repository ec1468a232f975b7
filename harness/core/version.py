"""The version of quantgate."""

__version__ = "0.2.0"
