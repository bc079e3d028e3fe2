"""What can be configured, read once from the environment (`EVENTFOLD_*`) and checked at the start.

Each field's environment variable is `EVENTFOLD_` and the field's name in capitals, as it is given there; the groups are
for the code that reads them, and no part of a variable's name. Times are in seconds.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct, field

from infrastructure.access_settings import (
    AuthenticationSettings,
    ClientLimitSettings,
    CrossOriginSettings,
    OwnTokenSettings,
    ProxySettings,
)
from infrastructure.dependency_settings import (
    BucketSettings,
    CommandCallSettings,
    Concurrency,
    MailSettings,
    PaymentSettings,
    QueryCallSettings,
    Queue,
    Seconds,
    SignatureSettings,
)
from infrastructure.document_settings import DocumentSettings, SealingSettings
from infrastructure.kubernetes import could_be_service_variable, service_variables
from infrastructure.secrets import FILE_SUFFIX, Secret, UnreadableSecret, WithSecrets, is_secret, with_files_read

PREFIX = "EVENTFOLD_"

Port = Annotated[int, Meta(ge=0, le=65535)]


class InvalidSettings(Exception):
    """An environment variable is unknown or has a value that can't be; the message names it."""


class EventStoreSettings(WithSecrets, frozen=True):
    """How the event store is reached."""

    uri: Annotated[Secret, Meta(description="connection string of the event store")] = field(
        default="esdb://127.0.0.1:2113?Tls=false", name="eventstore_uri"
    )
    deadline: Annotated[
        Seconds, Meta(description="how long one call to the event store may take, and how long it may be silent")
    ] = field(default=5.0, name="eventstore_deadline")
    retry_timeout: Annotated[
        Seconds, Meta(description="how long a call is repeated while the event store is away, before a 503")
    ] = field(default=2.0, name="eventstore_retry_timeout")
    reader: Annotated[
        Literal["auto", "http2", "grpc"],
        Meta(description="receives subscriptions: http2 (less CPU), grpc, or auto (http2 for the embedded node only)"),
    ] = field(default="auto", name="eventstore_reader")
    keepalive_interval: Annotated[
        Seconds,
        Meta(
            description="after how long a silence a connection to the event store is pinged, unless its connection "
            "string has `KeepAliveInterval`"
        ),
    ] = field(default=10.0, name="eventstore_keepalive_interval")
    keepalive_timeout: Annotated[
        Seconds,
        Meta(
            description="how long such a ping may go unanswered before the connection is given up, unless the "
            "connection string has `KeepAliveTimeout`"
        ),
    ] = field(default=10.0, name="eventstore_keepalive_timeout")
    concurrency: Concurrency = field(default=256, name="eventstore_concurrency")
    queue: Queue = field(default=4096, name="eventstore_queue")


class ReadStoreSettings(WithSecrets, frozen=True):
    """How the read store is reached."""

    uri: Annotated[Secret, Meta(description="connection string of the read store")] = field(
        default="mongodb://127.0.0.1:27017/?directConnection=true&w=majority&journal=true", name="mongo_uri"
    )
    database: Annotated[str, Meta(description="database of the read store", min_length=1)] = field(
        default="eventfold", name="mongo_database"
    )
    timeout: Annotated[
        Seconds,
        Meta(description="how long a read waits for the read store, and how long it may be silent, before a 503"),
    ] = field(default=3.0, name="readstore_timeout")
    concurrency: Concurrency = field(default=128, name="readstore_concurrency")
    queue: Queue = field(default=4096, name="readstore_queue")


class ResilienceSettings(Struct, frozen=True):
    """What is done about a store that is away."""

    probe_interval: Annotated[
        Seconds, Meta(description="how long a store that is silent or away is left alone between two probes")
    ] = 1.0


