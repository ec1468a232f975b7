"""Two clocks: the wall clock, which is reported, and CPU time in pairs, which is gated."""
