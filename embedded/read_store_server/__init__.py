"""nx-27017 with a fast path for what the projector and the queries ask most (docs/decisions/0003)."""
