"""The call as bytes in and bytes out: any cut of the stream, any padding, and whatever a server may say wrongly."""

from collections.abc import Iterator
from itertools import pairwise

import grpc
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamReset, WindowUpdated
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.event_store.http2 import frames
from infrastructure.event_store.http2.exchange import Exchange
from infrastructure.event_store.http2.framing import MAX_MESSAGE_BYTES, prefixed
from infrastructure.event_store.http2.window import WINDOW_BYTES

HEADERS = ((":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "x"), ("te", "trailers"))
ANSWER = [(":status", "200"), ("content-type", "application/grpc+proto")]
OK = [("grpc-status", "0")]
EMPTY_DATA = b"\0\0\0" + b"\0\0" + b"\0\0\0\1"


class Server:
    """The other end of an exchange, made with h2."""

    def __init__(self, exchange: Exchange) -> None:
        config = H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        self.exchange = exchange
        self.h2 = H2Connection(config)
        self.h2.initiate_connection()
        self.events = self.h2.receive_data(exchange.outgoing())

    def hear(self) -> list[object]:
        return self.h2.receive_data(self.exchange.outgoing())

    def say(self, data: bytes = b"") -> None:
        self.exchange.receive(self.h2.data_to_send() + data)

    def headers(self, headers: list[tuple[str, str]], *, end: bool = False) -> None:
        self.h2.send_headers(1, headers, end_stream=end)
        self.say()


def begun(answered: bool = True) -> tuple[Exchange, Server]:
    exchange = Exchange(HEADERS, b"request")
    server = Server(exchange)
    if answered:
        server.headers(ANSWER)
    return exchange, server


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def code(exchange: Exchange) -> grpc.StatusCode:
    assert exchange.is_over
    assert exchange.failure is not None
    return exchange.failure.code()


def test_the_request_is_what_grpc_wants():
    _, server = begun()
    request = next(one for one in server.events if isinstance(one, RequestReceived))
    data = next(one for one in server.events if isinstance(one, DataReceived))
    assert tuple(request.headers) == HEADERS
    assert data.data == b"\0\0\0\0\7request"
    assert data.stream_ended


def cuts(data: bytes, at: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    for start, end in pairwise(places):
        yield data[start:end]


@given(
    messages=st.lists(st.binary(max_size=70), max_size=8),
    frame_cuts=st.lists(st.integers(0, 1000), max_size=12),
    chunk_cuts=st.lists(st.integers(0, 3000), max_size=30),
    padding=st.lists(st.one_of(st.none(), st.integers(0, 255)), min_size=1, max_size=5),
    take_each_time=st.booleans(),
)
def test_any_cut_into_frames_and_chunks_gives_the_same_messages(
    messages, frame_cuts, chunk_cuts, padding, take_each_time
):
    exchange, server = begun(answered=False)
    server.h2.send_headers(1, ANSWER)
    body = b"".join(prefixed(message) for message in messages)
    stream = b""
    for number, part in enumerate(cuts(body, frame_cuts)):
        server.h2.send_data(1, part, pad_length=padding[number % len(padding)])
        server.h2.ping(b"12345678")
        stream += server.h2.data_to_send() + EMPTY_DATA + frame(0xEE, b"of a kind that nobody knows")
    server.h2.send_headers(1, OK, end_stream=True)
    stream += server.h2.data_to_send()
    received = []
    for chunk in cuts(stream, chunk_cuts):
        exchange.receive(chunk)
        if take_each_time:
            received += exchange.take()
    assert received + exchange.take() == messages
    assert (exchange.is_over, exchange.failure) == (True, None)


def test_cut_at_every_byte():
    exchange, server = begun(answered=False)
    server.h2.send_headers(1, ANSWER)
    server.h2.send_data(1, prefixed(b"one") + prefixed(b"") + prefixed(b"three" * 100), pad_length=7)
    server.h2.send_headers(1, OK, end_stream=True)
    for byte in server.h2.data_to_send():
        exchange.receive(bytes([byte]))
    assert exchange.take() == [b"one", b"", b"three" * 100]
    assert (exchange.is_over, exchange.failure) == (True, None)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_whatever_raise_anything(data, answered):
    exchange, _ = begun(answered)
    exchange.receive(data)
    exchange.receive(data)
    exchange.outgoing()
    exchange.cancel()


@given(st.integers(0, 12), st.integers(0, 255), st.integers(0, 3), st.binary(max_size=60))
def test_no_frame_whatever_raises_anything(kind, flags, stream, payload):
    exchange, _ = begun()
    exchange.receive(frame(kind, payload, flags, stream) * 2)
    exchange.outgoing()
    exchange.cancel()


class TestFlowControl:
    def test_the_server_may_send_a_window_full_and_no_more(self):
        exchange, server = begun()
        assert server.h2.local_flow_control_window(1) == WINDOW_BYTES
        full = frame(frames.DATA, prefixed(bytes(16_379)))
        for _ in range(WINDOW_BYTES // 16_384):
            exchange.receive(full)
        assert not exchange.is_over
        exchange.receive(frame(frames.DATA, b"\0"))
        assert code(exchange) is grpc.StatusCode.INTERNAL

    def test_what_is_not_taken_is_not_given_back(self):
        exchange, server = begun()
        while server.h2.local_flow_control_window(1):
            server.h2.send_data(1, prefixed(bytes(16_379)))
            server.say()
        assert not any(isinstance(one, WindowUpdated) for one in server.hear())
        assert len(exchange.take()) == WINDOW_BYTES // 16_384
        assert {one.stream_id for one in server.hear() if isinstance(one, WindowUpdated)} == {0, 1}
        assert server.h2.local_flow_control_window(1) == WINDOW_BYTES

    def test_padding_counts(self):
        exchange, server = begun()
        while server.h2.local_flow_control_window(1) >= 256:
            server.h2.send_data(1, b"", pad_length=255)
            server.say()
        exchange.take()
        server.hear()
        assert server.h2.local_flow_control_window(1) > WINDOW_BYTES // 2

    def test_a_message_larger_than_the_window(self):
        exchange, server = begun()
        message = bytes(range(256)) * (MAX_MESSAGE_BYTES // 256)
        data = prefixed(message)
        while data:
            room = min(16_384, server.h2.local_flow_control_window(1))
            if not room:
                assert exchange.take() == []
                server.hear()
                continue
            server.h2.send_data(1, data[:room])
            data = data[room:]
            server.say()
        assert exchange.take() == [message]

    def test_far_more_than_any_counter_holds(self):
        """The windows are opened as long as the call lasts: h2's own count must not run over."""
        exchange, server = begun()
        block = frame(frames.DATA, prefixed(bytes(16_379))) * 64
        for _ in range(2200):  # more than 2**31 bytes
            exchange.receive(block)
            exchange.take()
        exchange.outgoing()
        exchange.receive(frame(6, b"12345678", stream=0))
        server.headers(OK, end=True)
        assert (exchange.is_over, exchange.failure) == (True, None)


class TestEnds:
    @pytest.mark.parametrize(
        ("trailers", "expected", "words"),
        [
            (
                [("grpc-status", "14"), ("grpc-message", "gone%20away %E2%82%AC")],
                grpc.StatusCode.UNAVAILABLE,
                "gone away €",
            ),
            (
                [("grpc-status", "9"), ("grpc-message", "is %zz%FF deleted")],
                grpc.StatusCode.FAILED_PRECONDITION,
                "is %zz",
            ),
            ([("grpc-status", "99")], grpc.StatusCode.UNKNOWN, ""),
            ([("grpc-status", "x")], grpc.StatusCode.UNKNOWN, ""),
            ([("x", "y")], grpc.StatusCode.UNKNOWN, "without a status"),
        ],
    )
    def test_trailers(self, trailers, expected, words):
        for answered in (True, False):
            exchange, server = begun(answered)
            server.headers(trailers if answered else [*ANSWER, *trailers], end=True)
            assert code(exchange) is expected
            assert words in exchange.failure.details()
            assert set(trailers) <= set(exchange.failure.trailing_metadata())

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ([(":status", "401")], grpc.StatusCode.UNAUTHENTICATED),
            ([(":status", "403")], grpc.StatusCode.PERMISSION_DENIED),
            ([(":status", "404")], grpc.StatusCode.UNIMPLEMENTED),
            (
                [(":status", "503"), ("content-type", "text/html"), ("content-length", "99")],
                grpc.StatusCode.UNAVAILABLE,
            ),
            ([(":status", "500")], grpc.StatusCode.UNKNOWN),
            ([(":status", "200")], grpc.StatusCode.UNKNOWN),
            ([(":status", "200"), ("content-type", "text/html")], grpc.StatusCode.UNKNOWN),
            ([(":status", "200"), ("content-type", "application/grpc-web")], grpc.StatusCode.UNKNOWN),
            ([*ANSWER, ("grpc-encoding", "gzip")], grpc.StatusCode.INTERNAL),
        ],
    )
    @pytest.mark.parametrize("end", [False, True])
    def test_what_is_no_grpc_answer(self, headers, expected, end):
        exchange, server = begun(answered=False)
        server.headers(headers, end=end)
        assert code(exchange) is expected

    def test_trailers_count_whatever_the_http_status(self):
        exchange, server = begun(answered=False)
        server.headers([(":status", "503"), ("grpc-status", "7"), ("content-length", "0")], end=True)
        assert code(exchange) is grpc.StatusCode.PERMISSION_DENIED

    def test_informational_headers_and_identity(self):
        exchange, server = begun(answered=False)
        server.headers([(":status", "103")])
        server.headers([*ANSWER, ("grpc-encoding", "identity")])
        server.h2.send_data(1, prefixed(b"m"))
        server.say()
        assert exchange.take() == [b"m"]

    def test_ok_within_a_message(self):
        exchange, server = begun()
        server.h2.send_data(1, prefixed(b"whole") + prefixed(b"message")[:-1])
        server.headers(OK, end=True)
        assert exchange.take() == [b"whole"]
        assert code(exchange) is grpc.StatusCode.INTERNAL

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (0, grpc.StatusCode.INTERNAL),
            (2, grpc.StatusCode.INTERNAL),
            (7, grpc.StatusCode.UNAVAILABLE),
            (8, grpc.StatusCode.CANCELLED),
            (11, grpc.StatusCode.RESOURCE_EXHAUSTED),
            (12, grpc.StatusCode.PERMISSION_DENIED),
            (0xFFFF, grpc.StatusCode.INTERNAL),
        ],
    )
    def test_a_reset(self, error, expected):
        exchange, _ = begun()
        exchange.receive(frame(3, error.to_bytes(4, "big")))
        assert code(exchange) is expected

    def test_a_server_that_goes_away_without_an_error_finishes_the_call(self):
        exchange, server = begun()
        exchange.receive(frame(frames.GOAWAY, (2**31 - 1).to_bytes(4, "big") + bytes(4) + b"bye", stream=0))
        server.h2.send_data(1, prefixed(b"late"))
        server.say()
        exchange.receive(frame(frames.GOAWAY, (1).to_bytes(4, "big") + bytes(4), stream=0))
        server.headers(OK, end=True)
        assert exchange.take() == [b"late"]
        assert (exchange.is_over, exchange.failure) == (True, None)

    @pytest.mark.parametrize(("last", "error"), [(0, 0), (1, 11)])
    def test_a_server_that_goes_away_and_drops_the_call(self, last, error):
        exchange, server = begun()
        server.h2.send_data(1, prefixed(b"before"))
        server.say(frame(frames.GOAWAY, last.to_bytes(4, "big") + error.to_bytes(4, "big") + b"why", stream=0))
        assert exchange.take() == [b"before"]
        assert code(exchange) is grpc.StatusCode.UNAVAILABLE
        assert "why" in exchange.failure.details()

    def test_a_lost_connection_keeps_what_was_whole(self):
        exchange, server = begun()
        server.h2.send_data(1, prefixed(b"whole") + b"\0\0\0")
        server.say()
        exchange.lost("cable")
        assert exchange.take() == [b"whole"]
        assert code(exchange) is grpc.StatusCode.UNAVAILABLE

    def test_a_cancel_is_told(self):
        exchange, server = begun()
        exchange.cancel()
        assert code(exchange) is grpc.StatusCode.CANCELLED
        assert any(isinstance(one, StreamReset) and one.error_code == 8 for one in server.hear())
        exchange.cancel()
        exchange.lost("and gone")
        assert code(exchange) is grpc.StatusCode.CANCELLED


HEADER_BLOCK_BEGUN = frame(frames.HEADERS, b"\x88")  # without END_HEADERS

WRONG = {
    "a compressed message": frame(frames.DATA, b"\1" + prefixed(b"x")[1:]),
    "a frame that is too large": b"\x00\x40\x01" + b"\0\0" + b"\0\0\0\1",
    "only padding": frame(frames.DATA, b"\5abcd", flags=frames.PADDED),
    "padded, but nothing in it": frame(frames.DATA, b"", flags=frames.PADDED),
    "another stream": frame(frames.DATA, b"", stream=3),
    "the connection as a stream": frame(frames.DATA, b"", stream=0),
    "data within a header block": HEADER_BLOCK_BEGUN + frame(frames.DATA),
    "goaway within a header block": HEADER_BLOCK_BEGUN + frame(frames.GOAWAY, bytes(8), stream=0),
    "a short goaway": frame(frames.GOAWAY, bytes(7), stream=0),
    "a continuation of nothing": frame(frames.CONTINUATION, b"\x88"),
    "no header compression": frame(frames.HEADERS, b"\xff\xff\xff\xff\xff\xff", flags=frames.END_HEADERS),
    "a promise": frame(frames.PUSH_PROMISE, b"\0\0\0\2\x82", flags=frames.END_HEADERS),
    "a short ping": frame(6, b"1", stream=0),
    "settings that can't be": frame(4, b"\0\4\xff\xff\xff\xff", stream=0),
    "a window beyond all bounds": frame(8, b"\x7f\xff\xff\xff", stream=0),
    "trailers that do not end": frame(frames.HEADERS, b"\x40\1a\1b", flags=frames.END_HEADERS),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_no_server_may_say(wrong):
    exchange, server = begun()
    server.h2.send_data(1, prefixed(b"before"))
    server.say(wrong)
    server.h2.send_data(1, prefixed(b"after"))
    server.say()
    assert exchange.take() == [b"before"]
    assert code(exchange) is grpc.StatusCode.INTERNAL
    assert frames.GOAWAY in [one[3] for one in _frames(exchange.outgoing())]


def _frames(data: bytes) -> Iterator[bytes]:
    while data:
        length = 9 + int.from_bytes(data[:3], "big")
        yield data[:length]
        data = data[length:]


def test_data_before_the_answer():
    exchange, _ = begun(answered=False)
    exchange.receive(frame(4, stream=0) + frame(frames.DATA, prefixed(b"x")))
    assert code(exchange) is grpc.StatusCode.INTERNAL


def test_data_that_ends_the_stream_has_no_status():
    exchange, server = begun()
    server.h2.send_data(1, prefixed(b"m"), end_stream=True)
    server.say()
    assert exchange.take() == [b"m"]
    assert code(exchange) is grpc.StatusCode.UNKNOWN


def test_a_message_beyond_the_limit_is_refused_when_announced():
    exchange, _ = begun()
    exchange.receive(frame(frames.DATA, b"\0" + (MAX_MESSAGE_BYTES + 1).to_bytes(4, "big")))
    assert code(exchange) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_header_block_in_many_frames():
    exchange, server = begun()
    server.headers([*OK, *((f"x-{number}", "v" * 1000) for number in range(40))], end=True)
    assert (exchange.is_over, exchange.failure) == (True, None)


def test_a_huge_header_block():
    exchange, server = begun()
    server.headers([*OK, *((f"x-{number}", "v" * 1000) for number in range(100))], end=True)
    assert code(exchange) is grpc.StatusCode.INTERNAL


def test_pings_and_settings_are_answered():
    exchange, server = begun()
    server.hear()
    for _ in range(1000):
        server.h2.ping(b"12345678")
    server.h2.update_settings({4: 100_000})
    server.h2.update_settings({4: 50_000})
    server.say()
    kinds = [(one[3], one[4]) for one in _frames(exchange.outgoing())]
    assert kinds.count((6, 1)) == 1000
    assert kinds.count((4, 1)) == 2
