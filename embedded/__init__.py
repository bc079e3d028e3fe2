"""Stand-ins for one machine: the event store node, the read store's launcher, the supervisor."""
