"""One order, as it is or as it was."""

from litestar.types import Scope

from infrastructure.read_store import StoredDocument
from query_api.answers import Answer, versioned
from query_api.as_of import AS_OF, document_as_of
from query_api.parameters import AT_LEAST, at_least, identifier, malformed
from query_api.route import Route, path_parameter
from query_api.shapes import Shape
from query_api.sources import Sources, not_found
from read_models.ordering.order_details import ORDER_DETAILS

_SHAPE = Shape(ORDER_DETAILS)


async def get_order(sources: Sources, scope: Scope, query: dict[str, str]) -> Answer:
    """The order's document; its ETag is its version."""
    order_id = identifier(path_parameter(scope, "order_id"), "order_id")
    held: StoredDocument | None
    if "as_of" in query:
        if "at_least" in query:
            raise malformed("as_of reads the events themselves, so at_least can't be combined with it")
        held = await document_as_of(sources, ORDER_DETAILS, order_id, query["as_of"])
    else:
        held = await sources.document(ORDER_DETAILS, order_id, at_least(query))
    if held is None or held.fields is None:
        raise not_found(f"order {order_id}")
    version = held.fields["version"]
    return versioned(scope, _SHAPE.show(held.fields), version, held.position)


ORDER_ROUTE = Route(
    path="/orders/{order_id:str}",
    name="GetOrder",
    summary="One order with its lines and the time of every step",
    respond=get_order,
    answer=_SHAPE.struct,
    description="The `ETag` is the one that commands take in `If-Match`.",
    parameters=(AT_LEAST, AS_OF),
)