class HttpSettings(Struct, frozen=True):
    """Where the services listen, and what they take.

    The ports are no variables called `..._PORT`: those are Kubernetes' own, for a Service of the same name.
    """

    host: Annotated[str, Meta(description="address that the HTTP services listen on")] = "127.0.0.1"
    command_api_port: Annotated[Port, Meta(description="port of the command API")] = field(
        default=8001, name="command_api_port_number"
    )
    query_api_port: Annotated[Port, Meta(description="port of the query API")] = field(
        default=8002, name="query_api_port_number"
    )
    projector_port: Annotated[Port, Meta(description="port of the projector's status, health and metrics")] = field(
        default=8003, name="projector_port_number"
    )
    consumers_port: Annotated[Port, Meta(description="port of the application's own consumers")] = field(
        default=8004, name="consumers_port_number"
    )
    process_manager_port: Annotated[Port, Meta(description="port of the process manager")] = field(
        default=8005, name="process_manager_port_number"
    )
    payment_webhooks_port: Annotated[Port, Meta(description="port of the webhooks of the outside providers")] = field(
        default=8022, name="payment_webhooks_port_number"
    )
    signing_page_port: Annotated[Port, Meta(description="port of the page where customers sign")] = field(
        default=8027, name="signing_page_port_number"
    )
    event_relay_port: Annotated[Port, Meta(description="port of the event relay")] = field(
        default=8006, name="event_relay_port_number"
    )
    inbound_port: Annotated[Port, Meta(description="port of the consumer of other systems' messages")] = field(
        default=8007, name="inbound_port_number"
    )
    monolith_port: Annotated[Port, Meta(description="port of all services in one process")] = field(
        default=8000, name="monolith_port_number"
    )
    max_body_bytes: Annotated[int, Meta(description="largest request body taken", ge=1024, le=16_777_216)] = 524_288
    shutdown_grace: Annotated[Seconds, Meta(description="how long requests under way may take to finish")] = 10.0


class ConnectionSettings(Struct, frozen=True):
    """What a client may ask of an HTTP connection."""

    head_timeout: Annotated[
        Seconds, Meta(description="how long a request line and its headers may take to arrive, before a 408")
    ] = field(default=10.0, name="http_head_timeout")
    body_timeout: Annotated[Seconds, Meta(description="how long a body may take to arrive, before a 408")] = field(
        default=30.0, name="http_body_timeout"
    )
    body_rate: Annotated[
        int,
        Meta(
            description="bytes a second that a body comes with at least, from a sixth of its timeout on; else a 408",
            ge=0,
            le=1_048_576,
        ),
    ] = field(default=240, name="http_body_rate")
    write_timeout: Annotated[
        Seconds,
        Meta(description="how long a client may leave a response, or a part of one, unread before it is cut off"),
    ] = field(default=30.0, name="http_write_timeout")
    idle_timeout: Annotated[Seconds, Meta(description="how long a connection is kept open between requests")] = field(
        default=5.0, name="http_idle_timeout"
    )
    max_head_bytes: Annotated[
        int, Meta(description="largest request line and headers taken, before a 414 or a 431", ge=1024, le=1_048_576)
    ] = field(default=16_384, name="http_max_head_bytes")
    max_headers: Annotated[int, Meta(description="most headers taken, before a 431", ge=10, le=10_000)] = field(
        default=100, name="http_max_headers"
    )
    max_connections: Annotated[
        int, Meta(description="connections at a time, before a 503 where none of them can give way", ge=1, le=100_000)
    ] = field(default=1_000, name="http_max_connections")


class CommandSettings(Struct, frozen=True):
    """How the command API carries commands out."""

    aggregate_cache_size: Annotated[int, Meta(description="aggregates kept per command API process", ge=0)] = 20_000
    conflict_retries: Annotated[
        int, Meta(description="how often a command is decided again after a conflict", ge=0, le=20)
    ] = 5


class QuerySettings(Struct, frozen=True):
    """How the query API answers."""

    at_least_timeout: Annotated[Seconds, Meta(description="how long a query waits for `at_least`, before a 503")] = 10.0


class ConsumerSettings(Struct, frozen=True):
    """How a process takes part in following the log."""

    batch: Annotated[
        int, Meta(description="how many events a consumer of the log reads ahead at most", ge=1, le=1_000_000)
    ] = field(default=8192, name="consumer_batch")
    name: Annotated[
        str,
        Meta(
            description="name of this process among the consumers, for a restart to take its own place at once",
            max_length=100,
        ),
    ] = field(default="", name="consumer_name")
    lease: Annotated[Seconds, Meta(description="after how long without a heartbeat a process's work is taken over")] = (
        field(default=3.0, name="consumer_lease")
    )
    partitions: Annotated[
        int, Meta(description="into how many partitions a new view or other consumer is divided", ge=1, le=64)
    ] = field(default=1, name="consumer_partitions")


