"""Keys by file and by URL: rotation is found, a dead endpoint takes nothing away, and nobody can make it busy."""

import asyncio
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from infrastructure.security.invalid_token import KeysUnavailable
from infrastructure.security.key_sources import FetchedKeys, FileKeys
from infrastructure.security.verification_keys import InvalidKeys, KeySet, keys_of, parse_jwks
from tests.support.tokens import IssuerKey, jwks

OLD, NEW = IssuerKey("EdDSA", "old"), IssuerKey("ES256", "new")
REFRESH, INTERVAL = 300.0, 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Endpoint:
    """A JWKS endpoint, without the network; `answer` is what it gives, or raises."""

    def __init__(self) -> None:
        self.answer: KeySet | Exception = parse_jwks(jwks(OLD))
        self.fetches = 0
        self.held: asyncio.Event | None = None

    async def fetch(self) -> KeySet:
        self.fetches += 1
        if self.held is not None:
            await self.held.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Issuer:
    """What a test needs: the endpoint, the clock, and the keys that are fetched."""

    def __init__(self) -> None:
        self.clock, self.endpoint = Clock(), Endpoint()
        self.keys = FetchedKeys(self.endpoint.fetch, refresh=REFRESH, interval=INTERVAL, clock=self.clock)

    async def knows(self, kid: str | None) -> bool:
        return await self.keys.find(kid) is not None


