"""uvicorn's HTTP protocol with bounds on what a client may send, and on how slowly it may send and read."""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from infrastructure.http.connections.connections import Connections
from infrastructure.http.connections.incoming import Incoming, Reading
from infrastructure.http.connections.metrics import REFUSED, TIMED_OUT
from infrastructure.http.connections.refusals import Refusal, TooManyPipelined, busy, malformed
from infrastructure.http.connections.transport import WatchedTransport

_MOST_PIPELINED = 32
_UNREAD_BYTES = 2**20  # of a body that the response did not wait for

# A connection that ends is read for a little longer: closed with unread bytes it would be reset, and the client might
# never see the response.
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 * 2**20


class BoundedProtocol(HttpToolsProtocol):
    """One connection, within the limits of `connections`.

    Deadlines are held by looks at the clock, not by a timer each: a request that comes in one piece costs none.
    """

    def __init__(self, *, bounds: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._bounds = bounds
        self._incoming = Incoming(bounds.limits, self.loop.time())
        self._has_brought_one = False
        self._takes_more = True
        self._refused: Refusal | None = None
        self._looked_at = self.loop.time()
        self._ending_since: float | None = None
        self._discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._watched = WatchedTransport(transport, self._close)
        super().connection_made(self._watched)
        self._admitted = self._bounds.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._bounds.release(self)
        self._takes_more = False
        self._incoming.end()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._responding:
            super().shutdown()
        else:
            self._watched.flush_and_close()

    @property
    def _responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # What comes in.

    def data_received(self, data: bytes) -> None:
        if not self._takes_more:
            self._discard(data)
            return
        self._unset_keepalive_if_required()
        incoming = self._incoming
        if incoming.reading is Reading.NOTHING:
            self._begin_head()
        incoming.feed(len(data))
        if incoming.reading is Reading.BODY and not self._responding and incoming.body_fed > _UNREAD_BYTES:
            self._watched.close()
            return
        try:
            self.parser.feed_data(data)
            incoming.check()
        except httptools.HttpParserUpgrade:
            pass  # no protocol but HTTP/1.1 is spoken here: the request is answered as if it had not asked
        except httptools.HttpParserCallbackError as error:
            self._parsing_failed(error.__context__)
        except httptools.HttpParserError:
            self._refuse(malformed())
        except Refusal as refusal:
            self._refuse(refusal)

    def _begin_head(self) -> None:
        if self._has_brought_one:
            self._incoming.begin_head(self.loop.time())
        else:
            self._incoming.begin_first_head()

    def _parsing_failed(self, cause: BaseException | None) -> None:
        """Something that the parser called back raised this."""
        if isinstance(cause, TooManyPipelined):
            REFUSED.labels("pipelining").inc()
            self._takes_more = self.cycle.keep_alive = False
        else:
            self._refuse(cause if isinstance(cause, Refusal) else malformed())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._incoming.reading is Reading.NOTHING:  # one more request in the same piece
            self._incoming.begin_head(self.loop.time())

    def on_url(self, url: bytes) -> None:
        self._incoming.add_url(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._incoming.reading is Reading.BODY:
            return  # a trailer: it must not pass for a header; what it may be large is bounded as framing
        self._incoming.add_header(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._admitted and self.url.partition(b"?")[0] not in self._bounds.always_served:
            raise busy()
        if len(self.pipeline) == _MOST_PIPELINED:
            raise TooManyPipelined
        super().on_headers_complete()
        self._has_brought_one = True
        self._bounds.at_work(self)
        self._incoming.begin_body(self.loop.time())
        if not self._admitted:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._incoming.add_body(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._incoming.end()
        super().on_message_complete()
        if not self._responding and not self._watched.is_closing():
            # The response did not wait for the body; only now does the connection wait for the next request.
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()  # nothing more is read before what has come is answered
        if self._responding or self._watched.is_closing():
            return
        self._bounds.idle(self)
        if self._refused is not None:
            self._send_refusal(self._refused)

    # What ends it.

    def look_at_clock(self, now: float, late: float) -> None:
        passed, self._looked_at = now - self._looked_at, now
        self._incoming.stop_clock(late)
        self._watched.stop_clock(late)
        if self._watched.is_stalled(now, self._bounds.limits.write_timeout):
            TIMED_OUT.labels("write").inc()
            self._watched.abort()
        elif self._ending_since is not None:
            self._look_at_end(now)
        elif self._incoming.reading is Reading.NOTHING:
            if not self._has_brought_one and self._incoming.is_overdue(now):
                TIMED_OUT.labels("silent").inc()
                self._watched.flush_and_close()
        elif self.flow.read_paused or (self._responding and self._incoming.reading is Reading.HEAD):
            self._incoming.stop_clock(passed - late)  # the wait is ours
        elif slowness := self._incoming.slowness(now):
            TIMED_OUT.labels(slowness.reason).inc()
            self._end_with(slowness)

    def _look_at_end(self, now: float) -> None:
        if self._watched.unsent or self._ending_since is None:
            self._ending_since = now
        elif now - self._ending_since > _LINGER_SECONDS:
            self._watched.abort()

    def timeout_keep_alive_handler(self) -> None:
        TIMED_OUT.labels("idle").inc()
        self._watched.flush_and_close()

    def give_way(self) -> None:
        if self._incoming.reading is Reading.HEAD and not self._responding and self._ending_since is None:
            self._watched.write(busy().message())
        if self._watched.unsent:
            self._watched.abort()
        else:
            self._watched.flush_and_close()

    def _refuse(self, refusal: Refusal) -> None:
        REFUSED.labels(refusal.reason).inc()
        self._end_with(refusal)

    def _end_with(self, refusal: Refusal) -> None:
        """Nothing more is taken; the refusal is the last response, in its place behind those under way."""
        self._takes_more = False
        if self._incoming.reading is Reading.BODY:
            self._give_request_up(refusal)
        elif self._responding:
            self._refused = refusal
        else:
            self._send_refusal(refusal)

    def _give_request_up(self, refusal: Refusal) -> None:
        """The request whose body does not come in is not carried out, as if the client were gone."""
        if not self._responding:
            self._watched.flush_and_close()  # it has had its response
        elif self.pipeline or self.cycle.response_started:
            self._watched.abort()
        else:
            self.cycle.disconnected = self.cycle.response_complete = True
            self.cycle.message_event.set()
            self._send_refusal(refusal)

    def _send_refusal(self, refusal: Refusal) -> None:
        self._watched.write(refusal.message())
        self._linger()

    def _close(self) -> None:
        """uvicorn wants the connection closed: the last response is written."""
        if self._incoming.reading is Reading.NOTHING:
            self._watched.flush_and_close()
        else:
            self._linger()

    def _linger(self) -> None:
        self._takes_more, self._ending_since, self._discarded = False, self.loop.time(), 0
        self._bounds.ending(self)
        self.flow.resume_reading()
        self._watched.end_output()

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > _LINGER_BYTES:
            self._watched.abort()
