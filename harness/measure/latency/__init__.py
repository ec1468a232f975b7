"""Two clocks: the wall clock that is reported, and CPU time in pairs that is gated."""
