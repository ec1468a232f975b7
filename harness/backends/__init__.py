"""One file per runtime. `base.py` says what a backend is, `registry.py` finds it by name."""
