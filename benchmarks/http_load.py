"""A load generator that needs little CPU itself: keep-alive HTTP/1.1 over raw protocols, one request in flight on each.

It understands what our services send (a status line, headers, Content-Length or no body at all) and nothing more.
"""

import asyncio
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import cast

from msgspec import Struct

MakeRequest = Callable[[int], bytes]
"""make_request(n) -> the bytes of the n-th request, from 0."""


class UnexpectedResponse(Exception):
    """The server sent something that this client does not understand, or closed the connection."""


class LoadResult(Struct, frozen=True):
    """What one run measured; times in seconds, `latencies` in ascending order."""

    requests: int
    seconds: float
    latencies: Sequence[float]
    statuses: Mapping[int, int]

    @property
    def per_second(self) -> float:
        """Responses per second over the whole run."""
        return self.requests / self.seconds

    def percentile(self, percent: float) -> float:
        """The latency that so many per cent of the requests did not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]


def request(method: str, path: str, host: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of one request; a body is sent as JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method != "GET":
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def load(
    host: str,
    port: int,
    make_request: MakeRequest,
    *,
    connections: int,
    requests: int,
) -> LoadResult:
    """Sends `requests` requests over so many connections, each with the next one as soon as it has the response to the
    last.

    Raises UnexpectedResponse, or OSError when nothing listens at the address.
    """
    run = _Run(make_request, requests)
    loop = asyncio.get_running_loop()
    opened = await asyncio.gather(
        *(loop.create_connection(lambda: _Client(run), host, port) for _ in range(min(connections, requests)))
    )
    started = perf_counter()
    try:
        for _, client in opened:
            client.send_next()
        await run.done
        seconds = perf_counter() - started
    finally:
        run.done.cancel()
        for transport, _ in opened:
            transport.close()
    return LoadResult(requests, seconds, sorted(run.latencies), dict(run.statuses))


class _Run:
    """What the connections of one run share."""

    def __init__(self, make_request: MakeRequest, requests: int) -> None:
        self.make_request = make_request
        self.requests = requests
        self.sent = 0
        self.latencies = array("d")
        self.statuses: Counter[int] = Counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._received = b""
        self._expected = -1
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._run.fail(error or UnexpectedResponse("the server closed a connection"))

    def send_next(self) -> None:
        """Sends the run's next request, if any is left."""
        run = self._run
        if run.sent == run.requests:
            return
        message = run.make_request(run.sent)
        run.sent += 1
        self._sent_at = perf_counter()
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        if self._expected < 0:
            self._expected = self._length()
        if self._expected < 0 or len(self._received) < self._expected:
            return
        run, now = self._run, perf_counter()
        run.latencies.append(now - self._sent_at)
        status = int(self._received[9:12])
        run.statuses[status] += 1
        self._received, self._expected = b"", -1
        if len(run.latencies) == run.requests and not run.done.done():
            run.done.set_result(None)
        else:
            self.send_next()

    def _length(self) -> int:
        """How long the whole response is; -1 before its head has arrived."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return -1
        head = self._received[:end].lower()
        if not head.startswith(b"http/1.1 ") or b"\r\ntransfer-encoding:" in head:
            self._run.fail(UnexpectedResponse(f"{head[:200]!r}"))
        _, named, rest = head.partition(b"\r\ncontent-length:")
        return end + 4 + (int(rest.split(b"\r\n", 1)[0]) if named else 0)
