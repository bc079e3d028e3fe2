"""Why the engine, or one view of it, stops."""


class ViewBroken(Exception):
    """The fault is the view's, not one event's: the view is stopped, the others go on."""


class Stopping(Exception):
    """The service is asked to stop while it waits for a store; the batch at hand is left to the next start."""
