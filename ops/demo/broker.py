"""The broker that the demo is given, by its URL, and what stands there at the end."""

import contextlib
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from yarl import URL

from event_relay.destinations import Destination
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.settings import InvalidSettings
from ops.errors import CommandFailed


class BrokerReader(Protocol):
    """`kind` is that of a destination, `place` says for people where the events go."""

    @property
    def kind(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def destination(self) -> Mapping[str, Any]:
        """What the file of destinations says of it, but for its name and kind."""

    @property
    def password(self) -> str:
        """What stands in the destination's secret file; "" for none."""

    def read(self) -> list[CloudEvent]:
        """All that came since this was made. Raises CommandFailed. It blocks."""

    def close(self) -> None:
        """Ends the connections."""


def broker_reader(url: str) -> BrokerReader:
    """What reads at the broker of a URL. It blocks. Raises CommandFailed."""
    scheme = urlsplit(url).scheme
    if scheme == "kafka":
        return _KafkaReader(url)
    if scheme in ("amqp", "amqps"):
        return _RabbitMqReader(url)
    raise CommandFailed(
        f"--broker {url}: there is no kind of broker for {scheme or 'no scheme'}://",
        "kafka://server:port/topic or amqp://user:password@server:port/exchange",
    )


class _KafkaReader:
    kind = "kafka"
    password = ""

    def __init__(self, url: str) -> None:
        self.destination = {"url": url}
        try:
            from examples.subscriber.kafka import TopicReader, TopicUnreadable
        except ImportError as error:
            raise CommandFailed("confluent-kafka is not installed here", "pip install 'eventfold[kafka]'") from error
        self._failure = TopicUnreadable
        try:
            servers, self.place = Destination("broker", "kafka", url).kafka_topic()
            self._reader = TopicReader(servers, self.place)
        except (InvalidSettings, TopicUnreadable) as error:
            raise CommandFailed(f"--broker {url}: {error}") from error

    def read(self) -> list[CloudEvent]:
        try:
            return self._reader.read()
        except self._failure as error:
            raise CommandFailed(f"the topic {self.place} can't be read: {error}") from error

    def close(self) -> None:
        self._reader.close()


class _RabbitMqReader:
    """The URL is a destination's, with user and password where they are not guest. The virtual host is the usual one;
    the exchange is made where it is missing."""

    kind = "rabbitmq"

    def __init__(self, url: str) -> None:
        try:
            from examples.subscriber.rabbitmq import ExchangeReader, ExchangeUnreadable
        except ImportError as error:
            raise CommandFailed("aio-pika is not installed here", "pip install 'eventfold[rabbitmq]'") from error
        self._failure = ExchangeUnreadable
        shown = url
        try:
            given = URL(url)
            shown = str(given.with_user(None)) if given.host else url
            self.password = given.password or ""
            _, self.place, _ = Destination("broker", "rabbitmq", shown).rabbitmq_exchange()
            self.destination: dict[str, Any] = {"url": shown}
            if given.user:
                self.destination["properties"] = {"user": given.user}
            self._reader = ExchangeReader(given.with_path("/"), self.place)
        except (InvalidSettings, ExchangeUnreadable, ValueError) as error:
            raise CommandFailed(f"--broker {shown}: {error}") from error

    def read(self) -> list[CloudEvent]:
        try:
            return self._reader.read()
        except self._failure as error:
            raise CommandFailed(f"the {error}") from error

    def close(self) -> None:
        with contextlib.suppress(self._failure):
            self._reader.close()
