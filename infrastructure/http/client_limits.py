"""How much one client may ask: a token bucket each, in bounded memory."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from infrastructure.access_settings import ClientLimitSettings


class Allowance(Struct, frozen=True):
    """What is left to a client: `remaining` requests at once, all of its burst again after `refilled_in` seconds. When
    `exceeded`, it may ask again in `retry_in` seconds."""

    exceeded: bool
    remaining: int
    refilled_in: int
    retry_in: int = 0


_UNLIMITED = Allowance(False, 0, 0)


class _Bucket:
    __slots__ = ("at", "level")

    def __init__(self, level: float, at: float) -> None:
        self.level = level
        self.at = at


class ClientLimits:
    """Each client has a bucket that holds `burst` requests and is refilled by `rate` a second; a rate of 0 sets no
    limit.

    The `clients` that asked last are told apart; one that is forgotten begins with a full bucket. `clock` is in seconds
    and never goes back.
    """

    def __init__(self, settings: ClientLimitSettings, clock: Callable[[], float] = monotonic) -> None:
        self.rate = settings.rate
        self.burst = settings.burst
        self.policy = ""
        if self.rate:
            self.policy = f'"client";q={self.burst};w={max(1, math.ceil(self.burst / self.rate))}'
        self._most = settings.clients
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str) -> Allowance:
        """One more request of the client."""
        if not self.rate:
            return _UNLIMITED
        bucket = self._refilled(client)
        exceeded = bucket.level < 1
        if not exceeded:
            bucket.level -= 1
        return self._allowance(bucket, exceeded)

    def exceeded(self, client: str) -> Allowance | None:
        """What the client is told if it may not ask now; nothing is taken."""
        if not self.rate or client not in self._buckets:
            return None
        bucket = self._refilled(client)
        return self._allowance(bucket, True) if bucket.level < 1 else None

    def _refilled(self, client: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(self.burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
            return bucket
        bucket.level = min(self.burst, bucket.level + (now - bucket.at) * self.rate)
        bucket.at = now
        self._buckets.move_to_end(client)
        return bucket

    def _allowance(self, bucket: _Bucket, exceeded: bool) -> Allowance:
        full = math.ceil((self.burst - bucket.level) / self.rate)
        retry = max(1, math.ceil((1 - bucket.level) / self.rate)) if exceeded else 0
        return Allowance(exceeded, int(bucket.level), full, retry)


def client_address(scope: object) -> str:
    """By what a client without a token is known: its address, in IPv6 the network of /64 that it is in, for there one
    client has all of them."""
    found = scope.get("client") if isinstance(scope, dict) else None
    host = str(found[0]) if found else "unknown"
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
