"""The file of a document: its bytes as they were kept, whole or a range of them."""

from collections.abc import Mapping

import structlog
from litestar.types import Scope

from infrastructure.document_store import (
    AlteredDocument,
    DocumentStoreUnavailable,
    ForgottenDocument,
    NoSuchDocument,
)
from infrastructure.http.problems import Problem, unavailable
from query_api.http.declared import in_path
from query_api.http.kinds import parser
from query_api.http.ownership import is_visible
from query_api.http.parameters import AT_LEAST, at_least
from query_api.http.problems import not_found
from query_api.http.responses import Headers, Response, of_file
from query_api.http.route import FileAnswer, Route
from query_api.read_side import ReadSide
from read_models.model.query import FileQuery
from read_models.model.view import View

log = structlog.get_logger(__name__)


def file_route(read_side: ReadSide, view: View, query: FileQuery) -> Route:
    """Whose document it is decides who may have the file."""
    name, parse, access = query.key.name, parser(query.key), query.access
    owner = "" if access is None else access.owner
    media_type = query.media_type.encode()

    async def respond(scope: Scope, sent: Mapping[str, str]) -> Response:
        key = scope["path_params"][name]
        parse(key)
        position = at_least(sent)
        stored = await read_side.document(view, key, position)
        fields = None if stored is None else stored.fields
        if fields is None or not is_visible(scope, access, fields.get(owner)):
            if fields is not None and position is not None:
                await read_side.live(view, position)  # as long as it takes to find out that there is none
            raise not_found(f"{query.noun} {key}")
        digest = fields.get(query.digest)
        if not digest:
            raise Problem(404, "not-found", "Not found", f"{query.noun} {key} is not made yet", code="not-made-yet")
        headers: Headers = [
            (b"content-type", media_type),
            (b"content-disposition", b'inline; filename="%s.pdf"' % key.replace(":", "-").encode()),
        ]
        return of_file(scope, await content_of(read_side, digest), digest, headers)

    return Route(
        path=query.path,
        operation=query.operation,
        summary=query.summary,
        respond=respond,
        answer=FileAnswer(query.media_type),
        description=query.description,
        parameters=(AT_LEAST,),
        in_path=in_path(query.path, [query.key]),
        refusals={
            410: "Whose document it was is forgotten, and it can't be read any more",
            416: "The range begins behind the end of the file; `Content-Range` says how long it is",
            500: "What is kept in the place of the file is not what was kept there, or is not there any more",
        },
        access=access,
    )


async def content_of(read_side: ReadSide, digest: str) -> bytes:
    """The document. Raises Problem: 410 where its person is forgotten, 500 where it was altered or is missing, 503."""
    if read_side.documents is None:
        raise unavailable("document store", DocumentStoreUnavailable("EVENTFOLD_DOCUMENT_STORE is not set"))
    try:
        return await read_side.documents.get(digest)
    except DocumentStoreUnavailable as error:
        raise unavailable("document store", error) from error
    except ForgottenDocument as error:
        raise Problem(
            410, "gone", "The document can't be read any more", str(error), code="document-forgotten"
        ) from error
    except NoSuchDocument as error:
        log.error("a document is missing", digest=digest)
        raise Problem(500, "document-missing", "The document is missing", str(error)) from error
    except AlteredDocument as error:
        log.error("a document was altered", digest=digest, error=str(error))
        raise Problem(500, "document-altered", "The document was altered", str(error)) from error
