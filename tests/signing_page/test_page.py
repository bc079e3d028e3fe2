"""The signing page: who has the link reads, signs or declines; whatever else comes is told why not, readably."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog
from structlog.testing import capture_logs

from domain.documents.consent import CONSENT_VERSION, CONSENTS
from domain.documents.events import ContractDeclined, ContractSigned
from infrastructure.clock import utc_now
from infrastructure.security.link_keys import rotate_link_keys
from infrastructure.settings import InvalidSettings
from signing_page.routes import DOCUMENT, PAGE
from tests.signing_page.counter import AWAY, DIGEST, PDF, SigningCounter
from tests.support.served import Reply

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

PROGRAM = "application/json"


@pytest.fixture
def counter(tmp_path: Path) -> SigningCounter:
    return SigningCounter(tmp_path)


def signing(token: str, **other: str) -> dict[str, str]:
    return {"token": token, "action": "sign", "name": "Ada Lovelace", "consent": CONSENT_VERSION, **other}


def declining(token: str, reason: str = "changed-mind") -> dict[str, str]:
    return {"token": token, "action": "decline", "reason": reason}


class Elements(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def title(self) -> str:
        return self.words[next(n for n, word in enumerate(self.words) if word.strip())].strip()


def page(reply: Reply, status: int = 200) -> Elements:
    """A page as every one must be: whole, of our own, in no frame, and telling nobody where one comes from."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in reply.headers
    text = reply.body.decode()
    assert "http:" not in text
    assert "https:" not in text
    assert "<script" not in text
    found = Elements(text)
    assert found.of("html") == [{"lang": "en"}]
    assert len(found.of("h1")) == 1
    return found


async def test_the_page_shows_the_document_and_both_forms(counter: SigningCounter) -> None:
    token = await counter.put_up()
    found = page(await counter.opened(token))
    assert found.title == "Sign the contract of order o-1"
    (shown,) = found.of("object")
    assert (shown["data"], shown["type"]) == (f"sign/document?token={token}", "application/pdf")
    assert {one["href"] for one in found.of("a")} == {f"sign/document?token={token}"}
    assert [(one["method"], one["action"]) for one in found.of("form")] == [("post", "sign")] * 2
    labelled = {one["for"] for one in found.of("label")}
    assert labelled == {"name", "consent", "reason"}
    named = {one.get("id"): one for one in (*found.of("input"), *found.of("select"))}
    assert labelled <= named.keys()
    assert (named["name"]["dir"], named["name"]["autocomplete"]) == ("auto", "name")
    assert all("required" in named[one] for one in labelled)
    assert "checked" not in named["consent"]
    assert CONSENTS[CONSENT_VERSION] in found.words
    assert DIGEST in found.words


async def test_the_document_is_the_one_of_the_link(counter: SigningCounter) -> None:
    token = await counter.put_up()
    reply = await counter.opened(token, path=DOCUMENT)
    assert (reply.status, reply.body) == (200, PDF)
    assert reply.headers["content-type"] == "application/pdf"
    assert reply.headers["content-disposition"] == 'inline; filename="contract-o-1.pdf"'
    assert "frame-ancestors 'self'" in reply.headers["content-security-policy"]
    assert (reply.headers["referrer-policy"], reply.headers["cache-control"]) == ("no-referrer", "no-store")
    counter.queries.document = PDF + b" with a word more"
    assert page(await counter.opened(token, path=DOCUMENT), 409).title == "The document has changed"


async def test_who_signs_is_recorded_with_the_words_and_where_it_came_from(counter: SigningCounter) -> None:
    token = await counter.put_up()
    reply = await counter.sent(
        signing(token, name="  Ada Lovelace "), user_agent="Mozilla/5.0 (Tést; \x7f) x" + "y" * 600
    )
    found = page(reply)
    assert found.title == "You have signed"
    assert "Ada Lovelace" in found.words
    (signed,) = counter.events()
    assert isinstance(signed, ContractSigned)
    assert (signed.name, signed.document_sha256) == ("Ada Lovelace", DIGEST)
    assert (signed.channel, signed.consent_version) == ("link", CONSENT_VERSION)
    assert signed.address == "198.51.100.7"
    assert signed.user_agent.startswith("Mozilla/5.0 (T?st; ?) xyy")
    assert len(signed.user_agent) == 500


