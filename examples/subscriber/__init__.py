"""Who takes integration events, as others may write it: a webhook, a reader of server-sent events, one of Kafka."""
