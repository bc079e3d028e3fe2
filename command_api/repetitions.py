"""Whether a command was carried out before: by its id, or by its key from before keys had senders."""

from datetime import datetime

from prometheus_client import Counter

from command_api.aggregates import CommandResult, LoadedAggregate
from command_api.requests import CommandRequest
from infrastructure.event_codec import decode_metadata
from infrastructure.event_store import NewEvent, StoredEvent
from infrastructure.security.identity import ANYBODY

REPEATED = Counter(
    "eventfold_commands_repeated_total", "Commands that had been carried out before, and were answered with that result"
)

# In seconds; a repetition that comes sooner may go uncounted.
_LONGER_THAN_AN_APPEND = 1.0


class KeyReused(Exception):
    """The sender has used the Idempotency-Key for another command on the same aggregate."""


def earlier_result(loaded: LoadedAggregate, request: CommandRequest) -> CommandResult | None:
    """Also of a command without a key: its own append may have succeeded although the answer to it was lost.

    Raises KeyReused.
    """
    result = loaded.results.get(request.command_id)
    if result is not None and result.command_hash != request.command_hash:
        raise _key_reused(request)
    return result or unscoped_result(loaded, request)


def unscoped_result(loaded: LoadedAggregate, request: CommandRequest) -> CommandResult | None:
    """That of the same command under the same key, from before keys had senders: if nobody was named then, or the same
    one. Another command under a key of nobody named says nothing, because it can have been anybody's.

    Raises KeyReused when it was another command of the same one.
    """
    result = loaded.results.get(request.unscoped_key) if request.unscoped_key else None
    if result is None or result.actor not in ("", ANYBODY.subject, request.actor):
        return None
    if result.command_hash == request.command_hash:
        return result
    if result.actor == request.actor:
        raise _key_reused(request)
    return None


def _key_reused(request: CommandRequest) -> KeyReused:
    key = request.unscoped_key or request.command_id
    return KeyReused(f"Idempotency-Key {key} was used before with another command")


def is_of_earlier_run(found: StoredEvent, sent: NewEvent, correlation_id: str, now: datetime) -> bool:
    """Whether the event that stands in the stream was not written just now, as far as that can be told: the store does
    not say whether it has written an event or recognised it."""
    is_old = now.timestamp() - found.recorded_at / 1000 > _LONGER_THAN_AN_APPEND
    return is_old or found.data != sent.data or decode_metadata(found).correlation_id != correlation_id
