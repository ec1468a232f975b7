"""The frozen data that travels through a run. Its modules import no other wing of quantgate."""
