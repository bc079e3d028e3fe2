"""Why following the log stops, for one consumer or for the process."""


class ConsumerBroken(Exception):
    """The fault is the consumer's, not one event's: the consumer is stopped, the others continue."""


class Stopping(Exception):
    """The service is asked to stop while it waits for a store; the current batch is done again at the next start."""