class ProjectorSettings(Struct, frozen=True):
    """How the projector folds views."""

    cache: Annotated[int, Meta(description="documents kept in memory per view", ge=0)] = field(
        default=20_000, name="projector_cache"
    )
    view_grace: Annotated[
        float, Meta(description="how long the build before a switch is kept up, to go back to", ge=0, le=31_536_000)
    ] = 3_600.0
    on_other_log: Annotated[
        Literal["stop", "rebuild"],
        Meta(description="what becomes of a view whose log is not that of its checkpoints: stop, or rebuild by itself"),
    ] = "stop"


class ProcessSettings(Struct, frozen=True):
    """How the process manager runs processes."""

    concurrency: Annotated[
        int, Meta(description="commands that a process manager has under way at a time, per process", ge=1, le=10_000)
    ] = field(default=64, name="process_concurrency")
    patience: Annotated[
        Seconds, Meta(description="after how long without any answer a compensation counts as failed")
    ] = field(default=300.0, name="process_patience")


class RelaySettings(Struct, frozen=True):
    """What the event relay publishes, and where."""

    destinations: Annotated[
        str, Meta(description="file (TOML or JSON) with the destinations of integration events; none without it")
    ] = field(default="", name="relay_destinations")
    public_only: Annotated[
        str,
        Meta(
            description="on: webhooks go to public addresses alone, never to this machine or an internal network",
            pattern="^(on|off)$",
        ),
    ] = field(default="off", name="relay_public_only")
    stream_lasts: Annotated[
        Seconds, Meta(description="after how long a stream of `GET /events` ends, and its reader asks again")
    ] = field(default=3_600.0, name="relay_stream_lasts")


class InboundSettings(Struct, frozen=True):
    """What is taken from other systems, and from where."""

    sources: Annotated[
        str, Meta(description="file (TOML or JSON) with the sources of other systems' messages; none without it")
    ] = field(default="", name="inbound_sources")


class PersonalDataSettings(Struct, frozen=True):
    """Where the keys of personal data are."""

    key_store: Annotated[
        str, Meta(description="keys of personal data: `file:PATH` or `mongodb://...`; without, none is written or read")
    ] = ""
    key_store_database: Annotated[str, Meta(description="database of a key store in MongoDB", min_length=1)] = (
        "eventfold_keys"
    )
    master_key_file: Annotated[
        str, Meta(description="file with the master key, which the keys of personal data are wrapped by")
    ] = ""
    cache: Annotated[int, Meta(description="keys of personal data kept in memory per process", ge=0)] = field(
        default=10_000, name="personal_key_cache"
    )
    cache_seconds: Annotated[
        float, Meta(description="how long a destroyed key may be in use in other processes", ge=0, le=300)
    ] = field(default=5.0, name="personal_key_cache_seconds")

    def __repr__(self) -> str:
        return "PersonalDataSettings(...)"  # the store's connection string may have a password


class TelemetrySettings(Struct, frozen=True):
    """What a process tells of itself."""

    log_level: Annotated[
        str, Meta(description="debug, info, warning or error", pattern="^(debug|info|warning|error)$")
    ] = "info"
    log_format: Annotated[
        str,
        Meta(description="json, console (for people), or auto: console on a terminal", pattern="^(auto|json|console)$"),
    ] = "auto"
    metrics_interval: Annotated[
        Seconds, Meta(description="how often lags, instances and store sizes are looked up for `/metrics`")
    ] = 5.0


