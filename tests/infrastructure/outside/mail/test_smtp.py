"""SMTP as it goes wrong: over a sink that is told how, and servers that are none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from infrastructure.outside.mail import MailRefused
from infrastructure.outside.mail.message import message_id
from infrastructure.outside.mail.smtp import MailServer, SmtpMailer
from infrastructure.resilience import Delays, DependencyUnavailable, Limits, Policy
from infrastructure.settings import InvalidSettings, Settings
from tests.infrastructure.outside.mail.test_mailer_contract import MAIL, SENDER
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.ports import free_port
from tests.support.raw_tcp import raw_server
from tests.support.services import until


def mailer_of(port: int, **limits: Any) -> SmtpMailer:
    given = {"timeout": 30.0, "retries": 0, "failure_threshold": 3, **limits}
    policy = Policy("mail", Limits(**given), delays=Delays(first=0.0, cap=0.0))
    return SmtpMailer(MailServer("smtp", "127.0.0.1", port), SENDER, policy)


@asynccontextmanager
async def sending(directory: Path, **limits: Any) -> AsyncIterator[tuple[MailSink, SmtpMailer]]:
    async with mail_sink(directory) as sink:
        mailer = mailer_of(sink.smtp_port, **limits)
        try:
            yield sink, mailer
        finally:
            await mailer.close()


async def test_each_fault_of_a_server(tmp_path: Path) -> None:
    """4xx and broken connections are for the moment, 5xx for good; nothing is taken that is not said to be."""
    async with sending(tmp_path, retries=1, failure_threshold=1000) as (sink, mailer):
        for fault in ("busy", "busy-after-data", "drop", "closing"):
            await sink.goes_wrong(fault)
            with pytest.raises(DependencyUnavailable) as failed:
                await mailer.send(MAIL)
            assert failed.value.alone == fault.startswith("busy"), fault
        for fault in ("refuse", "refuse-after-data"):
            await sink.goes_wrong(fault)
            with pytest.raises(MailRefused, match="55"):
                await mailer.send(MAIL)
        assert await sink.mails() == []
        await sink.goes_wrong("busy", recipient="bob@")
        await mailer.send(MAIL)
        assert len(await sink.mails()) == 1


async def test_a_server_that_took_the_mail_and_did_not_say_so_gets_the_same_mail_again(tmp_path: Path) -> None:
    async with sending(tmp_path) as (sink, mailer):
        await sink.goes_wrong("drop-after-data")
        with pytest.raises(DependencyUnavailable) as failed:
            await mailer.send(MAIL)
        assert failed.value.sent
        await sink.goes_wrong()
        await mailer.send(MAIL)
        first, second = ({**one, "received_at": None} for one in await sink.mails())
        assert first == second
        assert first["message_id"] == message_id(MAIL.key, SENDER)


async def test_a_server_that_greets_and_hangs_takes_no_more_than_its_places(tmp_path: Path) -> None:
    async with sending(tmp_path, timeout=0.3, concurrency=2, queue=3) as (sink, mailer):
        await sink.goes_wrong("hang")
        calls = [asyncio.create_task(mailer.send(MAIL)) for _ in range(50)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(one) for one in outcomes} == {DependencyUnavailable}
        assert sum("calls are under way" in str(one) for one in outcomes) == 45
        assert any("no answer" in str(one) or "imed out" in str(one) for one in outcomes)
        with pytest.raises(DependencyUnavailable, match="not asked"):
            await mailer.send(MAIL)
        with pytest.raises(DependencyUnavailable, match="not asked"):
            await mailer.policy.ready()
        assert await sink.mails() == []


async def test_a_mail_that_was_taken_is_sent_whatever_becomes_of_the_goodbye() -> None:
    """The server takes the mail, then never answers QUIT: nothing waits for it, and nothing is repeated."""
    taken = 0

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        writer.write(b"220 rude\r\n")
        in_data = False
        while line := await reader.readline():
            if in_data:
                if line == b".\r\n":
                    taken, in_data = taken + 1, False
                    writer.write(b"250 kept\r\n")
            elif line.startswith(b"DATA"):
                in_data = True
                writer.write(b"354 go on\r\n")
            elif line.startswith(b"QUIT"):
                await asyncio.Event().wait()
            else:
                writer.write(b"250 ok\r\n")

    async with raw_server(rude) as server:
        mailer = mailer_of(server.port, retries=5)
        await mailer.send(MAIL)
        await mailer.send(replace(MAIL, key="another"))
        assert taken == 2


@pytest.mark.parametrize(
    "greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"554 no mail here\r\n", b"\xff" * 5000]
)
async def test_who_is_no_mail_server(greeting: bytes) -> None:
    async def greets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()

    async with raw_server(greets) as server:
        with pytest.raises(DependencyUnavailable, match="the mail server can't be used") as failed:
            await mailer_of(server.port).send(MAIL)
        assert not failed.value.sent
        assert not failed.value.alone


async def test_nobody_there() -> None:
    with pytest.raises(DependencyUnavailable, match="the mail server can't be used"):
        await mailer_of(free_port()).send(MAIL)


async def test_a_wrong_password_or_sender_is_no_fault_of_a_mail() -> None:
    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 strict\r\n")
        while line := await reader.readline():
            answer = {b"EHLO": b"250-strict\r\n250 AUTH PLAIN\r\n", b"AUTH": b"535 no\r\n", b"MAIL": b"530 log in\r\n"}
            writer.write(answer.get(line[:4].upper(), b"250 ok\r\n"))

    async with raw_server(strict) as server:
        with pytest.raises(DependencyUnavailable, match=r"does not take mail from orders@shop\.example: 530 log in"):
            await mailer_of(server.port).send(MAIL)
        known = MailServer("smtp", "127.0.0.1", server.port, "shop", "wrong")
        mailer = SmtpMailer(known, SENDER, Policy("mail", Limits(timeout=30.0, retries=0)))
        with pytest.raises(DependencyUnavailable, match="can't be used: 535 no"):
            await mailer.send(MAIL)


async def test_the_sink_keeps_what_it_has_acknowledged_when_it_is_killed(tmp_path: Path) -> None:
    async with sending(tmp_path) as (sink, mailer):
        for number in range(10):
            await mailer.send(replace(MAIL, key=str(number)))
        before = await sink.mails()
        await sink.service.kill()
        with (tmp_path / "mails.jsonl").open("ab") as file:
            file.write(b'{"sender": "cut o')
        await sink.service.start()
        await until(sink.service.answers, "the sink answers again", 60)
        assert await sink.mails() == before
        await mailer.send(MAIL)
        assert len(await sink.mails()) == 11


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("smtp", "mail.example", 25)),
        ("smtp+starttls://a%40b:p%3Aw@mail.example", MailServer("smtp+starttls", "mail.example", 587, "a@b", "p:w")),
        ("smtps://[::1]:99/", MailServer("smtps", "::1", 99)),
    ],
)
def test_where_a_mail_server_is(url: str, server: MailServer) -> None:
    assert MailServer.parse(url) == server


@pytest.mark.parametrize(
    "url", ["", "mail.example:25", "http://mail.example", "smtp://", "smtp://a:99999", "smtp://u@h", "smtp://h/path?x"]
)
def test_a_wrong_url_is_named(url: str) -> None:
    with pytest.raises(InvalidSettings, match="EVENTFOLD_MAIL_URL"):
        MailServer.parse(url)


def test_a_wrong_sender_is_named_and_no_password_is_shown() -> None:
    with pytest.raises(InvalidSettings, match="EVENTFOLD_MAIL_SENDER"):
        SmtpMailer.from_settings(Settings.of(mail_sender="nobody\r\nBcc: all@example.org"))
    with pytest.raises(InvalidSettings) as refused:
        SmtpMailer.from_settings(Settings.of(mail_url="smtp://user:secret@host/path"))
    assert "secret" not in str(refused.value)
