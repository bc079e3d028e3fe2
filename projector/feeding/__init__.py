"""From the log to the read store: subscriptions, the projections that they feed, checkpoints."""
