"""How a precision is made for a backend: one file per toolchain."""
