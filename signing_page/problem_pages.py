"""Problem details as a page, for whoever asks for HTML; wherever in the service the problem was found."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from infrastructure.http.problems import MEDIA_TYPE, ProblemDetails
from signing_page.pages import MEDIA_TYPE as HTML
from signing_page.pages import POLICY, problem_page

_REPLACED = frozenset({b"content-type", b"content-length", b"content-security-policy"})


def wants_html(scope: Mapping[str, Any]) -> bool:
    """Whether whoever asks is a browser, or says that it takes HTML."""
    return any(b"text/html" in value for name, value in scope["headers"] if name == b"accept")


def with_problem_pages(app: ASGIApp) -> ASGIApp:
    """The application, whose problems are readable in a browser; programs get them as they are."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not wants_html(scope):
            await app(scope, receive, send)
            return
        await app(scope, receive, _Readable(send))

    return respond


class _Readable:
    """Sends all but problems on as it comes; of a problem, the page once it has come as a whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._problem: Any = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._problem = message
        elif self._problem is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_page()

    async def _send_page(self) -> None:
        problem = msgspec.json.decode(self._body, type=ProblemDetails)
        page = problem_page(problem.status, problem.title, problem.detail)
        headers = [one for one in self._problem["headers"] if one[0].lower() not in _REPLACED]
        headers += [
            (b"content-type", f"{HTML}; charset=utf-8".encode()),
            (b"content-length", b"%d" % len(page)),
            (b"content-security-policy", POLICY.encode()),
        ]
        self._problem["headers"] = headers
        await self._send(self._problem)
        await self._send({"type": "http.response.body", "body": page, "more_body": False})


def _is_problem(message: Any) -> bool:
    return (b"content-type", MEDIA_TYPE.encode()) in [(name.lower(), value) for name, value in message["headers"]]
