"""How far a projection has come, and what it took."""


class Progress:
    """
    `position` is how far in the log a projection has come, `checkpoint` how much of that it would remember after a
    crash. `events_processed` counts since the last start, `busy_seconds` since the node's.
    """

    def __init__(self, position: int) -> None:
        self.position = self.checkpoint = position
        self.events_processed = 0
        self.unsaved_events = 0
        self.busy_seconds = 0.0

    def go_back_to_checkpoint(self) -> None:
        """The projection starts: what it did beyond the checkpoint is forgotten."""
        self.position = self.checkpoint
        self.events_processed = self.unsaved_events = 0

    def go_back_to_beginning(self) -> None:
        """The projection is reset."""
        self.position = self.checkpoint = 0