async def test_who_declines_chooses_why(counter: SigningCounter) -> None:
    token = await counter.put_up()
    assert page(await counter.sent(declining(token))).title == "You have declined"
    (declined,) = counter.events()
    assert isinstance(declined, ContractDeclined)
    assert declined.reason == "I have changed my mind"


async def test_a_second_click_changes_nothing_and_then_the_link_is_over(counter: SigningCounter) -> None:
    token = await counter.put_up()
    for _ in range(2):
        assert page(await counter.sent(signing(token))).title == "You have signed"
    for fields in (signing(token, name="Somebody Else"), declining(token)):
        assert page(await counter.sent(fields), 410).title == "This contract is signed"
    for path in (PAGE, DOCUMENT):
        assert page(await counter.opened(token, path=path), 410).title == "This contract is signed"
    assert len(counter.events()) == 1


@pytest.mark.parametrize(
    ("action", "body", "title"),
    [
        ("sign", {"document_sha256": DIGEST, "name": "Ada", "consent": True}, "This contract is signed"),
        ("decline", {"reason": "x"}, "This contract was declined"),
        ("withdraw", {"reason": "the order was cancelled"}, "This contract is void"),
    ],
)
async def test_a_link_that_is_over_says_what_has_become_of_the_contract(
    counter: SigningCounter, action: str, body: dict[str, Any], title: str
) -> None:
    token = await counter.put_up()
    await counter.done("o-1", action, body)
    for reply in (
        await counter.opened(token),
        await counter.sent(signing(token)),
        await counter.sent(declining(token)),
    ):
        assert page(reply, 410).title == title
    told = await counter.opened(token, accept=PROGRAM)
    assert (told.status, told.json["type"]) == (410, "urn:eventfold:problem:signing-link-over")
    assert told.json["code"].startswith("contract-is-")


async def test_links_that_do_not_hold(counter: SigningCounter, tmp_path: Path) -> None:
    token = await counter.put_up()
    await counter.put_up("o-2")
    old = counter.token()
    rotate_link_keys(counter.keys.path, keep=0)
    good = counter.token()
    now = int(utc_now().timestamp())
    others = {
        "nothing": ("", 400, "There is no link here"),
        "cut off": (good[:-20], 400, "This link is not complete"),
        "forged": (f"{good[:-43]}{'A' * 43}", 403, "This link is not valid"),
        "without its end": (good.rpartition(".")[0], 400, "This link is not complete"),
        "no token": ("x", 400, "This link is not complete"),
        "of an old key": (old, 403, "This link is not valid"),
        "over": (counter.token(expires_at=now), 410, "The time to sign is over"),
        "of no contract": (counter.token("o-9"), 404, "There is no such contract"),
        "of somebody else": (counter.token(customer_id="bob"), 403, "This link is not valid"),
        "of another document": (counter.token(document_sha256="b" * 64), 409, "The document has changed"),
        "of another order": (counter.token("o-2", document_sha256="c" * 64), 409, "The document has changed"),
    }
    assert token == old
    for what, (wrong, status, title) in others.items():
        for path in (PAGE, DOCUMENT):
            found = page(await counter.opened(wrong, path=path), status)
            assert found.title == title, what
        told = await counter.opened(wrong, accept="*/*")
        assert (told.status, told.json["status"], told.json["title"]) == (status, status, title), what
        assert told.headers["content-type"] == "application/problem+json"
        assert not wrong or len(wrong) < 20 or wrong not in told.body.decode()
    assert page(await counter.opened(good)).title == "Sign the contract of order o-1"


