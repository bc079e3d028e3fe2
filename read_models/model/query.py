"""How a view is asked for: queries, declared as values beside the view; the query API makes routes of them.

What every query has: `path` is that of the GET route, with its path parameters in braces (`/orders/{order_id}`);
`operation` names it in the OpenAPI document and must be unique; `summary` and `description` are for readers of that
document. Every query takes `at_least` besides the parameters that it declares. `access` says who may ask, and whose the
documents are: its owner is a field of the document, for a custom query one of its parameters. No service serves a query
without.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from domain.model.access import Access
from read_models.model.parameter import Parameter
from read_models.model.reads import Reads


class KeyQuery(Struct, frozen=True, kw_only=True):
    """One document by its key, which is the only path parameter. `noun` says what there is none of in a 404.

    `version_field` names the field that holds the version of the one stream that the document is made of: then the
    ETag is that version, the one that commands take in `If-Match`; without it the ETag is made of the content. A view
    that is `per_stream` may name its `aggregate` by the category: then the document can be asked for `as_of` an earlier
    moment.
    """

    path: str
    operation: str
    summary: str
    key: Parameter
    noun: str
    description: str = ""
    version_field: str = ""
    aggregate: str = ""
    access: Access | None = None


class ListQuery(Struct, frozen=True, kw_only=True):
    """Documents in pages, filtered by the parameters that are given, each for equality.

    `sort` names the field that pages are cut by: the commit position of the event that brought the document about,
    unique, and never changed afterwards. Then pages neither miss a document nor show one twice, whatever is folded
    meanwhile. `limit` documents make a page, or as many as the client says up to `greatest_limit`.
    """

    path: str
    operation: str
    summary: str
    sort: str
    filters: tuple[Parameter, ...] = ()
    description: str = ""
    direction: Literal["ascending", "descending"] = "descending"
    limit: int = 50
    greatest_limit: int = 200
    access: Access | None = None


class RangeQuery(Struct, frozen=True, kw_only=True):
    """Every document whose `field` lies from `first` to `last`, both included and both required, in ascending order.

    `greatest_span` bounds the range: in days where the two are dates, in milliseconds where they are times. A range
    that holds more than `greatest_rows` documents is refused, not cut short.
    """

    path: str
    operation: str
    summary: str
    field: str
    first: Parameter
    last: Parameter
    greatest_span: int
    greatest_rows: int
    filters: tuple[Parameter, ...] = ()
    description: str = ""
    access: Access | None = None


Respond = Callable[[Reads, Mapping[str, Any]], Awaitable[Any]]
"""respond(reads, parameters) -> the answer, or None when there is no such thing (404).

Pure but for what it reads. `parameters` holds those that were sent, by name, as text or integers (dates as yyyymmdd,
times as epoch milliseconds). Raises InvalidParameters when each of them is right and the whole is not.
"""


class CustomQuery(Struct, frozen=True, kw_only=True):
    """What the other kinds can't say: a function that reads the view's documents, and the type of what it answers.

    It reads no other view: an answer that needs two views is a view of its own. `noun` as in KeyQuery.
    """

    path: str
    operation: str
    summary: str
    respond: Respond
    answer: type[Struct]
    parameters: tuple[Parameter, ...] = ()
    description: str = ""
    noun: str = "answer"
    access: Access | None = None


class FileQuery(Struct, frozen=True, kw_only=True):
    """The file that belongs to a document, which names it by its SHA-256: bytes from the document store, whole or in
    ranges.

    `key` is the document's, and the only path parameter; `digest` names the field with the SHA-256, which a document
    may be without for as long as it has no file. `noun` says what there is none of in a 404. The ETag is the SHA-256.
    """

    path: str
    operation: str
    summary: str
    key: Parameter
    digest: str
    media_type: str
    noun: str
    description: str = ""
    access: Access | None = None


class EvidenceQuery(Struct, frozen=True, kw_only=True):
    """What shows that a document is what was agreed: a ZIP file with the files that it names by their SHA-256, and the
    events of the streams with its key, with proofs.

    `key` is the document's, and the only path parameter. `streams` are the categories of the streams; `files` are the
    names of files and the fields with their SHA-256, which a document may be without. `noun` as in FileQuery.
    """

    path: str
    operation: str
    summary: str
    key: Parameter
    streams: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    noun: str
    description: str = ""
    access: Access | None = None


Query = KeyQuery | ListQuery | RangeQuery | CustomQuery | FileQuery | EvidenceQuery


class InvalidParameters(Exception):
    """The parameters of a custom query contradict one another; the message says how, in words for the client."""
