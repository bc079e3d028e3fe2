"""What every way of delivering integration events has in common."""


class EventRefused(Exception):
    """The destination will never take this event; the message says what it answered."""
