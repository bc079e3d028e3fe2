"""A client of the command API that sends what it is told to, byte by byte if need be."""

import json

import aiohttp

from infrastructure.event_store import EventStore
from tests.support.services import node_uri


class Answer:
    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.media_type = response.content_type
        self.json = json.loads(body) if body else None


async def send(http, method, path, body=None, raw=None, **headers) -> Answer:
    data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        named.setdefault("Content-Type", "application/json")
    async with http.request(method, path, data=data, headers=named) as response:
        return Answer(response, await response.read())


async def stream_of(api, stream):
    store = EventStore(node_uri(api.node.port))
    try:
        return await store.read_stream(stream)
    finally:
        await store.close()


def assert_problem(answer, status, kind):
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.json
    assert answer.json["type"] == f"urn:eventfold:problem:{kind}"
    assert answer.json["status"] == status
    assert answer.json["title"]
