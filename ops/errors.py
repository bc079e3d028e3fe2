"""What the `eventfold` command says when it can't go on."""


class CommandFailed(Exception):
    """Ends the command with a message for its user and, where one is known, what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
