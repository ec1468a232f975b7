"""Everything that opens a session and says what it saw."""
