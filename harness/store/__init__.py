"""Measurements on disk: records of a run, results, baselines, history."""
