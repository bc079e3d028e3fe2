"""Every route of the projector. A new one is a function in one of these modules."""

from typing import Any

from projector.engine import Engine
from projector.http.dead_letters import dead_letter_routes
from projector.http.drain import drain_route
from projector.http.views import view_routes


def routes(engine: Engine, *, patience: float) -> list[Any]:
    """The route handlers over a running engine. `patience` is in seconds: how long other processes may take."""
    return [*view_routes(engine), *dead_letter_routes(engine, patience=patience), drain_route(engine)]
