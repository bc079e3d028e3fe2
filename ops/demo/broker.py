"""The broker that the demo is given, by its URL, and what stands there at the end."""

from typing import Protocol
from urllib.parse import urlsplit

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

    def read(self) -> list[CloudEvent]:
        """All that came since this was made. Raises CommandFailed. It blocks."""

    def close(self) -> None:
        """Ends the connections."""


def broker_reader(url: str) -> BrokerReader:
    """What reads at the broker of a URL. It blocks. Raises CommandFailed."""
    scheme = urlsplit(url).scheme
    if scheme == "kafka":
        return _KafkaReader(url)
    raise CommandFailed(
        f"--broker {url}: there is no kind of broker for {scheme or 'no scheme'}://", "kafka://server:port/topic"
    )


class _KafkaReader:
    kind = "kafka"

    def __init__(self, url: str) -> None:
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
