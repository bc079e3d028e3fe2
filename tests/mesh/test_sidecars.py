"""The sidecars of the mesh, real, over two hosts: what strangers, the curious, the expired and the cut off must see."""

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.mesh.calls import EVENT_STORE
from deploy.mesh.sidecar import identity
from infrastructure.event_store import ANY_REVISION, EventStore, EventStoreUnavailable, NewEvent
from ops.locations import COMMAND_API, QUERY_API
from tests.mesh.hosts import STORE_PORT, Hosts, running
from tests.support.authority import Authority
from tests.support.http_session import http_session
from tests.support.network import THERE, Network, network
from tests.support.services import until

__all__ = ["network"]


@pytest_asyncio.fixture
async def hosts(network: Network, tmp_path: Path) -> AsyncIterator[Hosts]:
    async with running(network, tmp_path) as started:
        store = started.store(COMMAND_API)

        async def answers() -> bool:
            return await succeeds(append(store))

        try:
            await until(answers, "the command API appends", 180)
        finally:
            await store.close()
        yield started


async def append(store: EventStore) -> None:
    await store.append("thing-1", ANY_REVISION, [NewEvent(str(uuid.uuid4()), "Seen", b"{}", b"{}")])


async def succeeds(call: Awaitable[object]) -> bool:
    try:
        await call
    except EventStoreUnavailable:
        return False
    return True


async def appends(hosts: Hosts, caller: str) -> bool:
    store = hosts.store(caller)
    try:
        return await succeeds(append(store))
    finally:
        await store.close()


async def is_logged(hosts: Hosts, *parts: str) -> bool:
    """Whether a line of the far sidecar's log has all of that."""
    return any(all(part in line for part in parts) for line in hosts.far.log.read_text().splitlines())


@pytest.fixture
def shown(hosts: Hosts) -> Callable[..., ssl.SSLContext]:
    """A client that trusts the authority and shows the certificate in a folder, or none."""

    def context(folder: Path | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(hosts.authority.ca))
        made.check_hostname = False
        made.set_alpn_protocols(["h2"])
        if folder is not None:
            made.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        return made

    return context


async def is_let_in(context: ssl.SSLContext) -> bool:
    """Whether the far sidecar speaks with who shows this certificate. Of TLS 1.3 the client hears of a refusal only
    with the first answer: the settings of HTTP/2."""
    try:
        reader, writer = await asyncio.open_connection(THERE, STORE_PORT, ssl=context)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        answer = await reader.read(9)
        writer.close()
    except (ssl.SSLError, OSError):
        return False
    return bool(answer)


async def test_who_calls_what_it_may_not_is_refused_and_told_why(hosts: Hosts) -> None:
    store = hosts.store(QUERY_API)
    try:
        assert [one.type for one in await store.read_stream("thing-1")][:1] == ["Seen"], "it may read"
        assert not await succeeds(append(store)), "it may not append"
    finally:
        await store.close()
    why = "rbac_access_denied_matched_policy[none]"
    await until(lambda: is_logged(hosts, "Append", why, identity(QUERY_API)), "the refusal is in the log")
    url = f"http://127.0.0.1:{hosts.providers[QUERY_API]}/ca.pem"
    async with http_session() as http, http.get(url) as response:
        assert (response.status, await response.text()) == (403, "RBAC: access denied")
    await until(lambda: is_logged(hosts, "/ca.pem", why, identity(QUERY_API)), "the refusal is in the log")


async def test_strangers_the_expired_and_those_of_another_authority(
    hosts: Hosts, shown: Callable[..., ssl.SSLContext], tmp_path: Path
) -> None:
    hosts.authority.issue(tmp_path / "right", identity(COMMAND_API))
    hosts.authority.issue(tmp_path / "expired", identity(COMMAND_API), expired=True)
    Authority(tmp_path / "elsewhere").issue(tmp_path / "foreign", identity(COMMAND_API))
    let_in = {name: await is_let_in(shown(tmp_path / name)) for name in ("right", "expired", "foreign")}
    assert let_in == {"right": True, "expired": False, "foreign": False}
    assert not await is_let_in(shown(None)), "a stranger has no certificate"
    reader, writer = await asyncio.open_connection(THERE, STORE_PORT)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await reader.read() == b"", "nor is anything said in plain text"
    writer.close()


@pytest.mark.slow
async def test_a_service_whose_certificate_has_expired_is_cut_off_until_it_has_a_new_one(hosts: Hosts) -> None:
    hosts.issue(COMMAND_API, expired=True)
    # Connections that are open go on; new ones are refused.
    hosts.callers[COMMAND_API].stop()
    await asyncio.to_thread(hosts.callers[COMMAND_API].start)
    assert not await appends(hosts, COMMAND_API)
    hosts.issue(COMMAND_API)
    await until(lambda: appends(hosts, COMMAND_API), "it appends again, with the new certificate", 60)


async def test_certificates_are_renewed_under_load_without_a_failed_request(hosts: Hosts) -> None:
    store, done, failed = hosts.store(COMMAND_API), 0, 0
    stopped = asyncio.Event()

    async def work() -> None:
        nonlocal done, failed
        while not stopped.is_set():
            if await succeeds(append(store)):
                done += 1
            else:
                failed += 1

    workers = [asyncio.create_task(work()) for _ in range(4)]
    try:
        for turn in range(3):
            goal = done + 30
            hosts.issue(COMMAND_API)
            hosts.issue(EVENT_STORE)

            async def went_on(goal: int = goal) -> bool:
                return done >= goal

            async def is_read(turn: int = turn) -> bool:
                return hosts.callers[COMMAND_API].stat(".*outbound-event-store.*ssl_context_update_by_sds") > turn

            await until(is_read, "the certificate is read", 60)
            await until(went_on, "appends go on", 60)
    finally:
        stopped.set()
        await asyncio.gather(*workers)
        await store.close()
    assert (failed, done >= 90) == (0, True)


async def test_a_cut_between_the_hosts_is_noticed_and_heals(hosts: Hosts) -> None:
    store = hosts.store(COMMAND_API, deadline=1.0)
    try:
        assert await succeeds(append(store))
        hosts.network.lose_packets()
        assert not await succeeds(append(store)), "nothing is acknowledged that could not be written"
        hosts.network.mend()

        async def heals() -> bool:
            return await succeeds(append(store))

        await until(heals, "appends are taken again", 60)
    finally:
        await store.close()
