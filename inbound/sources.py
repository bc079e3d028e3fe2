"""Where messages come from: the file that says so, read once at the start."""

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

CONSUMER_PREFIX = "inbound_"
_Patterns = tuple[Annotated[str, Meta(min_length=1)], ...]


class SourceLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """`concurrency` is how many keys are seen to side by side, `buffer` how many messages are in hand at most,
    `max_bytes` the largest body that is taken. `timeout` (seconds) bounds the writing of a dead letter. After
    `patience` seconds without an answer to its command, while others get one, a message becomes a dead letter. The
    inbox knows what is finished for `remember_days`."""

    concurrency: Annotated[int, Meta(ge=1, le=1_000)] = 16
    buffer: Annotated[int, Meta(ge=1, le=10_000)] = 256
    max_bytes: Annotated[int, Meta(ge=1_024, le=8_388_608)] = 1_048_576
    timeout: Annotated[float, Meta(gt=0, le=300)] = 10.0
    patience: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    remember_days: Annotated[int, Meta(ge=1, le=3_650)] = 30

    @property
    def of_policy(self) -> Limits:
        """What the policy of the dead letters is given."""
        return Limits(timeout=self.timeout, concurrency=self.concurrency, queue=self.buffer, retries=2)


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """One topic or queue. `types` are the message types that are taken from it, with `*` for any part; those of
    `ignore`, which goes before, are passed over, and any other is a dead letter. `dead_letters` is the topic or queue
    for these.

    Of Kafka, `url` is `kafka://server:port,server:port/topic` and `properties` are librdkafka's; of RabbitMQ, `url` is
    `amqp://user@host:port/vhost` and `queue` is the queue, which is made unless `declare` is false. `secret_file` has
    the password, where there is one.

    `behind` says whether later messages of a dead letter's key wait behind it, or go on.
    """

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    kind: Literal["kafka", "rabbitmq"]
    url: str
    dead_letters: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,249}$")]
    types: Annotated[_Patterns, Meta(min_length=1)]
    ignore: _Patterns = ()
    queue: Annotated[str, Meta(pattern="^[A-Za-z0-9._:-]{0,249}$")] = ""
    declare: bool = True
    group: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{0,249}$")] = ""
    secret_file: str = ""
    properties: dict[str, str] = {}
    limits: SourceLimits = SourceLimits()
    behind: Literal["wait", "go-on"] = "wait"

    @property
    def consumer(self) -> str:
        """The name under which its dead letters are listed."""
        return f"{CONSUMER_PREFIX}{self.name}"

    @property
    def consumer_group(self) -> str:
        """Kafka's."""
        return self.group or f"eventfold-{self.consumer}"

    def takes(self, cloud_type: str) -> bool:
        """Whether messages of the type are taken."""
        return _matches(cloud_type, self.types)

    def ignores(self, cloud_type: str) -> bool:
        """Whether messages of the type are passed over."""
        return _matches(cloud_type, self.ignore)

    def kafka_topic(self) -> tuple[str, str]:
        """The servers and the topic. Raises InvalidSettings."""
        found = re.fullmatch(r"kafka://([\w.:,\[\]-]+)/([\w.-]+)", self.url, re.ASCII)
        if found is None:
            raise InvalidSettings(f"source {self.name}: the url is not of the form kafka://server:port/topic")
        return found[1], found[2]

    def amqp_url(self) -> URL:
        """The URL without a password. Raises InvalidSettings."""
        try:
            url = URL(self.url)
            fits = url.scheme in ("amqp", "amqps") and url.host and not url.password and not url.fragment
        except ValueError:
            fits = False
        if not fits:
            message = f"source {self.name}: the url is not of the form amqp://user@host:port/vhost, without a password"
            raise InvalidSettings(message)
        return url

    def secret(self, folder: Path) -> str:
        """The password; a relative path is from `folder`, and "" is for none. Raises InvalidSettings."""
        if not self.secret_file:
            return ""
        path = folder / self.secret_file
        try:
            found = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSettings(f"source {self.name}: {path} can't be read: {error}") from error
        if not found:
            raise InvalidSettings(f"source {self.name}: {path} is empty")
        return found


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    sources: Annotated[tuple[Source, ...], Meta(min_length=1)]


def read_sources(path: Path, types: Sequence[str]) -> tuple[Source, ...]:
    """The sources in a TOML or, where its name ends so, a JSON file; `types` are those that the application takes.

    Raises InvalidSettings, naming the source, when something in it can't be.
    """
    decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
    try:
        found = decode(path.read_bytes(), type=_File).sources
    except OSError as error:
        raise InvalidSettings(f"{path} can't be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path}: {error}") from error
    repeated = [name for name, times in Counter(one.name for one in found).items() if times > 1]
    if repeated:
        raise InvalidSettings(f"{path}: two sources are named {repeated[0]}")
    for one in found:
        try:
            _check(one, types)
        except InvalidSettings as error:
            raise InvalidSettings(f"{path}: {error}") from None
    return found


def _check(one: Source, types: Sequence[str]) -> None:
    for pattern in one.types:
        if not fnmatch.filter(types, pattern):
            raise InvalidSettings(f"source {one.name}: no message that is taken is {pattern!r}")
    if one.kind == "kafka":
        _, topic = one.kafka_topic()
        if one.queue:
            raise InvalidSettings(f"source {one.name}: a queue is RabbitMQ's; Kafka's topic stands in the url")
        if one.dead_letters == topic:
            raise InvalidSettings(f"source {one.name}: its dead letters would come back from {topic}")
        return
    one.amqp_url()
    if not one.queue:
        raise InvalidSettings(f"source {one.name}: RabbitMQ needs a queue")
    if one.group or one.properties:
        raise InvalidSettings(f"source {one.name}: group and properties are Kafka's")
    if one.dead_letters == one.queue:
        raise InvalidSettings(f"source {one.name}: its dead letters would come back from {one.queue}")


def _matches(cloud_type: str, patterns: _Patterns) -> bool:
    return any(fnmatch.fnmatchcase(cloud_type, pattern) for pattern in patterns)
