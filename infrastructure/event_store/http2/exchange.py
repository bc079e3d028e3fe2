"""One server-streaming gRPC call over one HTTP/2 connection of its own, as bytes in and bytes out: no I/O here.

DATA frames, which are nearly all that comes, are taken apart here; h2 does the rest (see frames.py).
"""

from contextlib import suppress

from grpc import StatusCode
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, ResponseReceived, StreamReset, TrailersReceived
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from infrastructure.event_store.http2 import frames, status
from infrastructure.event_store.http2.frames import ProtocolBroken
from infrastructure.event_store.http2.framing import MessageSplitter, MessageTooLarge, prefixed
from infrastructure.event_store.http2.status import CallFailed, Headers
from infrastructure.event_store.http2.window import WINDOW_BYTES, ReceiveWindow

_STREAM = 1  # the first that a client may open, and the only one here
_DEFAULT_WINDOW = 65_535
_MAX_HEADER_BYTES = 64 * 1024
_PING = b"eventfol"  # any eight bytes


class Exchange:
    """A call from its request to its end.

    `is_over` says that nothing more will come; `failure` is then why, None for the status OK. Messages that were
    complete before a failure stay valid.
    """

    def __init__(self, headers: Headers, request: bytes, window: int = WINDOW_BYTES) -> None:
        self.is_over = False
        self.failure: CallFailed | None = None
        self._splitter = MessageSplitter()
        self._window = ReceiveWindow(window)
        self._rest = b""  # the beginning of a frame
        self._in_header_block = False
        self._response_begun = False
        self._updates = b""
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: window,
                SettingCodes.MAX_HEADER_LIST_SIZE: _MAX_HEADER_BYTES,
            },
        )
        self._h2.initiate_connection()
        if window > _DEFAULT_WINDOW:
            self._h2.increment_flow_control_window(window - _DEFAULT_WINDOW)
        self._h2.send_headers(_STREAM, headers)
        self._h2.send_data(_STREAM, prefixed(request), end_stream=True)

    @property
    def has_messages(self) -> bool:
        """Whether there is a complete message to take."""
        return bool(self._splitter.messages)

    def take(self) -> list[bytes]:
        """All complete messages, in order; the server may send as much again."""
        messages, self._splitter.messages = self._splitter.messages, []
        increment = self._window.give_back()
        if increment:
            # Not through h2: it has not seen the DATA frames, so its own count would run over.
            self._updates += frames.window_update(0, increment) + frames.window_update(_STREAM, increment)
        return messages

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        outgoing, self._updates = self._h2.data_to_send() + self._updates, b""
        return outgoing

    def ping(self) -> None:
        """Asks the server to show that it is alive."""
        if not self.is_over:
            self._h2.ping(_PING)

    def cancel(self) -> None:
        """Tells the server to stop sending."""
        if not self.is_over:
            self._h2.reset_stream(_STREAM, ErrorCodes.CANCEL)
            self._h2.close_connection()
            self._end(CallFailed(StatusCode.CANCELLED, "cancelled here"))

    def lost(self, why: str) -> None:
        """The connection is gone."""
        if not self.is_over:
            self._end(status.unavailable(why))

    def receive(self, data: bytes) -> None:
        """Takes bytes from the server, cut anywhere. Raises nothing: an error in them ends the call."""
        try:
            self._receive(data)
        except MessageTooLarge as error:
            self._break_off(CallFailed(StatusCode.RESOURCE_EXHAUSTED, str(error)), ErrorCodes.CANCEL)
        except ProtocolBroken as error:
            self._break_off(status.internal(str(error)), ErrorCodes.PROTOCOL_ERROR)
        except (H2Error, UnicodeError) as error:
            self._break_off(status.internal(f"{type(error).__name__}: {error}"), ErrorCodes.PROTOCOL_ERROR)

    def _receive(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        while size - at >= frames.HEADER_BYTES and not self.is_over:
            high, low, kind, flags, stream = frames.HEADER.unpack_from(data, at)
            length = high << 16 | low
            if length > frames.MAX_FRAME_BYTES:
                raise ProtocolBroken(f"a frame of {length} bytes")
            start = at + frames.HEADER_BYTES
            end = start + length
            if end > size:
                break
            if kind == frames.DATA:
                self._data(flags, stream & frames.STREAM_BITS, data[start:end])
            elif kind == frames.GOAWAY:
                self._goaway(data[start:end])
            else:
                self._other(kind, flags, data[at:end])
            at = end
        self._rest = data[at:] if not self.is_over else b""

    def _data(self, flags: int, stream: int, payload: bytes) -> None:
        if stream != _STREAM or not self._response_begun or self._in_header_block:
            raise ProtocolBroken("a DATA frame where none may be")
        self._window.received(len(payload))
        self._splitter.feed(frames.unpadded(payload) if flags & frames.PADDED else payload)
        if flags & frames.END_STREAM:
            self._end(status.of_trailers(()))

    def _goaway(self, payload: bytes) -> None:
        if self._in_header_block:
            raise ProtocolBroken("a GOAWAY frame within a header block")
        last, code, debug = frames.goaway(payload)
        # Without an error, and and with our call among those that it still serves, the server finishes the call.
        if code or last < _STREAM:
            self._end(status.unavailable(f"the server goes away (HTTP/2 error {code}) {debug}".rstrip()))

    def _other(self, kind: int, flags: int, frame: bytes) -> None:
        if kind in (frames.HEADERS, frames.PUSH_PROMISE, frames.CONTINUATION):
            self._in_header_block = not flags & frames.END_HEADERS
        for event in self._h2.receive_data(frame):
            self._event(event)

    def _event(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self._headers(_decoded(event.headers), is_all=event.stream_ended is not None)
            case TrailersReceived():
                self._finish(_decoded(event.headers))
            case StreamReset():
                self._end(status.of_reset(int(event.error_code)))
            case _:
                pass  # settings, pings and the like: h2 has answered them

    def _headers(self, headers: Headers, *, is_all: bool) -> None:
        if is_all and "grpc-status" in dict(headers):
            self._finish(headers)
            return
        failure = status.of_headers(headers)
        if failure is not None:
            self._break_off(failure, ErrorCodes.CANCEL)
        elif is_all:
            self._finish(headers)
        self._response_begun = True

    def _finish(self, trailers: Headers) -> None:
        failure = status.of_trailers(trailers)
        if failure is None and not self._splitter.between_messages:
            failure = status.internal("the call ended within a message")
        self._end(failure)

    def _break_off(self, failure: CallFailed, code: ErrorCodes) -> None:
        with suppress(H2Error):  # h2 may have closed the connection already
            self._h2.close_connection(code)
        self._end(failure)

    def _end(self, failure: CallFailed | None) -> None:
        if not self.is_over:
            self.is_over, self.failure = True, failure


def _decoded(headers: object) -> Headers:
    assert isinstance(headers, list)
    return tuple((name.decode(errors="replace"), value.decode(errors="replace")) for name, value in headers)
