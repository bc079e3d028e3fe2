"""Waiting for the views over HTTP, so that a test or a script need not sleep."""

from typing import Annotated, Any

from litestar import post
from litestar.params import Parameter

from infrastructure.http.problems import Problem
from projector.draining import drained
from projector.engine import Engine
from projector.http.answers import Drained
from projector.http.problems import told_as_problems


def drain_route(engine: Engine) -> Any:
    """The route over a running engine."""

    @post("/drain", summary="Wait until every view has folded what the log holds now", tags=["views"], status_code=200)
    async def drain(
        timeout: Annotated[float, Parameter(gt=0, le=300, description="seconds")] = 10.0,
    ) -> Drained:
        with told_as_problems():
            try:
                return Drained(await drained(engine, timeout=timeout))
            except TimeoutError:
                title = "The views have not come to the log's end"
                raise Problem(
                    503, "not-drained", title, f"waited {timeout:g} s", headers={"Retry-After": "1"}
                ) from None

    return drain
