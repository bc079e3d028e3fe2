"""One process's part of the work: what falls to it, started and stopped as that changes."""
