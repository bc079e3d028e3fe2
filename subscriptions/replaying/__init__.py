"""Dead letters handled again, by the processes that have their partitions."""
