"""From the log to a consumer: subscriptions, inboxes, batches, checkpoints."""
