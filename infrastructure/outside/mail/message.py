"""A mail as the bytes that go over the wire (RFC 5322): the same bytes for the same mail, whenever it is sent."""

import hashlib
import re
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime
from typing import Any

from domain.model.personal import REDACTED
from infrastructure.outside.mail.port import Mail

# Not the newer policies: they lose spaces of a long subject beyond ASCII when they fold it.
_WIRE = compat32.clone(linesep="\r\n")


def message_id(key: str, sender: str) -> str:
    """The Message-ID of the mail with that key: by it a mail that arrives twice is recognised."""
    return f"<{_digest(key)}@{sender.rpartition('@')[2]}>"


def mail_bytes(mail: Mail, sender: str) -> bytes:
    """The whole message, with plain text and HTML as alternatives."""
    message = MIMEMultipart("alternative", boundary=f"=_{_digest(mail.key)}")
    message["From"] = sender
    message["To"] = mail.to
    charset = "ascii" if mail.subject.isascii() else "utf-8"
    subject: Any = Header(mail.subject, charset, header_name="Subject")
    message["Subject"] = subject
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = message_id(mail.key, sender)
    message["Auto-Submitted"] = "auto-generated"  # so that no vacation notice answers it (RFC 3834)
    for body, kind in ((mail.text, "plain"), (mail.html, "html")):
        message.attach(MIMEText("\r\n".join(body.splitlines()) + "\r\n", kind, "utf-8"))
    return message.as_bytes(policy=_WIRE)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def without_address(address: str, text: str) -> str:
    """A text about a mail without the address, which is personal: what a mail server says often repeats it."""
    mailbox = address.partition("@")[0]
    return re.sub(rf"(?i){re.escape(address)}|(?<!\w){re.escape(mailbox)}(?!\w)", REDACTED, text)
