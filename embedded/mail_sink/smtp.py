"""The SMTP side of a sink, on aiosmtpd."""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.mail_sink.faults import Faults
from embedded.mail_sink.mails import Mails

MAX_MAIL = 1_048_576
"""Bytes."""


class SinkHandler:
    """What aiosmtpd asks at each command; `faults` can be exchanged at any time."""

    def __init__(self, mails: Mails) -> None:
        self.faults = Faults()
        self._mails = mails

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        await self._first_command(server)
        session.host_name = hostname
        return responses

    async def handle_HELO(  # noqa: N802
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str
    ) -> str:
        await self._first_command(server)
        session.host_name = hostname
        return f"250 {server.hostname}"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        fault = self._fault([address])
        if fault == "busy":
            return "450 4.2.1 the mailbox is busy"
        if fault == "refuse":
            return "550 5.1.1 there is no such mailbox"
        if fault == "drop":
            _break(server)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        fault = self._fault(envelope.rcpt_tos)
        if fault == "busy-after-data":
            return "451 4.3.0 it can't be taken now"
        if fault == "refuse-after-data":
            return "554 5.6.0 it is not wanted"
        content = envelope.content or b""
        self._mails.keep(
            envelope.mail_from or "", envelope.rcpt_tos, content.encode() if isinstance(content, str) else content
        )
        if fault == "hang-after-data":
            await asyncio.Event().wait()
        if fault == "drop-after-data":
            _break(server)
        return "250 OK: kept"

    async def _first_command(self, server: SMTP) -> None:
        await asyncio.sleep(self.faults.latency)
        if self.faults.fault == "hang":
            await asyncio.Event().wait()
        if self.faults.fault == "closing":
            await server.push("421 4.3.2 it is closing")
            _break(server)

    def _fault(self, recipients: list[str]) -> str:
        concerned = any(self.faults.recipient in one for one in recipients)
        return self.faults.fault if concerned else "none"


def _break(server: SMTP) -> None:
    transport: Any = server.transport
    if transport is not None:
        transport.abort()


async def listen_smtp(handler: SinkHandler, host: str, port: int) -> asyncio.Server:
    """Takes mails at that address; raises OSError where the port is taken."""

    def protocol() -> SMTP:
        return SMTP(handler, data_size_limit=MAX_MAIL, ident="eventfold mail sink", loop=asyncio.get_running_loop())

    return await asyncio.get_running_loop().create_server(protocol, host, port)
