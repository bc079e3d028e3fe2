"""Links by which customers sign: what holds, what does not, and keys that change."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import jwt
import pytest
from hypothesis import given
from msgspec.structs import replace

from infrastructure.security.link_keys import LinkKeys, UnusableLinkKeys, make_link_keys, rotate_link_keys
from infrastructure.security.signing_links import PURPOSE, LinkRefused, SigningLink, make_token, read_token
from ops.cli import main
from tests.support.decider import NOON

LINK = SigningLink("o-1", "ada", "a" * 64, int((NOON + timedelta(days=14)).timestamp()))
NOW = NOON.timestamp()
NAMELESS = '{"kty": "oct", "k": "%s"}' % ("A" * 43)
NAMED = NAMELESS.replace("{", '{"kid": "a", ')


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> LinkKeys:
    path = tmp_path_factory.mktemp("keys") / "deep" / "links.json"
    make_link_keys(path)
    return LinkKeys(path)


def refused(keys: LinkKeys, token: str, now: float = NOW) -> str:
    with pytest.raises(LinkRefused) as error:
        read_token(keys, token, now)
    assert len(token) < 20 or token not in str(error.value)
    return error.value.reason


def claims(**other: Any) -> dict[str, Any]:
    known = {"aud": PURPOSE, "sub": "ada", "contract": "o-1", "document": "a" * 64, "iat": int(NOW)}
    return {**known, "exp": LINK.expires_at, **other}


def signed(keys: LinkKeys, body: dict[str, Any], secret: bytes | None = None, algorithm: str = "HS256") -> str:
    key = keys.all()[0]
    with_key = None if algorithm == "none" else secret or key.secret
    return jwt.encode(body, with_key, algorithm, headers={"kid": key.kid})


def test_a_link_says_what_it_was_made_for_and_is_the_same_each_time(keys: LinkKeys) -> None:
    token = make_token(keys, LINK, NOON)
    assert read_token(keys, token, NOW) == LINK
    assert make_token(keys, LINK, NOON) == token
    assert make_token(keys, replace(LINK, contract_id="o-2"), NOON) != token


def test_it_is_over_at_its_moment(keys: LinkKeys) -> None:
    token = make_token(keys, LINK, NOON)
    assert read_token(keys, token, LINK.expires_at - 0.001) == LINK
    assert refused(keys, token, LINK.expires_at) == "expired"


def test_what_is_forged_is_refused(keys: LinkKeys) -> None:
    good = make_token(keys, LINK, NOON)
    head, _, signature = good.split(".")
    other_body = make_token(keys, replace(LINK, contract_id="o-2"), NOON).split(".")[1]
    forged = {
        "none": signed(keys, claims(), algorithm="none"),
        "another key": signed(keys, claims(), b"x" * 32),
        "another algorithm": signed(keys, claims(), keys.all()[0].secret + b"\x00" * 32, "HS512"),
        "another body": f"{head}.{other_body}.{signature}",
        "another purpose": signed(keys, claims(aud="eventfold")),
        "no purpose": signed(keys, {name: one for name, one in claims().items() if name != "aud"}),
        "no end": signed(keys, {name: one for name, one in claims().items() if name != "exp"}),
        "an end that is no number": signed(keys, claims(exp=None)),
        "a contract that is no id": signed(keys, claims(contract="../o-1")),
        "a document that is none": signed(keys, claims(document="A" * 64)),
        "a customer that is none": signed(keys, claims(sub="")),
    }
    found = {what: refused(keys, token) for what, token in forged.items()}
    by_length = {"none", "another algorithm"}
    assert found == {what: "malformed" if what in by_length else "forged" for what in forged}


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "a.b.c.d", "é.b.c", "a b.c.d", "." * 5, "a." * 3_000])
def test_what_is_no_token_is_refused(keys: LinkKeys, token: str) -> None:
    assert refused(keys, token) == "malformed"


@given(length=st.integers(0, 300))
def test_a_link_that_was_cut_off_never_holds(keys: LinkKeys, length: int) -> None:
    token = make_token(keys, LINK, NOON)
    assert refused(keys, token[: min(length, len(token) - 1)]) in ("malformed", "forged")


@given(at=st.integers(0, 10_000), by=st.sampled_from("Aa0-_.=é"))
def test_a_link_with_another_character_never_holds(keys: LinkKeys, at: int, by: str) -> None:
    token = make_token(keys, LINK, NOON)
    place = at % (len(token) - 1)  # of the last one not every bit counts
    changed = token[:place] + by + token[place + 1 :]
    if changed != token:
        assert refused(keys, changed) in ("malformed", "forged", "unknown-key")


def test_old_keys_are_taken_as_long_as_they_stay(tmp_path: Path) -> None:
    path = tmp_path / "links.json"
    make_link_keys(path)
    keys = LinkKeys(path)
    first = make_token(keys, LINK, NOON)
    assert len(rotate_link_keys(path, keep=1)) == 2
    second = make_token(keys, LINK, NOON)
    assert first != second
    assert [read_token(keys, token, NOW) for token in (first, second)] == [LINK, LINK]
    rotate_link_keys(path, keep=1)
    assert refused(keys, first) == "unknown-key"
    assert read_token(keys, second, NOW) == LINK
    assert len(rotate_link_keys(path, keep=0)) == 1
    assert refused(keys, second) == "unknown-key"


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "links.json"
    make_link_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    os.chmod(path, 0o644)
    make_link_keys(path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (before, 0o600)
    rotate_link_keys(path, keep=1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = LinkKeys(path)
    assert keys.all()[0].kid in repr(keys.all()[0])
    assert "secret" not in repr(keys.all()[0])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no JWKS"),
        ("[]", "holds no JWKS"),
        ("\xff", "holds no JWKS"),
        ("{}", "holds no keys"),
        ('{"keys": []}', "holds no keys"),
        ('{"keys": [1]}', "key 1: it is no secret key"),
        ('{"keys": [{"kty": "OKP", "kid": "a", "x": "b"}]}', "key 1: it is no secret key"),
        ('{"keys": [{"kty": "oct", "kid": "a", "k": "c2hvcnQ"}]}', "key 1: a key is 32 bytes at least"),
        ('{"keys": [{"kty": "oct", "kid": "a", "k": "!"}]}', "key 1: a key is 32 bytes at least"),
        (f'{{"keys": [{NAMELESS}]}}', "key 1: it is no secret key"),
        (f'{{"keys": [{NAMED}, {NAMED}]}}', "of one name"),
    ],
)
def test_a_file_that_holds_no_keys_is_named_with_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "links.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UnusableLinkKeys, match=says) as error:
        LinkKeys(path).all()
    assert str(path) in str(error.value)
    assert "c2hvcnQ" not in str(error.value)


def test_without_a_file_there_are_no_links(tmp_path: Path) -> None:
    with pytest.raises(UnusableLinkKeys, match="No such file"):
        make_token(LinkKeys(tmp_path / "links.json"), LINK, datetime.now(UTC))


def test_an_operator_rotates_the_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "links.json"
    rotate = ["documents", "rotate-link-key", str(path)]
    assert main(rotate) == 0
    first = LinkKeys(path).all()[0].kid
    assert f"Links are made with {first}; no other key is still taken" in capsys.readouterr().out
    assert main(rotate) == 0
    assert f"{first} is still taken" in capsys.readouterr().out
    assert main([*rotate, "--keep", "0"]) == 0
    assert len(LinkKeys(path).all()) == 1
    path.write_text("{}")
    assert main(rotate) == 1
