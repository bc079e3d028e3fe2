"""Evidence that the log is as it was written: chained streams, a tree over the log, signed checkpoints, proofs."""
