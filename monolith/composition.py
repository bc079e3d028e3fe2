"""The process, put together from its services."""

from litestar import Litestar

from infrastructure.application import Application
from infrastructure.outside.calls import Calls
from infrastructure.settings import Settings
from monolith.dispatching import Dispatcher
from monolith.front import create_front
from monolith.part import Part
from monolith.services import Stages
from monolith.whole import Backing, Whole


def compose(stages: Stages, application: Application, settings: Settings, backing: Backing) -> Whole:
    """Makes every service that has something to do; each calls those that were made before it in this process, and
    others as the settings say. One that is alone answers for the whole itself.

    Raises InvalidSettings and AmbiguousRoutes.
    """
    calls, made = Calls(), []
    for stage in stages:
        parts = []
        for service in stage:
            if service.wanted(application, settings):
                app = service.create(application, settings, calls)
                calls = service.reached(calls, app)
                parts.append(Part(service.name, app, service.at_root))
        made.append(parts)
    everyone = [part for parts in made for part in parts]
    lives: list[list[Litestar]] = [[part.app for part in parts] for parts in made]
    if len(everyone) == 1:
        front = everyone[0].app
    else:
        front = create_front(everyone, settings)
        lives.append([front])
    return Whole(Dispatcher(front, everyone), lives, backing)
