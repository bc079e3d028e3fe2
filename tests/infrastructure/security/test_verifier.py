"""Which tokens are taken: those that the issuer made for us, with one of its keys, and that are valid now."""

import asyncio
import binascii
import contextlib
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.security.identity import EVERYTHING, Identity
from infrastructure.security.invalid_token import InvalidToken
from infrastructure.security.key_sources import FixedKeys
from infrastructure.security.roles import ROLES
from infrastructure.security.verification_keys import InvalidKeys, parse_jwks, secret_key
from infrastructure.security.verifier import TokenVerifier, Verified
from infrastructure.settings import Settings
from tests.support.tokens import NOW, IssuerKey, encoded, hmac_token, jwks, raw_token, right_claims

KEYS = [IssuerKey(algorithm, f"key-{algorithm}") for algorithm in ("RS256", "ES256", "EdDSA")]
RSA, EC, ED = KEYS
STRANGER = IssuerKey("EdDSA", ED.kid)
SECRET = "0123456789abcdef0123456789abcdef"
LEEWAY = 30


def verifier(keys: Any = None, **settings: Any) -> TokenVerifier:
    known = parse_jwks(jwks(*KEYS)) if keys is None else keys
    return TokenVerifier(FixedKeys(known), Settings.of(**settings).authentication, lambda: NOW)


CHECKS = verifier()


def verified(token: str, checks: TokenVerifier = CHECKS) -> Verified:
    return asyncio.run(checks.verify(token.encode()))


def refused(token: str, checks: TokenVerifier = CHECKS) -> str:
    with pytest.raises(InvalidToken) as error:
        verified(token, checks)
    return str(error.value)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm)
def test_tokens_of_each_algorithm_are_taken(key: IssuerKey) -> None:
    assert verified(key.token()) == Verified(Identity("ada"), NOW + 600 + LEEWAY)


def test_a_key_without_a_name_is_the_one_that_any_token_means() -> None:
    alone = IssuerKey("ES256", None)
    checks = verifier(parse_jwks(jwks(alone)))
    assert verified(alone.token(), checks).identity.subject == "ada"
    assert verified(alone.token(None, kid="any"), checks).identity.subject == "ada"


def test_the_secret_for_development() -> None:
    checks = verifier(secret_key(SECRET))
    token = jwt.encode(right_claims(), SECRET, "HS256")
    assert verified(token, checks).identity.subject == "ada"
    assert "signature" in refused(jwt.encode(right_claims(), SECRET[::-1], "HS256"), checks)


@pytest.mark.parametrize("secret", ["", "short", "a" * 64, "ab" * 40])
def test_a_secret_that_could_be_guessed_is_refused(secret: str) -> None:
    with pytest.raises(InvalidKeys, match="at least 32 bytes"):
        secret_key(secret)


def test_roles_and_scopes_come_to_what_the_identity_may() -> None:
    token = ED.token(right_claims(roles=["service", "no-such-role"], scope="orders:read  orders:write"))
    assert verified(token).identity.scopes == ROLES["service"] | {"orders:read", "orders:write"}


def test_no_list_of_scopes_comes_to_everything() -> None:
    assert EVERYTHING not in verified(ED.token(right_claims(scope=f"a {EVERYTHING}"))).identity.scopes


