"""The machine that a cell runs on: what it is, what disturbs timing on it, its energy, and its processes and locks."""
