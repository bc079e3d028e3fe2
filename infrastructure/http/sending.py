"""Responses that come from in front of the framework, and headers that are added on the way out."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.types import Message, Send

from infrastructure.http.problems import MEDIA_TYPE, Problem

RawHeaders = Sequence[tuple[bytes, bytes]]


async def send_problem(send: Send, problem: Problem) -> None:
    """The whole response."""
    body = msgspec.json.encode(problem.details)
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()),
    ]
    await send({"type": "http.response.start", "status": problem.details.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def with_headers(send: Send, added: RawHeaders, unless_there: RawHeaders = ()) -> Send:
    """`send` with these headers on the response; those `unless_there` only where it has none of that name."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: list[Any] = [*message.get("headers", ()), *added]
            if unless_there:
                there = {name.lower() for name, _ in headers}
                headers += [one for one in unless_there if one[0] not in there]
            message["headers"] = headers
        await send(message)

    return sending
