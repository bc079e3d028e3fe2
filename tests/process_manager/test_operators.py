"""What an operator has done in a process is told with who it was."""

from typing import Any

import pytest

from infrastructure.http.service import create_app
from infrastructure.security.identity import ANYBODY, Identity
from process_manager.http.instances import instance_routes
from tests.support.identities import OPERATOR, STAFF
from tests.support.in_process import ask, open_settings

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


class Operations:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def retry(self, *asked: Any) -> list[str]:
        self.asked.append(asked)
        return ["off"]

    async def resolve(self, *asked: Any) -> list[str]:
        self.asked.append(asked)
        return ["off"]


@pytest.mark.parametrize(("identity", "actor"), [(OPERATOR, "olaf"), (ANYBODY, "process-manager")])
async def test_it_is_the_operators(identity: Identity, actor: str) -> None:
    operations: Any = Operations()
    app = create_app("x", instance_routes(operations, None), {}, open_settings())  # type: ignore[arg-type]
    path = "/processes/porch_light/instances/p1"
    assert (await ask(app, identity, "POST", f"{path}/retry", {"step": "off"})).status == 202
    assert (await ask(app, identity, "POST", f"{path}/resolve", {"reason": "unscrewed"})).status == 202
    assert operations.asked == [
        ("porch_light", "p1", "off", actor),
        ("porch_light", "p1", "unscrewed", None, actor),
    ]
    assert (await ask(app, STAFF, "POST", f"{path}/retry", {})).status == 403
    assert len(operations.asked) == 2
