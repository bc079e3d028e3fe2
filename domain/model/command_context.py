"""What a decision needs to know besides the command and the state; it is passed in, so that rules stay pure."""

from datetime import datetime

from msgspec import Struct


class CommandContext(Struct, frozen=True):
    """Which aggregate a command is for and when it was received (aware, UTC)."""

    aggregate_id: str
    at: datetime
