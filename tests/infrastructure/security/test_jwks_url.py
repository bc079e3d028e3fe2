"""A JWKS over HTTP: what is no answer changes nothing, and nothing is followed or read without a bound."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infrastructure.security.invalid_token import KeysUnavailable
from infrastructure.security.jwks_url import JwksUrl
from infrastructure.security.verification_keys import InvalidKeys
from infrastructure.settings import Settings
from tests.support.raw_tcp import answering, raw_server, response
from tests.support.tokens import IssuerKey, jwks

KEY = IssuerKey("EdDSA", "key")


@asynccontextmanager
async def keys_at(*responses: bytes) -> AsyncIterator[JwksUrl]:
    async with raw_server(answering(*responses)) as server:
        url = f"http://127.0.0.1:{server.port}/keys?of=us"
        source = JwksUrl(Settings.of(auth_jwks_url=url, auth_jwks_timeout=30.0).authentication)
        try:
            yield source
        finally:
            await source.close()


async def test_they_are_fetched() -> None:
    async with keys_at(response("200 OK", jwks(KEY))) as source:
        assert await source.keys.find("key") is not None


@pytest.mark.parametrize(
    "answer",
    [
        response("404 Not Found", b"{}"),
        response("200 OK", b"<html>"),
        response("200 OK", b"[]"),
        response("200 OK", b'{"keys": [], "more": "' + b"x" * 300_000 + b'"}'),
        response("200 OK", jwks(KEY)[:-2]),
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
async def test_what_is_no_answer_gives_no_keys(answer: bytes) -> None:
    async with keys_at(answer, answer, answer) as source:
        with pytest.raises(KeysUnavailable):
            await source.keys.find("key")


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/keys",
        "ftp://127.0.0.1/keys",
        "/keys",
        "https://",
        "https://u:p@issuer.example/",
        "file:///k",
    ],
)
def test_a_url_by_which_others_could_give_keys_is_refused(url: str) -> None:
    with pytest.raises(InvalidKeys, match="https"):
        JwksUrl(Settings.of(auth_jwks_url=url).authentication)


def test_https_and_loopback_are_taken(tmp_path: Path) -> None:
    for url in ("https://issuer.example/keys", "http://[::1]:8080/keys", "http://localhost/keys"):
        JwksUrl(Settings.of(auth_jwks_url=url).authentication)
