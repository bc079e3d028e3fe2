"""What the query API is measured against: Litestar routes that do one bare motor find_one, or nothing at all.

`python -m benchmarks.bare_routes find_one|fixed`, with the settings of the query API.
"""

import os
import sys
from typing import Any

from litestar import Litestar, MediaType, Response, get
from motor.motor_asyncio import AsyncIOMotorClient

from infrastructure.http.server import serve
from infrastructure.settings import Settings, load_settings
from read_models.ordering.order_details import ORDER_DETAILS

_FIXED = b'{"order_id":"order-0","status":"pending","total":439}'


def find_one(settings: Settings) -> Litestar:
    """One route that answers with the document as motor gives it."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(settings.read_store.uri)
    collection = client[settings.read_store.database][ORDER_DETAILS.collection]

    @get("/orders/{order_id:str}")
    async def order(order_id: str) -> dict[str, Any] | None:
        return await collection.find_one({"_id": order_id})

    return Litestar([order], openapi_config=None, logging_config=None)


def fixed(_settings: Settings) -> Litestar:
    """One route that responds with the same bytes every time."""

    @get("/orders/{order_id:str}", sync_to_thread=False)
    def order(order_id: str) -> Response[bytes]:
        return Response(_FIXED, media_type=MediaType.JSON)

    return Litestar([order], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    chosen = load_settings(os.environ)
    build = {"find_one": find_one, "fixed": fixed}[sys.argv[1]]
    sys.exit(serve(build(chosen), chosen, chosen.http.query_api_port, "query_api_port_number"))
