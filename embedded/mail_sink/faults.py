"""What a sink can be told to do wrong."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Fault = Literal[
    "none",
    "hang",
    "hang-after-data",
    "busy",
    "busy-after-data",
    "refuse",
    "refuse-after-data",
    "drop",
    "drop-after-data",
    "closing",
]
"""hang: greets, then says no more. busy: a 4xx. refuse: a 5xx. drop: breaks the connection. closing: 421 to all.

Without "-after-data" it is done when the recipient is named (hang, closing: at the client's first command), and the
mail is not taken. With it, `hang-after-data` and `drop-after-data` take the mail first, so that the client can't know.
"""


class Faults(Struct, frozen=True, forbid_unknown_fields=True):
    """The fault that is on. `recipient` limits one that concerns a mail to addresses that contain it; `latency` is how
    many seconds every command waits first."""

    fault: Fault = "none"
    recipient: str = ""
    latency: Annotated[float, Meta(ge=0, le=3600)] = 0.0
