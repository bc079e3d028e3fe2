"""An ASGI application, asked in this process."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct


class Answer(Struct):
    """A whole response; header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


async def ask(
    app: Any,
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    *,
    client: str = "10.0.0.1",
    repeated: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """What it responds to a client at the address; `repeated` are further headers, of any name."""
    given = [*(headers or {}).items(), *repeated]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given],
        "client": (client, 1234),
        "server": ("127.0.0.1", 80),
        "state": {},
        "app": app,
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    named = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], named, b"".join(message.get("body", b"") for message in sent[1:]))
