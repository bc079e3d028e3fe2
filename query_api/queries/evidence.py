"""The evidence of a document: a ZIP file with its files, and the events of its streams with their proofs."""

from collections.abc import Mapping
from typing import Any

import structlog
from litestar.types import Scope

from infrastructure.document_store import digest_of
from infrastructure.evidence.bundle import NamedDocument, bundle
from infrastructure.evidence.log_proofs import ProvenEvents
from infrastructure.evidence.proofs import NotCovered, NotInTree
from infrastructure.evidence.verifier import NotProven
from infrastructure.http.problems import Problem
from query_api.http.declared import in_path
from query_api.http.kinds import parser
from query_api.http.ownership import is_visible
from query_api.http.parameters import AT_LEAST, at_least
from query_api.http.problems import not_found
from query_api.http.responses import Headers, Response, of_file
from query_api.http.route import FileAnswer, Route
from query_api.queries.files import content_of
from query_api.read_side import ReadSide
from query_api.streams.stream import stream_events
from read_models.model.query import EvidenceQuery
from read_models.model.view import View

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/zip"
MAX_BYTES = 256 << 20
"""Of all documents of a bundle together, because a bundle is made in memory."""

_GONE = 410


def evidence_route(read_side: ReadSide, view: View, query: EvidenceQuery) -> Route:
    """Whose document it is decides who may have its evidence. The ETag is the SHA-256 of the ZIP file, which is the
    same until an event or a checkpoint comes."""
    name, parse, access = query.key.name, parser(query.key), query.access
    owner = "" if access is None else access.owner

    async def respond(scope: Scope, sent: Mapping[str, str]) -> Response:
        key = scope["path_params"][name]
        parse(key)
        position = at_least(sent)
        stored = await read_side.document(view, key, position)
        fields = None if stored is None else stored.fields
        if stored is None or fields is None or not is_visible(scope, access, fields.get(owner)):
            if fields is not None and position is not None:
                await read_side.live(view, position)  # as long as it takes to find out that there is none
            raise not_found(f"{query.noun} {key}")
        documents = await _documents(read_side, query, fields)
        streams = {}
        for category in query.streams:
            # Of the document's own stream no event that it has not folded: that may name a file that it doesn't.
            until = stored.position if category == view.dropped_with else None
            streams[f"{category}-{key}"] = await _proven(read_side, f"{category}-{key}", until)
        content = bundle(f"{query.noun} {key}", documents, streams)
        file = f"evidence-{key.replace(':', '-')}.zip".encode()
        headers: Headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-disposition", b'attachment; filename="%s"' % file),
        ]
        return of_file(scope, content, digest_of(content), headers)

    return Route(
        path=query.path,
        operation=query.operation,
        summary=query.summary,
        respond=respond,
        answer=FileAnswer(MEDIA_TYPE),
        description=query.description,
        parameters=(AT_LEAST,),
        in_path=in_path(query.path, [query.key]),
        refusals={
            416: "The range begins behind the end of the file; `Content-Range` says how long it is",
            500: "A document, or the log, is not what it was: there is no evidence then",
        },
        access=access,
    )


async def _documents(read_side: ReadSide, query: EvidenceQuery, fields: Mapping[str, Any]) -> list[NamedDocument]:
    found: list[NamedDocument] = []
    size = 0
    for file, field in query.files:
        if not (digest := fields.get(field)):
            continue
        try:
            content = await content_of(read_side, digest)
        except Problem as problem:
            if problem.details.status != _GONE:
                raise
            found.append(NamedDocument(file, digest, None))
            continue
        size += len(content)
        if size > MAX_BYTES:
            raise Problem(500, "evidence-too-large", "The evidence is too large", f"it has over {MAX_BYTES} bytes")
        found.append(NamedDocument(file, digest, content))
    return found


async def _proven(read_side: ReadSide, stream: str, until: int | None) -> ProvenEvents | None:
    """None where the stream was deleted, or cut off as a whole."""
    try:
        events = [one for one in await stream_events(read_side, stream) if until is None or one.position <= until]
    except Problem as problem:
        if problem.details.status != _GONE:
            raise
        return None
    try:
        return await read_side.audit.of(events)
    except (NotProven, NotCovered, NotInTree, OSError) as error:
        log.error("the log can't be proven", stream=stream, error=str(error))
        raise Problem(500, "not-proven", "The log is not the one that was signed", str(error)) from error
