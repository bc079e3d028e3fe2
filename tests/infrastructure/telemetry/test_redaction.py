"""Canaries: secrets and mail addresses, planted wherever one might come into a log, are in no line."""

import logging
from urllib.parse import quote

import pytest

from infrastructure.settings import Settings
from infrastructure.telemetry.redaction import MAX_TEXT, REDACTED, Redactor, secrets_of
from tests.infrastructure.telemetry.conftest import ReadLog

PASSWORD = "canary/p@ss:w0rd"
SPELLED = quote(PASSWORD, safe="")
SETTINGS = Settings.of(
    log_format="json",
    eventstore_uri=f"esdb://admin:{SPELLED}@node-1:2113?Tls=true",
    mongo_uri="mongodb://eventfold:canary-mongo@a.example:27017,b.example:27018/?replicaSet=rs",
    payments_key="canary-payments-key",
    payments_webhook_secret="canary-webhook-secret",
    mail_url="smtps://mailer:canary-mail@mail.example",
)
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Y2FuYXJ5LXNpZ25hdHVyZQ"
CANARIES = (
    "canary-payments-key",
    "canary-webhook-secret",
    "canary-mongo",
    "canary-mail",
    PASSWORD,
    SPELLED,
    JWT,
    "canary-other",
    "canary.person",
)


def test_the_secrets_of_the_settings_are_found() -> None:
    assert secrets_of(SETTINGS) == {
        *("canary-payments-key", "canary-webhook-secret", "canary-mongo", "canary-mail", SPELLED, PASSWORD),
    }
    assert secrets_of(Settings()) == set()


PLANTED = [
    *(f"it failed at {one!r}" for one in (SETTINGS.event_store.uri, SETTINGS.read_store.uri, SETTINGS.mail.url)),
    "key=canary-payments-key",
    f"can't reach redis://:{'canary-other'}@cache:6379/0",
    "GET /x?token=canary-other&limit=3",
    "Authorization: Bearer canary-other",
    '{"Authorization": "Basic canary-other"}',
    "{'authorization': b'Bearer canary-other'}",
    f"Bearer {JWT}",
    f"the token {JWT} has expired",
    "password='canary-other'",
    "api_key: canary-other",
    "X-Api-Key: canary-other",
    "Cookie: canary-other",
    "client_secret=canary-other",
    "550 5.1.1 <canary.person@customers.eventfold.example> is unknown here",
]


@pytest.mark.parametrize("text", PLANTED)
def test_no_canary_in_a_text(text: str) -> None:
    clean = Redactor.of(SETTINGS).text(text)
    assert REDACTED in clean
    assert not [one for one in CANARIES if one in clean], clean


def test_no_canary_in_a_line(read_log: ReadLog) -> None:
    log = read_log.start(SETTINGS)
    for text in PLANTED:
        log.info("planted", error=text, nested=[{"detail": (text, text.encode())}], settings=SETTINGS)
        logging.getLogger("pymongo").warning("it says %s", text)
        try:
            try:
                raise ValueError(text)
            except ValueError as error:
                raise RuntimeError(text) from error
        except RuntimeError:
            log.exception("planted")
            logging.getLogger("asyncio").exception("never retrieved")
    log.info("by name", password="canary-other", nested={"Authorization": "canary-other", "api_key": ["canary-other"]})
    text = read_log.text()
    assert text.count("\n") == 4 * len(PLANTED) + 1
    assert not [one for one in CANARIES if one in text]
    assert "node-1:2113" in text, "what helps to find the fault stays"
    assert "@customers.eventfold.example" in text


@pytest.mark.parametrize(
    "text",
    [
        "stream order-o-1 is at revision 4, not 3",
        "mongodb://127.0.0.1:27017/?directConnection=true&w=majority",
        "http://localhost:8001/orders/o-1?at_least=70",
        "2026-11-30T09:13:57.123456Z",
        "key lamp-1 is parked",
        "the token has expired",
        "UNAVAILABLE: ipv4:127.0.0.1:2113: Failed to connect; tokens left: 3",
        'File "/srv/eventfold/projector/folding/fold.py", line 31, in _fold',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor.of(SETTINGS).text(text) == text


def test_a_short_secret_is_not_taken_out_of_every_word() -> None:
    assert Redactor(["a", "root"]).text("a root is a root") == "a root is a root"
    assert Redactor.of(Settings.of(mail_url="smtp://a:root@b")).text("smtp://a:root@b") == f"smtp://a:{REDACTED}@b"


def test_a_text_has_a_bound() -> None:
    assert len(Redactor().text("x" * 10_000_000)) < MAX_TEXT + 40
