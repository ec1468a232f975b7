"""The pytest plugin: hooks, options, the state of a process, and the tests of a suite."""
