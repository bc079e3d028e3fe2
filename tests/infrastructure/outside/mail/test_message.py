"""Mails as bytes: nothing that is put into one becomes a header, markup, or another recipient."""

import html
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.outside.mail import InvalidMail, Mail
from infrastructure.outside.mail.message import mail_bytes, message_id
from infrastructure.outside.mail.template import MailTemplate

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SENDER = "orders@shop.example"
TEMPLATE = MailTemplate(
    "cancelled", "Order $order is cancelled: $reason", ("Dear $name,", "it was cancelled: $reason.")
)
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}


def parsed(mail: Mail) -> EmailMessage:
    content = mail_bytes(mail, SENDER)
    assert all(len(line) <= 998 for line in content.split(b"\r\n")), "RFC 5322, 2.1.1"
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert content.isascii()
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=50), st.text(max_size=300), st.text(min_size=1, max_size=50))
def test_whatever_the_values_are_the_headers_are_ours(order: str, name: str, reason: str, key: str) -> None:
    text = TEMPLATE.render({"order": order, "name": name, "reason": reason})
    key = key.encode(errors="replace").decode()
    message = parsed(Mail(key, "ada@customers.example", text.subject, text.text, text.html, NOON))
    assert (set(message.keys()), len(message.keys())) == (HEADERS, len(HEADERS))
    assert (message["From"], message["To"]) == (SENDER, "ada@customers.example")
    assert message["Message-ID"] == message_id(key, SENDER)
    assert message["Subject"].split() == text.subject.split()
    assert body(message, "plain") == text.text
    page = body(message, "html")
    assert page.count("<") == TEMPLATE.render({"order": "", "name": "", "reason": ""}).html.count("<")
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_values_are_no_markup_and_no_placeholders() -> None:
    text = TEMPLATE.render({"order": "$name", "name": "<b>&</b>", "reason": "a\r\nBcc: all@example.org"})
    assert text.subject == "Order $name is cancelled: a Bcc: all@example.org"
    assert text.text == "Dear <b>&</b>,\n\nit was cancelled: a Bcc: all@example.org.\n"
    assert f"<p>Dear {html.escape('<b>&</b>')},</p>" in text.html


def test_a_value_that_is_missing_and_a_placeholder_that_is_none_are_named() -> None:
    with pytest.raises(KeyError, match="reason"):
        TEMPLATE.render({"order": "o", "name": "n"})
    with pytest.raises(ValueError, match=r"template broken.*\$ 5"):
        MailTemplate("broken", "it costs $ 5", ())
    assert TEMPLATE.placeholders == {"order", "name", "reason"}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@b.example",
        "ada@",
        "ada@b.example\r\nBcc: all@example.org",
        "ada@b.example\n",
        "ada@b.example, bob@b.example",
        "Ada <ada@b.example>",
        '"a b"@b.example',
        "a..b@b.example",
        "a.@b.example",
        "a:b@b.example",
        "ada@b..example",
        "ada@-b.example",
        "ädä@b.example",
        "a" * 65 + "@b.example",
        "ada@" + "b" * 300,
    ],
)
def test_what_is_no_address_is_refused_before_any_server_is_asked(address: str) -> None:
    with pytest.raises(InvalidMail, match="no mail address"):
        Mail("k", address, "subject", "text", "<p>", NOON)


@pytest.mark.parametrize("subject", ["", "  ", "a\r\nBcc: b@c.example", "a\nb", "a\x00b", "a\u2028b", "x" * 201])
def test_a_subject_that_could_be_more_than_one_is_refused(subject: str) -> None:
    with pytest.raises(InvalidMail, match="subject"):
        Mail("k", "ada@b.example", subject, "text", "<p>", NOON)


def test_a_repetition_is_the_same_to_the_last_byte() -> None:
    mail = Mail("k", "ada@b.example", "héllo", "text", "<p>", NOON)
    assert mail_bytes(mail, SENDER) == mail_bytes(mail, SENDER)
    assert message_id("k", SENDER) != message_id("l", SENDER)
