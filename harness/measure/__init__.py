"""Everything that opens a session, and says what it has seen: accuracy, latency, and where accuracy was lost."""
