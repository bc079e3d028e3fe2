"""Mail over SMTP (RFC 5321), under a policy: the adapter for any mail server.

Delivery is at least once: between a server's taking a mail and our hearing of it, a connection can break; then the same
mail, with the same Message-ID, is sent again.
"""

import asyncio
from contextlib import AbstractContextManager, suppress
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
from msgspec import Struct
from opentelemetry.trace import Span, SpanKind

from infrastructure.outside.mail.message import mail_bytes, without_address
from infrastructure.outside.mail.port import Mail, MailRefused, check_address
from infrastructure.resilience import Policy, TransientFault
from infrastructure.settings import InvalidSettings, Settings
from infrastructure.telemetry.spans import child_span

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_CLOSING = 421
_MAX_REASON = 300


class MailServer(Struct, frozen=True):
    """Where a mail server is, and how it is spoken to; a `scheme` of _PORTS."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """From `scheme://user:password@host:port`. Raises InvalidSettings, without showing the password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidSettings(f"EVENTFOLD_MAIL_URL: {error}") from None
        shown = f"{parts.scheme}://{parts.hostname or ''}"
        if parts.scheme not in _PORTS or not parts.hostname:
            raise InvalidSettings(f"EVENTFOLD_MAIL_URL: {' or '.join(_PORTS)}://host:port, not {shown}")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise InvalidSettings(f"EVENTFOLD_MAIL_URL: nothing stands after the port in {shown}")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if (user is None) != (password is None):
            raise InvalidSettings(f"EVENTFOLD_MAIL_URL: a user and a password, or neither, in {shown}")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password)


class SmtpMailer:
    """Sends each mail on a connection of its own, from the address `sender`.

    Raises InvalidMail where `sender` is no address.
    """

    def __init__(self, server: MailServer, sender: str, policy: Policy) -> None:
        check_address(sender)
        self.policy = policy
        self._server = server
        self._sender = sender
        self._farewells: set[asyncio.Task[None]] = set()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The mail server that the settings name. Raises InvalidSettings."""
        given = settings.mail
        try:
            return cls(MailServer.parse(given.url), given.sender, Policy("mail", given.limits))
        except MailRefused as error:
            raise InvalidSettings(f"EVENTFOLD_MAIL_SENDER: {error}") from None

    async def send(self, mail: Mail) -> None:
        """As Mailer says."""
        content = mail_bytes(mail, self._sender)
        with self._span(mail):
            await self.policy.call(lambda: self._attempt(mail.to, content))

    async def close(self) -> None:
        """Waits for the connections that are being closed."""
        if self._farewells:
            await asyncio.wait(self._farewells)

    async def _attempt(self, to: str, content: bytes) -> None:
        client = self._client()
        try:
            await _connect(client)
            await _deliver(client, self._sender, to, content)
        except BaseException:
            client.close()
            raise
        # The mail has been taken: how the server takes the goodbye is no part of that, and must cause no repetition.
        farewell = asyncio.create_task(_say_goodbye(client))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    def _span(self, mail: Mail) -> AbstractContextManager[Span]:
        """All attempts together. Nothing of whom it is for, or of what it says."""
        attributes: dict[str, str | int] = {
            "network.protocol.name": "smtp",
            "server.address": self._server.host,
            "server.port": self._server.port,
            "eventfold.mail.key": mail.key,
        }
        return child_span("send mail", SpanKind.CLIENT, attributes, refusals=(MailRefused,))

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",
            timeout=self.policy.limits.timeout,
        )


async def _connect(client: aiosmtplib.SMTP) -> None:
    """Also what is definite here, such as a wrong password, is no mail's fault, and all mails wait for it to be put
    right."""
    try:
        await client.connect()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise TransientFault(f"the mail server can't be used: {_reason(error)}", sent=False) from error


async def _deliver(client: aiosmtplib.SMTP, sender: str, to: str, content: bytes) -> None:
    try:
        await client.sendmail(sender, [to], content)
    except aiosmtplib.SMTPSenderRefused as error:
        raise TransientFault(f"the mail server does not take mail from {sender}: {_reason(error)}") from error
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise _refusal(refused.code, without_address(to, f"{to} is refused: {_reason(refused)}")) from None
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error.code, without_address(to, f"the mail is refused: {_reason(error)}")) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise TransientFault(f"the mail server does not answer: {_reason(error)}") from error


def _refusal(code: int, message: str) -> Exception:
    if code >= 500:
        return MailRefused(message)
    # It answers, and may take other mails; with 421 it says that it closes.
    return TransientFault(message, away=code == _CLOSING)


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(5.0):
            await client.quit()
    client.close()


def _reason(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        text = f"{error.code} {error.message}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:_MAX_REASON]
