"""What can be configured, read once from the environment (`EVENTFOLD_*`) and checked at the start."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

PREFIX = "EVENTFOLD_"

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]


class InvalidSettings(Exception):
    """An environment variable is unknown or has a value that can't be; the message names it."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Each field is the environment variable `EVENTFOLD_` + its name in capitals; times are in seconds."""

    eventstore_uri: Annotated[str, Meta(description="connection string of the event store")] = (
        "esdb://127.0.0.1:2113?Tls=false"
    )
    mongo_uri: Annotated[str, Meta(description="connection string of the read store")] = (
        "mongodb://127.0.0.1:27017/?directConnection=true&w=majority&journal=true"
    )
    mongo_database: Annotated[str, Meta(description="database of the read store", min_length=1)] = "eventfold"
    host: Annotated[str, Meta(description="address that the HTTP services listen on")] = "127.0.0.1"
    command_api_port: Annotated[Port, Meta(description="port of the command API")] = 8001
    query_api_port: Annotated[Port, Meta(description="port of the query API")] = 8002
    projector_port: Annotated[Port, Meta(description="port of the projector's status, health and metrics")] = 8003
    consumers_port: Annotated[Port, Meta(description="port of the application's own consumers")] = 8004
    max_body_bytes: Annotated[int, Meta(description="largest request body taken", ge=1024, le=16_777_216)] = 524_288
    aggregate_cache_size: Annotated[int, Meta(description="aggregates kept per command API process", ge=0)] = 20_000
    conflict_retries: Annotated[
        int, Meta(description="how often a command is decided again after a conflict", ge=0, le=20)
    ] = 5
    eventstore_deadline: Annotated[Seconds, Meta(description="how long one call to the event store may take")] = 5.0
    eventstore_retry_timeout: Annotated[
        Seconds, Meta(description="how long a call is repeated while the event store is away, before a 503")
    ] = 2.0
    eventstore_reader: Annotated[
        Literal["auto", "http2", "grpc"],
        Meta(description="what receives subscriptions: auto (http2 for the embedded node, else grpc), http2 or grpc"),
    ] = "auto"
    readstore_timeout: Annotated[
        Seconds, Meta(description="how long one operation waits for the read store, before a 503")
    ] = 3.0
    at_least_timeout: Annotated[Seconds, Meta(description="how long a query waits for `at_least`, before a 503")] = 10.0
    shutdown_grace: Annotated[Seconds, Meta(description="how long requests under way may take to finish")] = 10.0
    consumer_batch: Annotated[
        int, Meta(description="how many events a consumer of the log reads ahead at most", ge=1, le=1_000_000)
    ] = 8192
    projector_cache: Annotated[int, Meta(description="documents kept in memory per view", ge=0)] = 20_000
    consumer_name: Annotated[
        str,
        Meta(
            description="name of this process among the consumers, for a restart to take its own place at once",
            max_length=100,
        ),
    ] = ""
    consumer_lease: Annotated[
        Seconds, Meta(description="after how long without a heartbeat a process's work is taken over")
    ] = 3.0
    consumer_partitions: Annotated[
        int, Meta(description="into how many partitions a new view or other consumer is divided", ge=1, le=64)
    ] = 1
    view_grace: Annotated[
        float, Meta(description="how long the build before a switch is kept up, to go back to", ge=0, le=31_536_000)
    ] = 3_600.0
    log_level: Annotated[
        str, Meta(description="debug, info, warning or error", pattern="^(debug|info|warning|error)$")
    ] = "info"
    log_format: Annotated[str, Meta(description="json or console", pattern="^(json|console)$")] = "json"
    traces: Annotated[
        str, Meta(description="where spans go: none, or console (one JSON object a line)", pattern="^(none|console)$")
    ] = "none"


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings from environment variables; what is not set has its default.

    Raises InvalidSettings, naming the variable, when one is unknown or wrong.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX) and value
    }
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        message = str(error).removeprefix("Object contains ")
        for name in given:
            message = message.replace(f"`$.{name}`", f"{PREFIX}{name.upper()}").replace(
                f"unknown field `{name}`", f"unknown setting {PREFIX}{name.upper()}"
            )
        raise InvalidSettings(message) from error
