"""Commands with authentication, limits and links on against off: two command APIs on one node, in turns.

Every command is a PlaceOrder of ten lines for a new order. With authentication each request brings a token (EdDSA, of
one of 200 of the staff in turn, so that the limits are counted by subject) that is verified once and then remembered.
Its events carry links of a chain, those of the other one do not.
"""

import statistics
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from benchmarks.commands import COMMAND
from benchmarks.http_load import load, request
from infrastructure.access_settings import AuthenticationSettings
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.key_sources import FileKeys
from infrastructure.security.signing_key import read_signing_key
from infrastructure.security.verifier import TokenVerifier
from tests.support.services import BUNDLED, Service, node_uri, running, start_node

ROUNDS = 7
REQUESTS = {1: 1_000, 16: 4_000, 64: 4_000}
SUBJECTS = 200
VERIFICATIONS = 2_000
# Far more than this benchmark asks for, so that the limits are counted and nobody is refused.
LIMITS = {"rate_limit": "1000000", "rate_limit_burst": "1000000"}


async def run() -> None:
    """Prints commands per second with and without, their ratio, and what one verification costs."""
    with tempfile.TemporaryDirectory() as folder:
        keys = DevelopmentKeys(Path(folder))
        keys.make()
        tokens = _tokens(keys)
        await _verifications(keys, tokens[0])
        async with AsyncExitStack() as stack:
            node = await start_node(Path(folder))
            stack.push_async_callback(node.kill)
            shared = {"eventstore_uri": node_uri(node.port)}
            guarded = {"auth": "on", "auth_jwks_file": str(keys.jwks), **LIMITS}
            apis = {
                name: await stack.enter_async_context(
                    running("command_api", Path(folder), "/health/ready", domain=module, **shared, **settings)
                )
                for name, module, settings in (
                    ("on", BUNDLED, guarded),
                    ("off", "benchmarks.without_links", {"auth": "off"}),
                )
            }
            for in_flight in REQUESTS:
                await _compare(apis, tokens, in_flight)


def _tokens(keys: DevelopmentKeys) -> list[str]:
    key = read_signing_key(keys.signing_key, "the key", AuthenticationSettings())
    now = time.time()
    return [key.token(f"staff-{n}", roles=["staff"], ttl=3_600, now=now) for n in range(SUBJECTS)]


async def _verifications(keys: DevelopmentKeys, token: str) -> None:
    verifier = TokenVerifier(FileKeys(keys.jwks), AuthenticationSettings())
    started = perf_counter()
    for _ in range(VERIFICATIONS):
        await verifier.verify(token.encode())
    print(f"one verification (EdDSA): {(perf_counter() - started) / VERIFICATIONS * 1e6:.0f} microseconds")


async def _compare(apis: Mapping[str, Service], tokens: list[str], in_flight: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in apis}
    for round_number in range(ROUNDS + 1):
        for name, api in apis.items():
            messages = _Messages(f"127.0.0.1:{api.port}", tokens if name == "on" else [])
            result = await load("127.0.0.1", api.port, messages, connections=in_flight, requests=REQUESTS[in_flight])
            if set(result.statuses) != {201}:
                raise RuntimeError(f"responses other than 201: {result.statuses}")
            if round_number > 0:  # the first round warms up, and verifies every token
                rates[name].append(result.per_second)
    with_it, without = (statistics.median(of) for of in rates.values())
    ratio = statistics.median(a / b for a, b in zip(*rates.values(), strict=True))
    print(f"{in_flight:3} in flight: {with_it:6.0f} commands/s with, {without:6.0f} without, ratio {ratio:.2f}")


class _Messages:
    def __init__(self, host: str, tokens: list[str]) -> None:
        self._host = host
        self._tokens = tokens
        self._body = msgspec.json.encode(COMMAND)

    def __call__(self, number: int) -> bytes:
        headers = {"authorization": f"Bearer {self._tokens[number % len(self._tokens)]}"} if self._tokens else {}
        return request("PUT", f"/orders/{uuid.uuid4()}", self._host, body=self._body, headers=headers)


if __name__ == "__main__":
    uvloop.run(run())
