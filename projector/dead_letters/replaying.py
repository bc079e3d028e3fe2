"""One process's part of a request: every key replayed that it folds, one after another, between two batches."""

import structlog

from infrastructure.event_codec import EventCodec
from projector.dead_letters.replay import Replay, Replayed
from projector.dead_letters.requests import KeyAnswer, ReplayRequest
from projector.errors import Stopping
from projector.feeding.projection import Projection
from projector.ports import EventLog

log = structlog.get_logger(__name__)


async def replay_all(
    projection: Projection, event_log: EventLog, codec: EventCodec, request: ReplayRequest
) -> tuple[list[KeyAnswer], str | None]:
    """What came of each key, and why there was no more if something got in the way. Raises Stopping."""
    if projection.broken is not None:
        return [], f"the view is stopped: {projection.broken}"
    keys: list[KeyAnswer] = []
    async with projection.gate:
        replay = Replay(projection, event_log, codec)
        try:
            for key in projection.share.of(tuple(request.documents)):
                keys.append(_answer("document", key, await replay.document(key)))
            for stream in request.streams:
                keys.append(_answer("stream", stream, await replay.stream(stream)))
        except Stopping:
            raise
        except Exception as error:
            log.exception("a replay failed", view=request.view)
            return keys, f"{type(error).__name__}: {error}"
    return keys, None


def _answer(kind: str, key: str, replayed: Replayed) -> KeyAnswer:
    return KeyAnswer(kind, key, replayed.events, replayed.upto, replayed.error)
