"""Waiting for consumers over HTTP, so that a test or a script need not sleep."""

from typing import Annotated, Any

from litestar import post
from litestar.params import Parameter

from domain.model.access import Access
from infrastructure.http.openapi import MALFORMED, documented
from infrastructure.http.problems import Problem
from subscriptions.http.problems import as_problems
from subscriptions.http.responses import Drained
from subscriptions.operating.draining import Draining


def drain_route(draining: Draining) -> Any:
    """The route over one process."""

    @post(
        "/drain",
        summary="Wait until all that the log holds now is handled",
        tags=["consumers"],
        status_code=200,
        **documented(
            MALFORMED | {404: "There is no such consumer", 503: "A store is away, or not all is handled in time"},
            access=Access("consumers:read", shared=True),
        ),
    )
    async def drain(
        timeout: Annotated[float, Parameter(gt=0, le=300, description="seconds")] = 10.0,
        consumer: Annotated[
            list[str] | None, Parameter(description="only these, whoever runs them; else all that this service runs")
        ] = None,
    ) -> Drained:
        with as_problems():
            try:
                return Drained(await draining.drained(consumer or (), timeout=timeout))
            except TimeoutError:
                title = "Not everything has come to the log's end"
                raise Problem(
                    503, "not-drained", title, f"waited {timeout:g} s", headers={"Retry-After": "1"}
                ) from None

    return drain
