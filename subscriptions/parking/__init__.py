"""Events that can't be handled: set aside with all later events of the same key, in order, or left out for good."""