_PEM = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_DER = RSA.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_ED_RAW = ED.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@pytest.mark.parametrize(
    "token",
    [
        raw_token({"alg": "none"}, right_claims()),
        raw_token({"alg": "none", "kid": ED.kid}, right_claims(), b"x"),
        raw_token({"alg": "None", "kid": RSA.kid}, right_claims(), b"x"),
        raw_token({"alg": "", "kid": RSA.kid}, right_claims(), b"x"),
        hmac_token({"alg": "HS256", "kid": RSA.kid}, right_claims(), _PEM),
        hmac_token({"alg": "HS256", "kid": RSA.kid}, right_claims(), _DER),
        hmac_token({"alg": "RS256", "kid": RSA.kid}, right_claims(), _PEM),
        hmac_token({"alg": "HS256", "kid": ED.kid}, right_claims(), _ED_RAW),
        hmac_token({"alg": "HS256", "kid": ED.kid}, right_claims(), ED.public["x"].encode()),
        RSA.token(None, kid=EC.kid),
        RSA.token(None, kid=ED.kid),
        jwt.encode(right_claims(), RSA.private, "PS256", headers={"kid": RSA.kid}),
        jwt.encode(right_claims(), RSA.private, "RS512", headers={"kid": RSA.kid}),
        STRANGER.token(),
    ],
)
def test_the_algorithm_is_the_keys_and_never_the_tokens(token: str) -> None:
    refused(token)


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": STRANGER.public},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/chain"},
        {"x5c": ["MIIB"]},
        {"jwk": STRANGER.public, "kid": "of-the-stranger"},
    ],
)
def test_where_a_token_says_that_keys_are_is_not_looked(header: dict[str, Any]) -> None:
    assert refused(STRANGER.token(None, **header)) in (
        "the token's signature is not its key's",
        "the token names no key that is known",
    )
    if "kid" not in header:
        assert verified(ED.token(None, **header)).identity.subject == "ada", "nor does it harm a right one"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "no JWT"),
        ("a.b", "no JWT"),
        ("a.b.c.d", "no JWT"),
        ("a.b.", "no JWT"),
        ("a.b.c=", "no JWT"),
        (" " + ED.token(), "no JWT"),
        ("{}.{}.{}", "no JWT"),
        ("a.b.c", "header"),
        (f"{encoded([])}.{encoded({})}.YQ", "header"),
        (f"{encoded(b'[' * 5000)}.{encoded({})}.YQ", "header"),
        (f"{encoded(bytes(range(200, 256)))}.{encoded({})}.YQ", "header"),
        (raw_token({"kid": ED.kid}, right_claims(), b"x"), "header"),
        (raw_token({"alg": 5, "kid": ED.kid}, right_claims(), b"x"), "header"),
        (raw_token({"alg": "EdDSA", "kid": 5}, right_claims(), b"x"), "header"),
        (raw_token({"alg": "EdDSA", "kid": "k" * 300}, right_claims(), b"x"), "header"),
        (ED.token(None, crit=["exp"], exp=1), "crit"),
        (raw_token({"alg": "EdDSA", "kid": ED.kid, "crit": ["b64"], "b64": False}, right_claims(), b"x"), "crit"),
        (ED.token(None, typ="dpop+jwt"), "typ"),
        (raw_token({"alg": "EdDSA"}, right_claims(), b"x"), "names no key, and there are several"),
        (ED.token(None, kid="unknown"), "names no key that is known"),
        (ED.token(None, kid="../../etc/passwd"), "names no key that is known"),
        (ED.token()[:-4] + "AAAA", "signature"),
        (raw_token({"alg": "EdDSA", "kid": ED.kid}, right_claims(), b""), "no JWT"),
        (ED.token(right_claims(iss="eventfold.evil")), "issuer"),
        (ED.token(right_claims(aud="others")), "audience"),
        (ED.token(right_claims(aud=["others", "more"])), "audience"),
        (ED.token(right_claims(aud=[])), "audience"),
        (ED.token(right_claims(aud=None)), "missing required field `aud`"),
        (ED.token(right_claims(exp=None)), "missing required field `exp`"),
        (ED.token(right_claims(iss=None)), "missing required field `iss`"),
        (ED.token(right_claims(sub=None)), "missing required field `sub`"),
        (ED.token(right_claims(exp=int(NOW) - LEEWAY)), "expired at 2027-01-15T07:59:30Z"),
        (ED.token(right_claims(nbf=int(NOW) + LEEWAY + 1)), "not valid before"),
        (ED.token(right_claims(iat=int(NOW) + LEEWAY + 1)), "not valid before"),
        (ED.token(right_claims(exp=1e300)), "claims are not as they must be"),
        (ED.token(right_claims(roles="staff")), "claims are not as they must be"),
        (ED.token(right_claims(sub="")), "sub"),
        (ED.token(right_claims(sub="a b")), "sub"),
        (ED.token(right_claims(sub="a\nb")), "sub"),
        (ED.token(right_claims(sub="a" * 129)), "sub"),
    ],
)
def test_what_is_wrong_is_said(token: str, said: str) -> None:
    assert said in refused(token)


