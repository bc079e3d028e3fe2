"""Which process does what: heartbeats, leases, and how the work is divided."""
