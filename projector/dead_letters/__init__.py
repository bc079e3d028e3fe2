"""Events that can't be folded: set aside, shown, replayed in order, or left out for good."""
