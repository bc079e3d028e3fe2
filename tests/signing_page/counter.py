"""The signing page over contracts in memory, asked as a browser or a program would ask it, without a socket."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from litestar import Litestar
from msgspec import Struct

from domain.documents.aggregate import CONTRACT
from domain.documents.contract import Contract
from infrastructure.clock import utc_now
from infrastructure.http.service import create_app
from infrastructure.outside.http_client import JsonResponse
from infrastructure.resilience import DependencyUnavailable
from infrastructure.security.link_keys import LinkKeys, make_link_keys
from infrastructure.security.signing_links import SigningLink, make_token
from infrastructure.settings import Settings
from signing_page.contracts import Contracts
from signing_page.problem_pages import with_problem_pages
from signing_page.routes import DOCUMENT, PAGE, signing_routes
from tests.support.memory_commands import MemoryCommands
from tests.support.served import Reply

PDF = b"%PDF-1.7 the contract"
DIGEST = hashlib.sha256(PDF).hexdigest()
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
AWAY = DependencyUnavailable("queries", "at http://10.0.0.7:8002")


class MemoryQueries:
    """Answers as the query API does; `away` is raised instead."""

    def __init__(self, commands: MemoryCommands) -> None:
        self.document = PDF
        self.away: Exception | None = None
        self._commands = commands

    async def get(self, *path: str) -> JsonResponse:
        if self.away is not None:
            raise self.away
        kind, order_id = path
        state: Contract | None = None
        for event in self._commands.events.get(f"contract-{order_id}", []):
            state = CONTRACT.evolve(state, event)
        if state is None:
            return JsonResponse(404, {"type": "urn:eventfold:problem:not-found"})
        if kind == "documents":
            return JsonResponse(200, None, content=self.document)
        body = {"status": state.status, "customer_id": state.customer_id, "document_sha256": state.document_sha256}
        return JsonResponse(200, body)


class SigningCounter:
    """The page, and contracts to sign: each of customer `ada`, over the document PDF, for a day."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        path = folder / "links.json"
        make_link_keys(path)
        self.keys = LinkKeys(path)
        self.commands = MemoryCommands(CONTRACT)
        self.queries = MemoryQueries(self.commands)
        queries: Any = self.queries
        app = create_app(
            "page",
            signing_routes(self.keys, Contracts(self.commands, queries)),
            {},
            Settings.of(auth_secret="of the tests, which is long enough", **settings),
            open_paths=[PAGE, DOCUMENT],
        )
        app.asgi_handler = with_problem_pages(app.asgi_handler)
        self.app: Litestar = app

    async def put_up(self, order_id: str = "o-1", *, rendered: bool = True, asked: bool = True) -> str:
        """A contract that waits to be signed, or is on its way there; the token of its link."""
        now = utc_now()
        item = {"sku": "tea", "quantity": 1, "unit_price": 5, "discount": 0, "total": 5}
        steps: list[tuple[str, dict[str, Any]]] = [
            (
                "request",
                {
                    "customer_id": "ada",
                    "customer_name": "Ada",
                    "currency": "USD",
                    "lines": [item],
                    "total": 5,
                    "ordered_at": now,
                    "confirmed_at": now,
                },
            )
        ]
        made = {"document_sha256": DIGEST, "size": len(PDF), "template": "t", "template_version": 1, "renderer": "r"}
        steps += [("record-rendering", made)] if rendered else []
        ask = {"document_sha256": DIGEST, "expires_at": now + timedelta(days=1)}
        steps += [("request-signature", ask)] if rendered and asked else []
        for action, body in steps:
            await self.done(order_id, action, body)
        return self.token(order_id)

    def token(self, order_id: str = "o-1", **other: Any) -> str:
        """The token of a link for a day."""
        end = int((utc_now() + timedelta(days=1)).timestamp())
        fields = {"contract_id": order_id, "customer_id": "ada", "document_sha256": DIGEST, "expires_at": end}
        return make_token(self.keys, SigningLink(**{**fields, **other}), utc_now())

    async def done(self, order_id: str, action: str, body: Mapping[str, Any]) -> None:
        """A command that is carried out."""
        answer = await self.commands.send("contracts", order_id, action, body, key="")
        assert answer.accepted, answer

    def events(self, order_id: str = "o-1") -> list[Struct]:
        """What stands of a contract after it was put up."""
        return self.commands.events.get(f"contract-{order_id}", [])[3:]

    async def opened(self, token: str, *, path: str = PAGE, accept: str = BROWSER, **headers: str) -> Reply:
        """GET with a link."""
        return await self.ask("GET", f"{path}?token={quote(token)}", headers={"accept": accept, **headers})

    async def sent(self, fields: Mapping[str, str], *, accept: str = BROWSER, **headers: str) -> Reply:
        """POST of the form."""
        return await self.ask("POST", PAGE, urlencode(fields).encode(), headers={"accept": accept, **headers})

    async def ask(
        self, method: str, target: str, body: bytes = b"", *, headers: Mapping[str, str], client: str = "198.51.100.7"
    ) -> Reply:
        """Any request. Names of headers have `_` for `-`."""
        path, _, query = target.partition("?")
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = {"content-type": "application/x-www-form-urlencoded", **given}
        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in raw.items()],
            "client": (client, 40_000),
            "server": ("127.0.0.1", 80),
            "root_path": "",
            "state": {},
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        named = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], named, b"".join(one.get("body", b"") for one in sent[1:]))
