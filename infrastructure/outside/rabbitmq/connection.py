"""The connection to RabbitMQ: to the first server that answers, over TLS where that is asked for, and made again when
it is lost."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping, Sequence

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.connection import Connection, make_url
from aio_pika.exceptions import AMQPError
from aiormq.channel import Channel
from aiormq.exceptions import InvalidFrameError
from msgspec import Struct
from pamqp.common import FieldTable, FieldValue

from infrastructure.resilience import TransientFault

CONNECTION_FAULTS = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What the client raises for whatever goes wrong; a channel that is closed already is a RuntimeError to it."""

PROPERTIES = ("user", "vhost", "ca_file", "cert_file", "key_file", "heartbeat")
"""What may stand in a destination's properties."""
QUEUE: Mapping[str, FieldValue] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
"""How a queue is declared. Two consumers at a time would lose the order; so would the one that follows on a crashed one
before the broker has noticed."""

_FAREWELL = 1.0


class Topology(Struct, frozen=True):
    """A topic exchange. With `queues`, which have the binding keys of each, it and they are declared where they are
    missing, as durable and as quorum queues; without, it must be there."""

    exchange: str
    queues: Mapping[str, Sequence[str]] = {}


class RabbitMqConnection:
    """To `servers` ("host:port", tried in this order), as `properties` say:

    `user` (guest without it) with `password`, `vhost` (/), `heartbeat` (seconds, 10; after two without a sign the
    connection counts as lost); with `tls`, `ca_file` is whom to trust (without it, whom the system trusts), `cert_file`
    and `key_file` are our own certificate. Raises ValueError where one of these can't be.
    """

    def __init__(
        self,
        servers: Sequence[str],
        topology: Topology,
        properties: Mapping[str, str],
        password: str | None = None,
        *,
        tls: bool = False,
    ) -> None:
        unknown = sorted(set(properties) - set(PROPERTIES))
        if unknown:
            raise ValueError(f"there is no property {unknown[0]!r}; there are {', '.join(PROPERTIES)}")
        self._servers = [_host_and_port(one) for one in servers]
        self._topology = topology
        self._user = properties.get("user", "guest")
        self._vhost = properties.get("vhost", "/")
        # Its own, which it takes from its own machine alone.
        self._password = "guest" if password is None else password
        self._heartbeat = _heartbeat(properties.get("heartbeat", "10"))
        self._tls = _tls(properties) if tls else None
        if not tls and (wrong := {"ca_file", "cert_file", "key_file"} & set(properties)):
            raise ValueError(f"{min(wrong)} is for amqps://")
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._ending: set[asyncio.Task[None]] = set()
        # It logs each failure with a traceback; what it raises says the same, and goes where ours goes.
        for client in ("aiormq", "aio_pika"):
            logging.getLogger(client).setLevel(logging.CRITICAL)

    async def exchange(self) -> AbstractExchange:
        """The exchange, by a channel that is open as far as is known. Raises TransientFault, which says why it can't
        be had."""
        if self._is_open and self._exchange is not None:
            return self._exchange
        async with self._opening:
            if not self._is_open or self._exchange is None:
                self._give_up()
                self._exchange = await self._opened()
            return self._exchange

    async def channel(self) -> Channel:
        """The bare channel of the exchange that is in use, for what needs many confirmations. Raises TransientFault."""
        if self._channel is None:
            raise TransientFault("the connection is lost", sent=False)
        found = await self._channel.get_underlay_channel()
        assert isinstance(found, Channel)
        return found

    def abandon(self, exchange: AbstractExchange) -> None:
        """Gives up the connection that this exchange is reached by, where it is still the one in use: what was sent by
        it and is not confirmed is not known to have arrived."""
        if exchange is self._exchange:
            self._give_up()

    async def close(self) -> None:
        """Ends it."""
        self._give_up()
        await asyncio.gather(*self._ending)

    def _give_up(self) -> None:
        connection, self._connection, self._channel, self._exchange = self._connection, None, None, None
        if connection is not None:
            ending = asyncio.create_task(_end(connection))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    @property
    def _is_open(self) -> bool:
        return (
            self._connection is not None
            and not self._connection.is_closed
            and self._channel is not None
            and not self._channel.is_closed
        )

    async def _opened(self) -> AbstractExchange:
        self._connection = await self._connected()
        try:
            self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            return await self._declared(self._channel)
        except CONNECTION_FAULTS as error:
            raise TransientFault(f"the exchange {self._topology.exchange}: {error}", sent=False) from error

    async def _declared(self, channel: AbstractChannel) -> AbstractExchange:
        name, queues = self._topology.exchange, self._topology.queues
        if not queues:
            # Of whatever type: another one may be what its owner wants.
            return await channel.get_exchange(name, ensure=True)
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
        for queue_name, keys in queues.items():
            queue = await channel.declare_queue(queue_name, durable=True, arguments=dict(QUEUE))
            for key in keys:
                await queue.bind(exchange, key)
        return exchange

    async def _connected(self) -> AbstractConnection:
        failures = []
        for host, port in self._servers:
            connection = self._to(host, port)
            try:
                await connection.connect()
            except InvalidFrameError:  # a refusal in place of what was expected, which the client does not read
                failures.append(f"{host}:{port}: the virtual host {self._vhost} is not there, or not {self._user}'s")
            except CONNECTION_FAULTS as error:
                failures.append(f"{host}:{port}: {error or type(error).__name__}")
            else:
                return connection
            await connection.close()  # without it, it would close itself when it is collected
        raise TransientFault("; ".join(failures), sent=False)

    def _to(self, host: str, port: int) -> Connection:
        url = make_url(
            host=host,
            port=port,
            login=self._user,
            password=self._password,
            virtualhost=self._vhost,
            ssl=self._tls is not None,
            heartbeat=self._heartbeat,
        )
        name: FieldTable = {"connection_name": f"eventfold to {self._topology.exchange}"}
        return Connection(url, ssl_context=self._tls, client_properties=name)


async def _end(connection: AbstractConnection) -> None:
    """A server that is not there does not answer a farewell."""
    with contextlib.suppress(*CONNECTION_FAULTS):
        await asyncio.wait_for(connection.close(), _FAREWELL)


def _host_and_port(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"{server!r} is not of the form server:port")
    return host.strip("[]"), int(port)


def _heartbeat(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given) <= 600:
        raise ValueError(f"heartbeat is {given!r}, not a number of seconds from 1 to 600")
    return int(given)


def _tls(properties: Mapping[str, str]) -> ssl.SSLContext:
    certificate, key = properties.get("cert_file"), properties.get("key_file")
    if (certificate is None) != (key is None):
        raise ValueError("cert_file and key_file go together")
    try:
        context = ssl.create_default_context(cafile=properties.get("ca_file"))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as error:  # which an SSLError is, too
        raise ValueError(f"the certificates can't be read: {error}") from error
    return context
