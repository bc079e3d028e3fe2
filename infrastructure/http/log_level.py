"""The level of a service's log over HTTP: every service has these routes, for its operators."""

from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from litestar import get, put
from msgspec import Meta, Struct

from domain.model.access import Access
from infrastructure.http.openapi import BODY, documented, json_body
from infrastructure.telemetry.log_level import LOG_LEVEL, LevelName

log = structlog.get_logger(__name__)

PATH = "/log-level"
_READ = Access("log-level:read", shared=True)
_OPERATE = Access("log-level:operate", shared=True)
_DAY = 86_400


class NewLogLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds`: after these the configured level comes back; without, the new one stays until the process ends."""

    level: LevelName
    seconds: Annotated[float, Meta(gt=0, le=_DAY)] | None = None


class PresentLogLevel(Struct, frozen=True):
    """Of the process that answers. `until` is when the `configured` level comes back; None where `level` stays."""

    level: LevelName
    configured: LevelName
    until: datetime | None


def log_level_routes() -> list[Any]:
    """GET and PUT of the level."""

    @get(
        PATH,
        operation_id="LogLevel",
        summary="The level of the log",
        tags=["operating"],
        **documented({}, access=_READ),
    )
    async def show() -> PresentLogLevel:
        return _present()

    @put(
        PATH,
        operation_id="SetLogLevel",
        summary="Change the level of the log, for a while or until the process ends",
        tags=["operating"],
        **documented(BODY, body=json_body(NewLogLevel, required=True), access=_OPERATE),
    )
    async def change(data: NewLogLevel) -> PresentLogLevel:
        LOG_LEVEL.change(data.level, data.seconds)
        log.warning("the log level was changed", new_level=data.level, for_seconds=data.seconds)
        return _present()

    return [show, change]


def _present() -> PresentLogLevel:
    until = None if LOG_LEVEL.until is None else datetime.fromtimestamp(LOG_LEVEL.until, UTC)
    return PresentLogLevel(LOG_LEVEL.level, LOG_LEVEL.configured, until)