async def test_what_does_not_hold_signs_nothing(counter: SigningCounter) -> None:
    await counter.put_up()
    for wrong, status in (
        (counter.token()[:-20], 400),
        (f"{counter.token()[:-43]}{'A' * 43}", 403),
        (counter.token(document_sha256="b" * 64), 409),
        (counter.token("o-9"), 404),
        (counter.token(expires_at=1), 410),
        ("", 400),
    ):
        page(await counter.sent(signing(wrong)), status)
    assert counter.events() == []


async def test_a_contract_that_is_not_put_up_yet(counter: SigningCounter) -> None:
    for order_id, rendered in (("o-3", False), ("o-4", True)):
        token = await counter.put_up(order_id, rendered=rendered, asked=False)
        reply = await counter.opened(token)
        assert page(reply, 503).title == "The contract is not ready yet"
        assert reply.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("other", "field", "says"),
    [
        ({"name": ""}, "name", "Type your name."),
        ({"name": " \t "}, "name", "Type your name."),
        ({"name": "x" * 201}, "name", "Your name can have 200 characters at most; this has 201."),
        ({"name": "Ada\x00"}, "name", "Your name has a character that does not show."),
        ({"name": "\u202eecalevoL adA"}, "name", "Your name has a character that does not show."),
        ({"name": "Ada\nLovelace"}, "name", "Your name has a character that does not show."),
        ({"consent": ""}, "consent", "Tick the box: without your consent nothing is signed."),
        ({"consent": "0"}, "consent", "The words of the consent have changed."),
    ],
)
async def test_a_form_that_is_not_complete_comes_back_with_what_is_wrong(
    counter: SigningCounter, other: dict[str, str], field: str, says: str
) -> None:
    token = await counter.put_up()
    reply = await counter.sent(signing(token, **other))
    found = page(reply, 422)
    assert found.title == "Not yet signed: Sign the contract of order o-1"
    (one,) = [one for one in found.of("input") if one.get("id") == field]
    assert (one["aria-invalid"], one["aria-describedby"]) == ("true", f"{field}-fault")
    assert f"#{field}" in [link["href"] for link in found.of("a")]
    assert [one["role"] for one in found.of("div")] == ["alert"]
    assert sum(says in word for word in found.words) == 2, "above the page, and at the field"
    told = await counter.sent(signing(token, **other), accept=PROGRAM)
    assert (told.status, told.json["type"]) == (422, "urn:eventfold:problem:form-faults")
    assert told.json["errors"][0]["pointer"] == f"/{field}"
    assert counter.events() == []


async def test_what_was_typed_stays_and_is_data(counter: SigningCounter) -> None:
    token = await counter.put_up()
    name = '"><script>alert(1)</script>'
    found = page(await counter.sent(signing(token, name=name, consent="")), 422)
    assert [one["value"] for one in found.of("input") if one.get("id") == "name"] == [name]
    signed = page(await counter.sent(signing(token, name=name)))
    assert name in signed.words


async def test_names_of_every_script_are_shown_by_themselves(counter: SigningCounter) -> None:
    for number, name in enumerate(("עדה לאבלייס", "آدا لوفلايس", "李小龙", "Åsa Øst", "O'Brien-Ñandú")):
        token = await counter.put_up(f"r-{number}")
        reply = await counter.sent(signing(token, name=name))
        assert f"<bdi>{name.replace(chr(39), '&#39;')}</bdi>" in reply.body.decode()
        (signed,) = counter.events(f"r-{number}")
        assert isinstance(signed, ContractSigned)
        assert signed.name == name


async def test_a_reason_must_be_one_of_those(counter: SigningCounter) -> None:
    token = await counter.put_up()
    for reason in ("", "because of you"):
        found = page(await counter.sent(declining(token, reason)), 422)
        assert "Choose why you decline." in found.words
    assert counter.events() == []


