"""The pipeline's outcomes as HTTP: the response to a command, and each refusal as a problem."""

import msgspec
from litestar import Response

from command_api.aggregates import CommandResult
from command_api.deciding import StaleVersion
from command_api.pipeline import Contended
from command_api.repetitions import KeyReused
from domain.model.aggregate import Aggregate, CommandType
from domain.model.errors import InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.event_types import UndecodableEvent, UnknownEventType
from infrastructure.aggregate_streams import HistoryTruncated
from infrastructure.event_store import EventStoreUnavailable, StreamDeleted
from infrastructure.http.authorisation import forbidden
from infrastructure.http.problems import PointedError, Problem, unavailable, unreadable_history
from infrastructure.personal_data import KeyStoreUnavailable
from infrastructure.security.policy import Forbidden

_encode = msgspec.json.Encoder().encode

REFUSALS = (
    InvalidCommand,
    RuleViolation,
    NoSuchAggregate,
    StaleVersion,
    KeyReused,
    Contended,
    StreamDeleted,
    HistoryTruncated,
    UnknownEventType,
    UndecodableEvent,
    EventStoreUnavailable,
    Forbidden,
    KeyStoreUnavailable,
)


def success(
    aggregate: Aggregate, command_type: CommandType, aggregate_id: str, result: CommandResult, correlation_id: str
) -> Response[bytes]:
    """201 or 200 with the aggregate's id, its version and the read-your-writes position."""
    body = {aggregate.id_field: aggregate_id, "version": result.revision, "position": result.position}
    headers = {
        "ETag": f'"{result.revision}"',
        "Eventfold-Position": str(result.position),
        "X-Correlation-ID": correlation_id,
    }
    if command_type.creates:
        headers["Location"] = f"/{aggregate.plural}/{aggregate_id}"
    return Response(
        _encode(body),
        status_code=201 if command_type.creates else 200,
        headers=headers,
        media_type="application/json",
    )


def problem(error: Exception) -> Problem:
    """The problem details of a refusal; `error` is one of REFUSALS."""
    match error:
        case InvalidCommand():
            errors = [PointedError(fault.pointer, fault.detail) for fault in error.faults]
            return Problem(400, "invalid-command", "The command can't be right", str(error), errors=errors)
        case RuleViolation():
            return Problem(409, "rule-violation", "The state does not allow it", error.detail, code=error.code)
        case Contended():
            title = "Others kept changing it at the same moment"
            return Problem(409, "contended", title, str(error), headers={"Retry-After": "1"})
        case NoSuchAggregate():
            return Problem(404, "not-found", "There is no such aggregate", str(error))
        case StaleVersion():
            headers = {"ETag": f'"{error.revision}"'} if error.revision >= 0 else {}
            return Problem(412, "stale-version", "It has changed since If-Match's version", str(error), headers=headers)
        case KeyReused():
            return Problem(422, "idempotency-key-reused", "The key belongs to another command", str(error))
        case Forbidden():
            return forbidden(error)
        case StreamDeleted():
            return Problem(410, "deleted", "It has been deleted", str(error))
        case HistoryTruncated():
            title = "Its history has been cut off, so nothing can be decided on it"
            return Problem(409, "history-truncated", title, str(error), first_version=error.first_version)
        case UnknownEventType() | UndecodableEvent():
            return unreadable_history(error)
        case KeyStoreUnavailable():
            return unavailable("key store", error)
        case _:
            return unavailable("event store", error)
