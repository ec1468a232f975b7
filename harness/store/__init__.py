"""Measurements on disk: the records of a run, its results.json, baselines, and the history of all runs."""