@pytest.mark.parametrize(
    "claims",
    [
        right_claims(aud=["others", "eventfold"]),
        right_claims(exp=int(NOW) - LEEWAY + 1),
        right_claims(exp=NOW + 0.5),
        right_claims(nbf=int(NOW) + LEEWAY),
        right_claims(iat=None),
        right_claims(more={"deep": [1, 2]}),
    ],
)
def test_what_is_right_within_the_leeway_is_taken(claims: dict[str, Any]) -> None:
    assert verified(ED.token(claims)).identity.subject == "ada"


def test_a_token_that_is_too_long_is_not_even_read() -> None:
    long = ED.token(right_claims(more="x" * 1000))
    assert refused(long, verifier(auth_max_token_bytes=512)) == "the token has over 512 bytes"
    assert verified(long).identity.subject == "ada"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["none", "HS256", "RS256", "PS256", "ES256", "EdDSA", "HS512"]) | _JSON,
        "kid": st.sampled_from([key.kid for key in KEYS]) | _JSON,
        "typ": st.sampled_from(["JWT", "at+jwt"]) | _JSON,
        "crit": _JSON,
        "b64": _JSON,
        "jwk": st.just(STRANGER.public) | _JSON,
        "jku": _JSON,
    },
)
_MOMENTS = st.floats(NOW - 1000, NOW + 1000) | st.integers(int(NOW) - 100, int(NOW) + 100) | _JSON
_CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.just("eventfold") | _JSON,
        "aud": st.just("eventfold") | st.lists(st.just("eventfold") | _JSON, max_size=3) | _JSON,
        "sub": st.just("ada") | _JSON,
        "exp": _MOMENTS,
        "nbf": _MOMENTS,
        "iat": _MOMENTS,
        "scope": _JSON,
        "roles": _JSON,
    },
)
_SIGNATURES = st.binary(max_size=80)


@given(_HEADERS | _JSON, _CLAIMS | _JSON, _SIGNATURES)
def test_no_token_is_taken_that_no_key_has_signed(header: Any, claims: Any, signature: bytes) -> None:
    refused(raw_token(header, claims, signature))


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200))
def test_any_text_is_refused(text: str) -> None:
    said = refused(text)
    assert said.isascii()
    assert '"' not in said


@given(_CLAIMS)
def test_of_what_the_issuer_signs_that_is_taken_which_is_for_us_and_valid_now(claims: dict[str, Any]) -> None:
    try:
        taken = verified(ED.token(claims))
    except InvalidToken:
        return
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    assert claims["iss"] == "eventfold"
    assert "eventfold" in audience
    assert claims["exp"] > NOW - LEEWAY
    assert all(claims.get(name, 0) <= NOW + LEEWAY for name in ("nbf", "iat"))
    assert taken.identity.subject == claims["sub"]


@given(st.data())
def test_no_changed_byte_of_a_right_token_is_taken(data: st.DataObject) -> None:
    token = data.draw(st.sampled_from([key.token() for key in KEYS]))
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."))
    changed = token[:at] + other + token[at + 1 :]
    with contextlib.suppress(binascii.Error):  # where it is no base64 any more
        if jwt.utils.base64url_decode(changed.split(".")[-1]) == jwt.utils.base64url_decode(token.split(".")[-1]):
            return  # the last character has bits that stand for nothing
    refused(changed)
