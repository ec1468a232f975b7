"""The machine a cell runs on: what it is, what disturbs it, and the processes and locks on it."""
