"""The version of quantgate."""

__version__ = "0.1.0"
