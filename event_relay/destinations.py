"""Where integration events go: the file that says so, read once at the start."""

import fnmatch
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from yarl import URL

from infrastructure.resilience import Limits
from infrastructure.settings import InvalidSettings

_SHORTEST_SECRET = 16
CONSUMER_PREFIX = "relay_"


class Destination(Struct, frozen=True, forbid_unknown_fields=True):
    """One destination. `types` are the published types that go there, with `*` for any part, as in `ordering.*`;
    `secret_file` has the secret that is signed with. `timeout` (seconds) bounds one attempt, `concurrency` the keys
    that are seen to side by side; after `patience` seconds without an answer, while others get one, an event becomes a
    dead letter with those behind it. To Kafka `url` is `kafka://server:port,server:port/topic`, `secret_file` has the
    password where there is one, and `properties` are librdkafka's. To RabbitMQ it is
    `amqp://server:port,server:port/exchange` (amqps:// for TLS), and `queues` are those to be declared, with the types
    that each takes."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    kind: Literal["webhook", "kafka", "rabbitmq"]
    url: str
    secret_file: str = ""
    types: Annotated[tuple[str, ...], Meta(min_length=1)] = ("*",)
    timeout: Annotated[float, Meta(gt=0, le=300)] = 10.0
    concurrency: Annotated[int, Meta(ge=1, le=1_000)] = 16
    retries: Annotated[int, Meta(ge=0, le=20)] = 3
    properties: dict[str, str] = {}
    queues: dict[str, tuple[str, ...]] = {}
    patience: Annotated[float, Meta(gt=0, le=86_400)] = 60.0

    @property
    def consumer(self) -> str:
        """The name under which it follows the log."""
        return f"{CONSUMER_PREFIX}{self.name}"

    @property
    def limits(self) -> Limits:
        """What its policy is given."""
        return Limits(timeout=self.timeout, concurrency=self.concurrency, queue=self.concurrency, retries=self.retries)

    def wants(self, cloud_type: str) -> bool:
        """Whether a published type goes there."""
        return any(fnmatch.fnmatchcase(cloud_type, pattern) for pattern in self.types)

    def kafka_topic(self) -> tuple[str, str]:
        """The servers and the topic of a `kafka://` URL. Raises InvalidSettings."""
        _, servers, topic = self._broker("kafka", "kafka://server:port/topic")
        return servers, topic

    def rabbitmq_exchange(self) -> tuple[Sequence[str], str, bool]:
        """The servers and the exchange of an `amqp://` URL, and whether it says TLS. Raises InvalidSettings."""
        scheme, servers, exchange = self._broker("amqps?", "amqp://server:port/exchange")
        return servers.split(","), exchange, scheme == "amqps"

    def _broker(self, scheme: str, form: str) -> tuple[str, str, str]:
        found = re.fullmatch(rf"({scheme})://([\w.:,\[\]-]+)/([\w.-]+)", self.url, re.ASCII)
        if found is None:
            raise InvalidSettings(f"destination {self.name}: the url is not of the form {form}")
        return found[1], found[2], found[3]

    def password(self, folder: Path) -> str | None:
        """What a broker is shown, from the secret file where there is one; a relative path is from `folder`. Raises
        InvalidSettings."""
        if not self.secret_file:
            return None
        found = self._read_secret(folder)
        if not found:
            raise InvalidSettings(f"destination {self.name}: {folder / self.secret_file} is empty")
        try:
            return found.decode()
        except UnicodeDecodeError:
            raise InvalidSettings(f"destination {self.name}: {folder / self.secret_file} is no UTF-8") from None

    def secret(self, folder: Path) -> bytes:
        """What is signed with; a relative path is from `folder`. Raises InvalidSettings."""
        found = self._read_secret(folder)
        if len(found) < _SHORTEST_SECRET:
            path = folder / self.secret_file
            raise InvalidSettings(f"destination {self.name}: {path} has fewer than {_SHORTEST_SECRET} bytes")
        return found

    def _read_secret(self, folder: Path) -> bytes:
        path = folder / self.secret_file
        try:
            return path.read_bytes().strip()
        except OSError as error:
            raise InvalidSettings(f"destination {self.name}: {path} can't be read: {error.strerror}") from error


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    destinations: tuple[Destination, ...]


def read_destinations(path: Path, types: Sequence[str]) -> tuple[Destination, ...]:
    """The destinations in a TOML or, where its name ends so, a JSON file; `types` are those that are published.

    Raises InvalidSettings, naming the destination, when something in it can't be.
    """
    decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
    try:
        found = decode(path.read_bytes(), type=_File).destinations
    except OSError as error:
        raise InvalidSettings(f"{path} can't be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path}: {error}") from error
    repeated = [name for name, times in Counter(one.name for one in found).items() if times > 1]
    if repeated:
        raise InvalidSettings(f"{path}: two destinations are named {repeated[0]}")
    for one in found:
        _check_url(one, path)
        for pattern in one.types:
            if not fnmatch.filter(types, pattern):
                raise InvalidSettings(f"{path}: destination {one.name}: nothing that is published is {pattern!r}")
    return found


def _check_url(one: Destination, path: Path) -> None:
    if one.queues and one.kind != "rabbitmq":
        raise InvalidSettings(f"{path}: destination {one.name}: queues are for rabbitmq")
    if one.properties and one.kind == "webhook":
        raise InvalidSettings(f"{path}: destination {one.name}: a webhook has no properties")
    if one.kind == "kafka":
        one.kafka_topic()
        return
    if one.kind == "rabbitmq":
        one.rabbitmq_exchange()
        return
    try:
        url = URL(one.url)
        fits = url.scheme in ("http", "https") and url.host and url.port and not url.user and not url.fragment
    except ValueError:
        fits = False
    if not fits:
        raise InvalidSettings(
            f"{path}: destination {one.name}: the url is not of the form https://host/path, without a user"
        )
    if not one.secret_file:
        raise InvalidSettings(f"{path}: destination {one.name}: a webhook has a secret_file")
