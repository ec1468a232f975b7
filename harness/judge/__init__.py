"""A measurement and what it is held against become a verdict. Pure: it imports `core` alone."""