async def test_what_is_no_form_is_refused(counter: SigningCounter) -> None:
    token = await counter.put_up()
    good = urlencode(signing(token)).encode()
    for body, kind, status in (
        (good, "application/json", 415),
        (good, "text/plain", 415),
        (good, "multipart/form-data; boundary=x", 415),
        (b"\xff", None, 400),
        (b"token=%FF", None, 400),
        (b"&".join(b"a%d=1" % n for n in range(30)), None, 400),
        (urlencode({**signing(token), "action": "steal"}).encode(), None, 400),
        (good + b"&x=" + b"y" * 20_000, None, 413),
    ):
        headers = {"accept": "text/html"} | ({} if kind is None else {"content_type": kind})
        page(await counter.ask("POST", PAGE, body, headers=headers), status)
    assert counter.events() == []
    page(await counter.ask("PUT", PAGE, good, headers={"accept": "text/html"}), 405)
    page(await counter.ask("GET", "/nothing", headers={"accept": "text/html"}), 401)


async def test_while_the_shop_is_away_nothing_is_said_of_where_it_is(counter: SigningCounter) -> None:
    token = await counter.put_up()
    counter.queries.away = AWAY
    for path in (PAGE, DOCUMENT):
        reply = await counter.opened(token, path=path)
        assert page(reply, 503).title == "The shop can't be reached"
        assert "10.0.0.7" not in reply.body.decode()
        assert reply.headers["retry-after"] == "5"

    def away(_action: str) -> None:
        raise AWAY

    counter.commands.before = away
    reply = await counter.sent(signing(token))
    page(reply, 503)
    assert "not known whether your answer was recorded" in reply.body.decode()
    counter.keys.path.unlink()
    page(await counter.opened(token), 503)


async def test_who_asks_too_often_is_told_readably(tmp_path: Path) -> None:
    counter = SigningCounter(tmp_path, rate_limit=0.001, rate_limit_burst=2)
    token = await counter.put_up()
    statuses = [(await counter.opened(token)).status for _ in range(2)]
    assert statuses == [200, 200]
    limited = await counter.opened(token)
    assert page(limited, 429).title == "The client asks too often"
    assert int(limited.headers["retry-after"]) > 0
    other = await counter.ask("GET", f"{PAGE}?token={token}", headers={"accept": "text/html"}, client="203.0.113.1")
    page(other)


@pytest.mark.parametrize(
    ("trusted", "client", "forwarded", "address"),
    [
        ("", "10.0.0.1", "203.0.113.9", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.1", "1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.0/8", "198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.1, ::1", "::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "10.0.0.1", "unknown", ""),
        ("", "::ffff:203.0.113.9", "", "203.0.113.9"),
        ("", "fe80::1%eth0", "", "fe80::1"),
    ],
)
async def test_the_address_is_that_of_who_asks_as_far_as_gateways_are_trusted(
    tmp_path: Path, trusted: str, client: str, forwarded: str, address: str
) -> None:
    counter = SigningCounter(tmp_path, trusted_proxies=trusted)
    token = await counter.put_up()
    headers = {"accept": "text/html"} | ({"x_forwarded_for": forwarded} if forwarded else {})
    reply = await counter.ask("POST", PAGE, urlencode(signing(token)).encode(), headers=headers, client=client)
    page(reply)
    (signed,) = counter.events()
    assert isinstance(signed, ContractSigned)
    assert signed.address == address


def test_a_proxy_that_is_no_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="EVENTFOLD_TRUSTED_PROXIES: 'gateway' is no address and no network"):
        SigningCounter(tmp_path, trusted_proxies="10.0.0.1,gateway")


async def test_neither_token_nor_person_is_in_the_log(counter: SigningCounter) -> None:
    structlog.reset_defaults()
    with capture_logs() as logs:
        token = await counter.put_up()
        await counter.opened(token)
        await counter.opened(token[:-20])
        await counter.opened(token, path=DOCUMENT)
        await counter.sent(signing(token), user_agent="Canary/1.0")
        await counter.sent(declining(token))
    said = json.dumps(logs, default=str)
    assert {"request", "a contract was answered by its link", "a signing link was refused"} <= {
        one["event"] for one in logs
    }
    for secret in (token, token.rpartition(".")[2], "Lovelace", "Canary", "198.51.100.7"):
        assert secret not in said, secret
