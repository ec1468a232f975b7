"""The pytest plugin: its hooks and options, the state of a pytest process, and the tests that a suite becomes."""
