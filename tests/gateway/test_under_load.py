"""What clients notice of instances that die, of a new configuration and of a new certificate: nothing."""

import asyncio
import socket
import ssl
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from msgspec.structs import replace

from ops.gateway.options import Certificate
from tests.gateway.load import Load, under_load
from tests.gateway.shop import Shop, behind
from tests.support.authority import Authority
from tests.support.services import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def more(load: Load, number: int = 40) -> None:
    """Waits until so many further requests have been answered."""
    goal = load.answered + number

    async def reached() -> bool:
        return load.answered >= goal

    await until(reached, f"{number} more requests are answered", 60)


async def test_an_instance_that_is_killed_is_no_error_to_any_client(shop: Shop, tmp_path: Path) -> None:
    async with behind(shop.gateway(tmp_path)) as gateway, under_load(gateway.url, shop) as load:
        await more(load)
        await shop.commands[0].kill()

        async def is_ejected() -> bool:
            return gateway.envoy.stat("cluster.command-api.outlier_detection.ejections_enforced_total") > 0

        await until(is_ejected, "the instance is left out", 60)
        await more(load)
    assert set(load.seen) == {"200", "201"}, load.seen
    await shop.commands[0].start()


async def test_a_new_configuration_drops_no_request(shop: Shop, tmp_path: Path) -> None:
    gateway = shop.gateway(tmp_path)
    async with behind(gateway), under_load(gateway.url, shop) as load:
        for turn in range(3):
            await more(load, 20)
            kept = shop.routes if turn % 2 else [one for one in shop.routes if one.path != "/events"]
            changed = gateway.options.settings.changed(http_body_timeout=20.0 + turn)
            gateway.write(kept, replace(gateway.options, settings=changed))

            async def is_taken(turn: int = turn) -> bool:
                return gateway.envoy.stat("listener_manager.lds.update_success") >= turn + 2

            await until(is_taken, "the new listener is taken", 60)
        await more(load, 20)
    assert set(load.seen) == {"200", "201"}, load.seen


async def test_http_2_over_tls_and_a_certificate_that_is_renewed(shop: Shop, tmp_path: Path) -> None:
    authority, folder = Authority(tmp_path / "ca"), tmp_path / "certificate"
    authority.issue(folder, "127.0.0.1")
    gateway = shop.gateway(tmp_path, Certificate(str(folder / "tls.crt"), str(folder / "tls.key")))
    async with behind(gateway):
        port = gateway.options.listen.port
        before = await asyncio.to_thread(shown_certificate, port, authority)
        assert before[0] == "h2"
        status, headers = await http2_get(port, "/lamps/a/history", authority)
        assert status == b"401"
        assert headers[b"strict-transport-security"] == b"max-age=31536000"
        authority.issue(folder, "127.0.0.1")

        async def is_renewed() -> bool:
            return (await asyncio.to_thread(shown_certificate, port, authority))[1] != before[1]

        await until(is_renewed, "the new certificate is shown", 60)
        assert gateway.envoy.stat("listener_manager.listener_modified") == 0


def shown_certificate(port: int, authority: Authority) -> tuple[str | None, bytes | None]:
    """The protocol that is chosen, and the certificate that the gateway shows."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.selected_alpn_protocol(), secured.getpeercert(binary_form=True)


async def http2_get(port: int, path: str, authority: Authority) -> tuple[bytes, dict[bytes, bytes]]:
    """The status and the headers of a response over HTTP/2 and TLS."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="127.0.0.1")
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    connection.initiate_connection()
    connection.send_headers(
        1, [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", "x")], end_stream=True
    )
    writer.write(connection.data_to_send())
    try:
        while received := await reader.read(65_536):
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived):
                    headers = dict(event.headers)
                    return headers[b":status"], headers
            writer.write(connection.data_to_send())
    finally:
        writer.close()
    raise AssertionError("the connection ended without a response")
