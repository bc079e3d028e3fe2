"""One read of the log for any number of views: each event is decoded once."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from infrastructure.event_codec import EventCodec
from ops.views.verification.ports import EventSource
from ops.views.verification.refold import Refold
from ops.views.verification.retrying_log import read_with_retries

_EVENTS_PER_REPORT = 500


async def read_log(
    log: EventSource, codec: EventCodec, refolds: Sequence[Refold], report: Callable[[float], None]
) -> None:
    """Has every event taken by the refolds that it concerns, up to where the last of them ends. `report` is called with
    how far it is, 0 to 1.

    Raises EventStoreUnavailable, KeyStoreUnavailable and NoRoom.
    """
    by_type: dict[type[Struct], list[Refold]] = {}
    for refold in refolds:
        for event_type in refold.view.followed:
            by_type.setdefault(event_type, []).append(refold)
    until = max((refold.until for refold in refolds), default=-1)
    taken = 0
    async for stored in read_with_retries(log, until):
        if codec.is_ours(stored):
            decode = await codec.decoder((stored,))
            try:
                recorded = decode(stored)
            except Exception as error:  # an upcaster may fail in any way on data that was never valid
                for refold in refolds:
                    refold.unreadable(stored, error)
            else:
                for refold in by_type.get(type(recorded.event), ()):
                    refold.take(stored, recorded)
        taken += 1
        if taken % _EVENTS_PER_REPORT == 0:
            report(stored.position / max(1, until))
            await asyncio.sleep(0)
