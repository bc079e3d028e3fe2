"""The mails that a sink has taken: in memory, and in a file that survives the process."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import msgspec
from msgspec import Struct


class KeptMail(Struct, frozen=True):
    """A mail as it arrived; one that came twice is kept twice. `headers` are all of them, in their order."""

    sender: str
    recipients: list[str]
    message_id: str
    subject: str
    text: str
    html: str
    headers: list[tuple[str, str]]
    received_at: datetime


class Mails:
    """Every mail taken so far. `file` holds one JSON object a line; a last line that was cut off by a crash belongs to
    a mail that was never acknowledged, and is dropped."""

    def __init__(self, file: Path | None = None) -> None:
        self._mails: list[KeptMail] = []
        self._output = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            whole = _read(file) if file.exists() else []
            self._mails = [msgspec.json.decode(line, type=KeptMail) for line in whole]
            file.write_bytes(b"".join(whole))
            self._output = file.open("ab", buffering=0)

    def keep(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        """Keeps a mail; once it returns, the end of the process does not lose it."""
        mail = _parsed(sender, recipients, content)
        if self._output is not None:
            self._output.write(msgspec.json.encode(mail) + b"\n")
        self._mails.append(mail)

    def all(self) -> list[KeptMail]:
        """In the order in which they came."""
        return list(self._mails)

    def close(self) -> None:
        if self._output is not None:
            self._output.close()


def _read(file: Path) -> list[bytes]:
    return [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _parsed(sender: str, recipients: Iterable[str], content: bytes) -> KeptMail:
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return KeptMail(
        sender=sender,
        recipients=list(recipients),
        message_id=str(message.get("Message-ID", "")),
        subject=str(message.get("Subject", "")),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        headers=[(name, str(value)) for name, value in message.items()],
        received_at=datetime.now(UTC),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
