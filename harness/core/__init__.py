"""The frozen data that travels through a run. It imports nothing else of quantgate."""
