"""Verdicts: a measurement is held against a baseline, its fp32 sibling or a limit. Pure; it imports `core` alone."""