async def settled() -> None:
    """Lets what was begun go on to its end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_keys_are_fetched_when_they_are_needed_and_kept() -> None:
    issuer = Issuer()
    assert issuer.endpoint.fetches == 0
    for _ in range(100):
        assert await issuer.knows("old")
    assert issuer.endpoint.fetches == 1


async def test_a_new_key_is_found_and_a_withdrawn_one_lost() -> None:
    issuer = Issuer()
    assert await issuer.knows("old")
    issuer.endpoint.answer = parse_jwks(jwks(NEW))
    assert not await issuer.knows("new"), "the last fetch was just now"
    issuer.clock.now += INTERVAL
    assert await issuer.knows("new")
    assert not await issuer.knows("old")
    assert issuer.endpoint.fetches == 2


async def test_keys_are_fetched_anew_in_the_background_after_a_while() -> None:
    issuer = Issuer()
    assert await issuer.knows("old")
    issuer.endpoint.answer = parse_jwks(jwks(NEW))
    issuer.clock.now += REFRESH
    assert await issuer.knows("old"), "nobody waits for it"
    await settled()
    assert not await issuer.knows("old")


async def test_a_flood_of_unknown_names_fetches_no_more_than_the_interval_lets() -> None:
    issuer = Issuer()
    for number in range(2_000):
        assert not await issuer.knows(f"made-up-{number}")
        issuer.clock.now += 0.05
    assert issuer.endpoint.fetches <= 1 + 2_000 * 0.05 / INTERVAL
    assert await issuer.knows("old")


async def test_all_who_come_at_once_wait_for_one_fetch() -> None:
    issuer = Issuer()
    issuer.endpoint.held = asyncio.Event()
    asking = [asyncio.create_task(issuer.knows(kid)) for kid in ("old", "old", "made-up", None)]
    await settled()
    assert issuer.endpoint.fetches == 1
    asking[0].cancel()  # who gives up takes nobody else's keys away
    await settled()
    issuer.endpoint.held.set()
    assert [await one for one in asking[1:]] == [True, False, True]
    assert issuer.endpoint.fetches == 1


async def test_an_endpoint_that_is_dead_from_the_start() -> None:
    issuer = Issuer()
    issuer.endpoint.answer = OSError("nobody there")
    for _ in range(50):
        with pytest.raises(KeysUnavailable) as unavailable:
            await issuer.knows("old")
        assert 1.0 <= unavailable.value.retry_after <= INTERVAL
    assert issuer.endpoint.fetches == 1
    issuer.endpoint.answer = parse_jwks(jwks(OLD))
    issuer.clock.now += INTERVAL
    assert await issuer.knows("old")


async def test_an_endpoint_that_dies_takes_no_key_away() -> None:
    issuer = Issuer()
    assert await issuer.knows("old")
    issuer.endpoint.answer = InvalidKeys("it is no JSON")
    for _ in range(20):
        issuer.clock.now += REFRESH
        assert await issuer.knows("old")
        assert not await issuer.knows("made-up")
        await settled()
    assert issuer.endpoint.fetches > 10, "it is asked again and again"


async def test_a_token_that_names_no_key_fetches_nothing() -> None:
    issuer = Issuer()
    issuer.endpoint.answer = parse_jwks(jwks(OLD, NEW))
    assert await issuer.knows("old")
    for _ in range(100):
        issuer.clock.now += INTERVAL
        assert not await issuer.knows(None)
    await settled()
    assert issuer.endpoint.fetches <= 1 + 100 * INTERVAL / REFRESH


@given(st.lists(st.tuples(st.sampled_from(["old", "new", "made-up", None]), st.floats(0, 400)), max_size=40))
def test_whatever_comes_fetches_are_an_interval_apart(requests: list[tuple[str | None, float]]) -> None:
    async def run() -> None:
        issuer = Issuer()
        at: list[float] = []
        fetch = issuer.endpoint.fetch

        async def noted() -> KeySet:
            at.append(issuer.clock.now)
            return await fetch()

        issuer.keys._fetch = noted
        for kid, seconds in requests:
            issuer.clock.now += seconds
            await issuer.knows(kid)
            await settled()  # what goes on in the background begins now
        assert all(later - earlier >= INTERVAL - 1e-6 for earlier, later in pairwise(at))

    asyncio.run(run())


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file, clock = tmp_path / "jwks.json", Clock()
    file.write_bytes(jwks(OLD))
    keys = FileKeys(file, clock)
    assert await keys.find("old") is not None
    replacement = tmp_path / "other"
    replacement.write_bytes(jwks(NEW))
    os.replace(replacement, file)
    assert await keys.find("new") is None, "it was looked at just now"
    clock.now += 1
    assert await keys.find("new") is not None
    assert await keys.find("old") is None


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"keys": []}'])
async def test_a_file_that_breaks_takes_no_key_away(tmp_path: Path, content: bytes | None) -> None:
    file, clock = tmp_path / "jwks.json", Clock()
    file.write_bytes(jwks(OLD))
    keys = FileKeys(file, clock)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    clock.now += 1
    assert await keys.find("old") is not None
    with pytest.raises(InvalidKeys, match=r"jwks\.json"):
        FileKeys(file)


def entry(key: IssuerKey = OLD, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**key.public, **changed}.items() if value is not None}


RSA = IssuerKey("RS256", "rsa")
WEAK = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "no JWKS"),
        ({}, "no JWKS"),
        ({"keys": {}}, "no JWKS"),
        ({"keys": [1]}, "no JWKS"),
        ({"keys": []}, "no key for"),
        ({"keys": [{"kty": 5}]}, "its key 0"),
        ({"keys": [entry(), {"kty": "oct", "k": "c2VjcmV0"}]}, "its key 1 is secret"),
        ({"keys": [OLD.jwk]}, "its key 0 is secret"),
        ({"keys": [RSA.jwk]}, "its key 0 is secret"),
        ({"keys": [entry(x="AAAA")]}, "no public key"),
        ({"keys": [entry(x=None)]}, "no public key"),
        ({"keys": [entry(NEW, y=NEW.public["x"])]}, "no public key"),
        ({"keys": [WEAK]}, "1024 bits"),
        ({"keys": [entry(), entry()]}, "the same kid"),
        ({"keys": [entry(), entry(NEW, kid="old")]}, "the same kid"),
        ({"keys": [entry(kid="k" * 300)]}, "its key 0"),
        ({"keys": [entry()] * 101}, "101 keys"),
        ({"keys": [entry(use="enc")]}, "no key for"),
        ({"keys": [entry(alg="HS256")]}, "no key for"),
        ({"keys": [entry(RSA, alg="PS256")]}, "no key for"),
        ({"keys": [entry(crv="Ed448")]}, "no key for"),
        ({"keys": [entry(kty="EC")]}, "no key for"),
    ],
)
def test_what_is_no_set_of_public_keys_is_refused(document: Any, said: str) -> None:
    with pytest.raises(InvalidKeys, match=said):
        keys_of(document)


def test_keys_for_other_ends_are_left_out() -> None:
    others = [entry(use="enc", kid="1"), entry(RSA, alg="RSA-OAEP", kid="2"), {"kty": "EC", "crv": "P-521", "kid": "3"}]
    keys = keys_of({"keys": [*others, entry(), entry(NEW), entry(RSA)]})
    assert keys.number == 3
    assert [getattr(keys.find(kid), "algorithm", None) for kid in ("old", "new", "rsa", "1")] == [
        "EdDSA",
        "ES256",
        "RS256",
        None,
    ]
