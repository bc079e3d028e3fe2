"""nx-27017, made faster from outside for what the projector and the queries ask most (docs/decisions/0003)."""
