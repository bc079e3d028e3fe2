"""The consumer that publishes integration events: to each destination on its own, at least once, in order a key."""