class Settings(Struct, frozen=True):
    """Every setting, in groups."""

    event_store: EventStoreSettings = EventStoreSettings()
    read_store: ReadStoreSettings = ReadStoreSettings()
    resilience: ResilienceSettings = ResilienceSettings()
    http: HttpSettings = HttpSettings()
    connections: ConnectionSettings = ConnectionSettings()
    commands: CommandSettings = CommandSettings()
    queries: QuerySettings = QuerySettings()
    consumers: ConsumerSettings = ConsumerSettings()
    projector: ProjectorSettings = ProjectorSettings()
    processes: ProcessSettings = ProcessSettings()
    relay: RelaySettings = RelaySettings()
    inbound: InboundSettings = InboundSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    command_calls: CommandCallSettings = CommandCallSettings()
    query_calls: QueryCallSettings = QueryCallSettings()
    payments: PaymentSettings = PaymentSettings()
    signatures: SignatureSettings = SignatureSettings()
    mail: MailSettings = MailSettings()
    document_bucket: BucketSettings = BucketSettings()
    authentication: AuthenticationSettings = AuthenticationSettings()
    own_token: OwnTokenSettings = OwnTokenSettings()
    client_limits: ClientLimitSettings = ClientLimitSettings()
    proxies: ProxySettings = ProxySettings()
    cross_origin: CrossOriginSettings = CrossOriginSettings()
    personal_data: PersonalDataSettings = PersonalDataSettings()
    documents: DocumentSettings = DocumentSettings()
    sealing: SealingSettings = SealingSettings()

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The settings with these values, by the names of their variables in small letters; the others by default."""
        return cls().changed(**values)

    def changed(self, **values: Any) -> Self:
        """The same settings but for these values, by the names of their variables in small letters.

        Raises TypeError for a name that no setting has.
        """
        groups = {}
        for group in msgspec.structs.fields(type(self)):
            names = {one.encode_name: one.name for one in msgspec.structs.fields(group.type)}
            mine = {names[name]: values.pop(name) for name in list(values) if name in names}
            if mine:
                groups[group.name] = msgspec.structs.replace(getattr(self, group.name), **mine)
        if values:
            raise TypeError(f"there is no setting {', '.join(values)}")
        return msgspec.structs.replace(self, **groups)


def every_setting() -> Iterator[msgspec.structs.FieldInfo]:
    """Each setting once; its variable is PREFIX and `encode_name` in capitals."""
    for group in msgspec.structs.fields(Settings):
        yield from msgspec.structs.fields(group.type)


def secret_variables() -> list[str]:
    """The variables of the settings that are secrets, or may hold one."""
    return [_variable(one.encode_name) for one in every_setting() if is_secret(one)]


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings from environment variables; what is not set has its default.

    A secret called NAME may be given by a file instead, which NAME_FILE names. The variables of a Kubernetes Service
    whose name begins with `eventfold` are no settings.

    Raises InvalidSettings, naming the variable, when one is unknown or wrong.
    """
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    known = {_variable(one.encode_name) for one in every_setting()}
    try:
        ours = with_files_read(ours, [name for name in secret_variables() if name + FILE_SUFFIX not in known])
    except UnreadableSecret as error:
        raise InvalidSettings(str(error)) from None
    unknown = ours.keys() - known - service_variables(environ)
    if unknown:
        raise InvalidSettings(f"unknown setting {', '.join(_with_hint(name, known) for name in sorted(unknown))}")
    given = {name.removeprefix(PREFIX).lower(): value for name, value in ours.items() if name in known}
    groups = {}
    for group in msgspec.structs.fields(Settings):
        names = {one.encode_name for one in msgspec.structs.fields(group.type)}
        mine = {name: value for name, value in given.items() if name in names}
        try:
            groups[group.name] = msgspec.convert(mine, group.type, strict=False)
        except msgspec.ValidationError as error:
            message = str(error)
            for name in mine:
                message = message.replace(f"`$.{name}`", _variable(name))
            raise InvalidSettings(message) from error
    return Settings(**groups)


def _with_hint(name: str, known: set[str]) -> str:
    if name == f"{PREFIX}TRACES":
        return f"{name} (where spans go is chosen with OTEL_TRACES_EXPORTER)"
    if (number := f"{name}_NUMBER") in known:
        return f"{name} (the port is chosen with {number})"
    if could_be_service_variable(name):
        return f"{name} (it may be a Kubernetes Service's, but not all of that Service's variables are there and agree)"
    return name


def _variable(name: str) -> str:
    return PREFIX + name.upper()
