"""One process's part of the work: its partitions, and the followers started and stopped as these change."""
