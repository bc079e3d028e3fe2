"""The tokens that our own processes send, the keys that they are made with, and what was verified once."""

import asyncio
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from infrastructure.secrets import UnreadableSecret
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.identity import ANYBODY, NOBODY, Identity, identify, identity_of
from infrastructure.security.key_sources import FileKeys
from infrastructure.security.own_tokens import (
    GivenToken,
    NoToken,
    OwnMadeToken,
    TokenFromFile,
    own_tokens,
    service_tokens,
)
from infrastructure.security.roles import ROLES
from infrastructure.security.signing_key import SigningKey
from infrastructure.security.verification_keys import InvalidKeys
from infrastructure.security.verified_tokens import VerifiedTokens
from infrastructure.security.verifier import TokenVerifier, Verified
from infrastructure.settings import InvalidSettings, Settings
from tests.support.tokens import NOW, IssuerKey

KEYS = [IssuerKey(algorithm, "k-1") for algorithm in ("RS256", "ES256", "EdDSA")]
SECRET = "0123456789abcdef0123456789abcdef"
CHECKED_WITH = Settings().authentication


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def signing(key: IssuerKey) -> SigningKey:
    return SigningKey.from_jwk(key.jwk, CHECKED_WITH)


def test_a_token_is_made_anew_before_it_expires() -> None:
    clock = Clock()
    source = OwnMadeToken(signing(KEYS[2]), "process-manager", ("service",), 300.0, clock)
    first = source.token()
    clock.now += 149
    assert source.token() == first
    clock.now += 1
    second = source.token()
    assert second not in (None, first)
    clock.now -= 3_600
    assert source.token() not in (first, second), "a clock that was set back gives one that is valid now"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm)
async def test_the_services_take_what_the_stack_makes(tmp_path: Path, key: IssuerKey) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key.jwk))
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.public]}))
    settings = Settings.of(service_key_file=str(file))
    token = service_tokens(settings, "process-manager").token()
    assert token is not None
    verified = await TokenVerifier(FileKeys(jwks), settings.authentication).verify(token.encode())
    assert verified.identity == Identity("process-manager", ROLES["service"])


async def test_keys_are_made_once_and_kept_to_their_owner(tmp_path: Path) -> None:
    keys = DevelopmentKeys(tmp_path)
    assert not keys.exist
    keys.make()
    made = keys.signing_key.read_bytes()
    for file in (keys.signing_key, keys.directory):
        assert stat.S_IMODE(os.stat(file).st_mode) & 0o077 == 0
    os.chmod(keys.signing_key, 0o644)
    keys.make()
    assert keys.signing_key.read_bytes() == made
    assert stat.S_IMODE(os.stat(keys.signing_key).st_mode) == 0o600
    private = json.loads(made)
    assert private["d"] not in keys.jwks.read_text()
    assert await FileKeys(keys.jwks).find(private["kid"]) is not None
    assert [one.name for one in sorted(keys.directory.iterdir())] == ["jwks.json", "signing-key.json"]


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file, clock = tmp_path / "token", Clock()
    file.write_text("first\n")
    source = TokenFromFile(file, clock)
    assert source.token() == "first"
    renewed = tmp_path / "renewed"
    renewed.write_text("second")
    os.replace(renewed, file)
    clock.now += 1
    assert source.token() == "second"
    file.unlink()
    clock.now += 1
    assert source.token() == "second", "the last one is sent while there is none"
    file.write_text("third")
    clock.now += 1
    assert source.token() == "third"


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSecret, match="EVENTFOLD_TOKEN_FILE"):
        TokenFromFile(tmp_path / "token")


def test_which_token_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("of the file")
    assert isinstance(own_tokens(Settings(), "a", ()), NoToken)
    assert own_tokens(Settings.of(token="given"), "a", ()).token() == "given"
    assert own_tokens(Settings.of(token_file=str(file)), "a", ()).token() == "of the file"
    assert isinstance(own_tokens(Settings.of(auth_secret=SECRET), "a", ()), OwnMadeToken)
    assert isinstance(own_tokens(Settings.of(auth_secret=SECRET, token="given"), "a", ()), GivenToken)
    assert NoToken().token() is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"token": "a", "token_file": "b"}, "EVENTFOLD_TOKEN_FILE and EVENTFOLD_TOKEN are set"),
        ({"service_key_file": "a", "token": "b"}, "EVENTFOLD_SERVICE_KEY_FILE and EVENTFOLD_TOKEN are set"),
        ({"service_key_file": "/nowhere/key"}, "EVENTFOLD_SERVICE_KEY_FILE: /nowhere/key can't be read"),
        ({"token_file": "/nowhere/token"}, "EVENTFOLD_TOKEN_FILE: /nowhere/token can't be read"),
        ({"auth_secret": "short"}, "at least 32 bytes"),
        ({}, "set EVENTFOLD_TOKEN_FILE, or EVENTFOLD_SERVICE_KEY_FILE"),
    ],
)
def test_what_is_no_token_is_refused_at_the_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        service_tokens(Settings.of(**settings), "consumers")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kty": "oct", "k": "AAAA"}', json.dumps(KEYS[0].public)])
def test_what_is_no_private_key_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(content)
    with pytest.raises(InvalidSettings, match=r"EVENTFOLD_SERVICE_KEY_FILE.*key\.json"):
        service_tokens(Settings.of(service_key_file=str(file)), "consumers")


def test_no_key_is_shown() -> None:
    key = signing(KEYS[2])
    assert KEYS[2].jwk["d"] not in repr(key) + str(vars(key))
    with pytest.raises(InvalidKeys) as refused:
        SigningKey.from_jwk({**KEYS[2].jwk, "d": "AAAA"}, CHECKED_WITH)
    assert "AAAA" not in str(refused.value)


def test_what_was_verified_is_known_until_it_expires_and_in_bounds() -> None:
    clock = Clock()
    tokens = VerifiedTokens(3, 100.0, clock)
    ada, lasting = Identity("ada"), Identity("lasting")
    tokens.keep(b"short", Verified(ada, NOW + 10))
    tokens.keep(b"long", Verified(lasting, NOW + 1_000))
    assert (tokens.find(b"short"), tokens.find(b"long"), tokens.find(b"other")) == (ada, lasting, None)
    clock.now += 10
    assert (tokens.find(b"short"), tokens.find(b"long")) == (None, lasting)
    clock.now += 90
    assert tokens.find(b"long") is None, "a key may have been withdrawn since"
    for number in range(10):
        tokens.keep(b"%d" % number, Verified(ada, NOW + 1_000))
    assert len(tokens) == 3
    assert tokens.find(b"9") == ada
    assert b"9" not in tokens._kept, "no token is kept itself"
    nothing = VerifiedTokens(0, 100.0, clock)
    nothing.keep(b"a", Verified(ada, NOW + 1_000))
    assert nothing.find(b"a") is None


def test_nobody_is_who_has_not_been_identified() -> None:
    scope: dict[str, Any] = {}
    assert identity_of(scope) is NOBODY
    assert not NOBODY.may("anything")
    identify(scope, ANYBODY)
    assert identity_of(scope).may("anything")


def test_the_clock_of_tokens_is_the_time() -> None:
    token = OwnMadeToken(signing(KEYS[2]), "a", (), 60.0).token()
    assert token is not None
    checks = TokenVerifier(_Fixed(), CHECKED_WITH)
    assert asyncio.run(checks.verify(token.encode())).expires <= time.time() + 91


class _Fixed:
    async def find(self, kid: str | None) -> Any:
        from infrastructure.security.verification_keys import keys_of

        return keys_of({"keys": [KEYS[2].public]}).find(kid)
