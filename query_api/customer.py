"""What a customer has ordered and spent."""

from litestar.types import Scope

from query_api.answers import Answer, weak
from query_api.parameters import AT_LEAST, at_least, identifier
from query_api.route import Route, path_parameter
from query_api.shapes import Shape
from query_api.sources import Sources, not_found
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY

_SHAPE = Shape(CUSTOMER_SUMMARY)


async def get_customer(sources: Sources, scope: Scope, query: dict[str, str]) -> Answer:
    """A customer's summary."""
    customer_id = identifier(path_parameter(scope, "customer_id"), "customer_id")
    held = await sources.document(CUSTOMER_SUMMARY, customer_id, at_least(query))
    if held is None or held.fields is None:
        raise not_found(f"customer {customer_id}")
    return weak(scope, _SHAPE.show(held.fields), held.position)


CUSTOMER = Route(
    path="/customers/{customer_id:str}",
    name="GetCustomer",
    summary="A customer's orders and spend in figures",
    respond=get_customer,
    answer=_SHAPE.struct,
    parameters=(AT_LEAST,),
)
