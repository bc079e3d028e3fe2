"""A process that ends at any call, for tests that step through what may happen."""

from collections.abc import Awaitable
from typing import Any

FOREVER = 10_000


class Crash(BaseException):
    """The process has ended here."""


class Fuse:
    """Lets so many calls through, then crashes: before the call, or after it was carried out."""

    def __init__(self) -> None:
        self.calls, self.before = FOREVER, True

    async def burn(self, call: Awaitable[Any]) -> Any:
        self.calls -= 1
        if self.calls >= 0:
            return await call
        if self.before:
            call.close()  # type: ignore[attr-defined]
        else:
            await call
        raise Crash


class Fused:
    """The commands, or a provider, as a process sees them that may end at any call."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._inner, name)

        async def call(*args: Any, **options: Any) -> Any:
            return await self._fuse.burn(called(*args, **options))

        return call
