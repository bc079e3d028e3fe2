"""What the process is composed of: a service each."""

from collections.abc import Callable

from litestar import Litestar
from msgspec import Struct

from infrastructure.application import Application
from infrastructure.outside.calls import Calls
from infrastructure.settings import Settings


class Part(Struct, frozen=True):
    """A service within the process. All its routes are under /-/NAME; those of one `at_root` are at the paths too that
    they have where the service is a process of its own."""

    name: str
    app: Litestar
    at_root: bool = False


def _always(_application: Application, _settings: Settings) -> bool:
    return True


def _called_by_nobody(calls: Calls, _app: Litestar) -> Calls:
    return calls


class Service(Struct, frozen=True):
    """How a part is made: `create` is the service's own function, `wanted` says whether there is anything to do for it,
    and `reached` gives how those that are made after it call it."""

    name: str
    create: Callable[[Application, Settings, Calls], Litestar]
    at_root: bool = False
    wanted: Callable[[Application, Settings], bool] = _always
    reached: Callable[[Calls, Litestar], Calls] = _called_by_nobody
