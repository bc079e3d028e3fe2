"""How a provider misbehaves when it is told to: `PUT /sandbox/faults`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

ErrorKind = Literal["500", "503", "429", "302", "not-json", "cut-off"]
AFTER_THE_WORK = frozenset({"not-json", "cut-off"})
"""The errors that damage the answer to a request that was carried out; the others refuse it before."""

_Share = Annotated[float, Meta(ge=0, le=1)]
_Seconds = Annotated[float, Meta(ge=0, le=3600)]


class Faults(Struct, frozen=True, forbid_unknown_fields=True):
    """All off by default. A share is the part of the requests that it befalls; times are in seconds.

    - `latency`: every answer comes so much later.
    - `errors`, `error_share`, `retry_after`: answers with one of these errors; `retry_after` goes with 429 and 503.
    - `hang_share`: the work is done, the answer never comes (for `hang_for` seconds, then the connection is closed).
    - `down`: connections are closed without an answer, and no webhook is sent.
    - `webhook_delay`, `webhook_duplicates`, `webhook_shuffled`, `webhook_early` (before the answer to the request that
      caused it), `webhook_lost_share`: what befalls webhooks.
    """

    latency: _Seconds = 0
    errors: list[ErrorKind] = []
    error_share: _Share = 1
    retry_after: Annotated[int, Meta(ge=0, le=3600)] = 1
    hang_share: _Share = 0
    hang_for: _Seconds = 30
    down: bool = False
    webhook_delay: _Seconds = 0
    webhook_duplicates: Annotated[int, Meta(ge=0, le=10)] = 0
    webhook_shuffled: bool = False
    webhook_early: bool = False
    webhook_lost_share: _Share = 0
