"""A mail as the bytes that go over the wire (RFC 5322): the same bytes for the same mail, whenever it is sent."""

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from infrastructure.outside.mail.port import Mail


def message_id(key: str, sender: str) -> str:
    """The Message-ID of the mail with that key: by it a mail that arrives twice is recognised."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{digest}@{sender.rpartition('@')[2]}>"


def mail_bytes(mail: Mail, sender: str) -> bytes:
    """The whole message, with plain text and HTML as alternatives."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = message_id(mail.key, sender)
    message["Auto-Submitted"] = "auto-generated"  # so that no vacation notice answers it (RFC 3834)
    message.set_content(mail.text, cte="base64")
    message.add_alternative(mail.html, subtype="html", cte="base64")
    message.set_boundary(f"=_{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}")
    return message.as_bytes()
