"""Why a token is not taken."""


class InvalidToken(Exception):
    """The message says what is wrong with it in plain ASCII, and repeats nothing that it holds but times."""


class KeysUnavailable(Exception):
    """No token can be checked now: there are no keys yet. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
