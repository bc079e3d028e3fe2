"""What every mailer promises, over each of them: a new adapter is one more line in `MAILERS`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from infrastructure.outside.mail import Mail, Mailer, MailRefused
from infrastructure.outside.mail.smtp import MailServer, SmtpMailer
from infrastructure.resilience import Delays, DependencyUnavailable, Limits, Policy
from tests.support.mail_sink import mail_sink
from tests.support.memory_mailer import MemoryMailer

SENDER = "orders@shop.example"
MAIL = Mail(
    "o-1/order-confirmed",
    "ada@customers.example",
    "Your order o-1 is confirmed: für Ada ✓",
    "Dear Ada,\n\nthank you.\n.\nFrom here on: é\n",
    "<p>Dear Ada</p>",
    datetime(2026, 3, 14, 12, tzinfo=UTC),
)


class Outside:
    """A mailer, and its other side: what has arrived (key or Message-ID, recipient, subject, text), and how to make it
    refuse an address or go away."""

    def __init__(
        self,
        mailer: Mailer,
        arrived: Callable[[], Awaitable[list[tuple[str, str, str, str]]]],
        refuse: Callable[[str], Awaitable[None]],
        away: Callable[[bool], Awaitable[None]],
    ) -> None:
        self.mailer = mailer
        self.arrived = arrived
        self.refuse = refuse
        self.away = away


@asynccontextmanager
async def in_memory(_directory: Path) -> AsyncIterator[Outside]:
    mailer = MemoryMailer()

    async def arrived() -> list[tuple[str, str, str, str]]:
        return [(mail.key, mail.to, mail.subject, mail.text) for mail in mailer.sent]

    async def refuse(address: str) -> None:
        mailer.failing[address] = MailRefused(f"{address} is refused: 550 5.1.1 there is no such mailbox")

    async def away(is_away: bool) -> None:
        mailer.failures = [DependencyUnavailable("mail", "away")] * (100 if is_away else 0)

    yield Outside(mailer, arrived, refuse, away)


@asynccontextmanager
async def over_smtp(directory: Path) -> AsyncIterator[Outside]:
    limits = Limits(timeout=30.0, retries=1, failure_threshold=1000)
    policy = Policy("mail", limits, delays=Delays(first=0.0, cap=0.0))
    async with mail_sink(directory) as sink:
        mailer = SmtpMailer(MailServer.parse(sink.url), SENDER, policy)

        async def arrived() -> list[tuple[str, str, str, str]]:
            return [
                (one["message_id"], one["recipients"][0], one["subject"], one["text"]) for one in await sink.mails()
            ]

        async def refuse(address: str) -> None:
            await sink.goes_wrong("refuse", address)

        async def away(is_away: bool) -> None:
            await sink.goes_wrong("closing" if is_away else "none")

        try:
            yield Outside(mailer, arrived, refuse, away)
        finally:
            await mailer.close()


MAILERS = {"memory": in_memory, "smtp": over_smtp}


@pytest.fixture(params=MAILERS)
async def outside(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outside]:
    async with MAILERS[request.param](tmp_path) as made:
        yield made


async def test_a_mail_arrives_as_it_was_written(outside: Outside) -> None:
    await outside.mailer.send(MAIL)
    ((_, recipient, subject, text),) = await outside.arrived()
    assert (recipient, subject) == (MAIL.to, MAIL.subject)
    assert text.replace("\r\n", "\n") == MAIL.text


async def test_the_same_mail_again_is_known_by_its_id_and_another_has_another(outside: Outside) -> None:
    for mail in (MAIL, MAIL, replace(MAIL, key="o-2/order-confirmed")):
        await outside.mailer.send(mail)
    first, second, other = (one[0] for one in await outside.arrived())
    assert first == second != other


async def test_what_is_refused_is_refused_at_once_and_others_are_not(outside: Outside) -> None:
    await outside.refuse("nobody@customers.example")
    with pytest.raises(MailRefused, match="there is no such mailbox"):
        await outside.mailer.send(replace(MAIL, to="nobody@customers.example"))
    await outside.mailer.send(MAIL)
    assert [one[1] for one in await outside.arrived()] == [MAIL.to]


async def test_while_it_is_away_nothing_is_known_and_the_same_mail_may_be_sent_afterwards(outside: Outside) -> None:
    await outside.away(True)
    with pytest.raises(DependencyUnavailable):
        await outside.mailer.send(MAIL)
    await outside.away(False)
    await outside.mailer.send(MAIL)
    assert [one[1] for one in await outside.arrived()] == [MAIL.to]


async def test_many_at_once(outside: Outside) -> None:
    mails = [replace(MAIL, key=f"o-{number}/x", to=f"c{number}@customers.example") for number in range(50)]
    await asyncio.gather(*(outside.mailer.send(mail) for mail in mails))
    assert {one[1] for one in await outside.arrived()} == {mail.to for mail in mails}
