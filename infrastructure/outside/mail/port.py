"""What sends mail: the port that each adapter implements, and what a mail is."""

import re
from datetime import datetime
from typing import Protocol

from msgspec import Struct

MAX_SUBJECT = 200
MAX_ADDRESS = 254

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
# Control characters, and what some readers take for the end of a line.
_HALF = re.compile("[\ud800-\udfff]")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class MailRefused(Exception):
    """The mail can't be sent, now or later: the message says who refuses it, and why."""


class InvalidMail(MailRefused):
    """The mail can't be sent as it is: no server has been asked."""


class Mail(Struct, frozen=True):
    """A mail to one person, as plain text and as HTML.

    `key` names it: the same key is the same mail, however often it is sent, and gives it its Message-ID. `at` is the
    time in its Date header, so that a repetition is the same to the last byte.

    Raises InvalidMail for an address that is none, for a text that can't be written, and for a subject that is empty,
    too long or has control characters, by which one could write headers of one's own.
    """

    key: str
    to: str
    subject: str
    text: str
    html: str
    at: datetime

    def __post_init__(self) -> None:
        check_address(self.to)
        if not self.key:
            raise InvalidMail("a mail has a key")
        if any(_HALF.search(text) for text in (self.key, self.text, self.html)):
            raise InvalidMail("the text has half a character, which can't be written")
        if not self.subject.strip() or len(self.subject) > MAX_SUBJECT or _UNSAFE.search(self.subject):
            raise InvalidMail(f"the subject must be 1 to {MAX_SUBJECT} printable characters: {self.subject[:80]!r}")


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, mail: Mail) -> None:
        """Returns when the mail has been handed over for delivery.

        Raises MailRefused when it never will be, and DependencyUnavailable when it is not known whether it was, or the
        server can't be used now: then the same mail may be sent again.
        """


def check_address(address: str) -> None:
    """Raises InvalidMail unless it is a plain mail address in ASCII: no name, no comment, no quoted part."""
    local = address.rpartition("@")[0]
    if len(address) > MAX_ADDRESS or len(local) > 64 or not _ADDRESS.fullmatch(address):
        raise InvalidMail(f"{address[:80]!r} is no mail address")
