"""The command API over real HTTP, on a real node, with any aggregate: what clients send, and what they get."""

import asyncio
import json
from typing import Any

import pytest

from tests.command_api.client import Answer, assert_problem, send, stream_of
from tests.support.services import TINY

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAMP: dict[str, Any] = {"room": "kitchen", "watts": 60}


@pytest.fixture(scope="module")
def domain() -> str:
    return TINY


async def install(http, lamp_id, **headers) -> Answer:
    return await send(http, "PUT", f"/lamps/{lamp_id}", LAMP, **headers)


async def test_a_lamp_goes_its_whole_way(api, http, lamp_id):
    installed = await install(http, lamp_id)
    assert installed.status == 201
    assert installed.json == {"lamp_id": lamp_id, "version": 0, "position": installed.json["position"]}
    assert installed.headers["ETag"] == '"0"'
    assert installed.headers["Eventfold-Position"] == str(installed.json["position"])
    assert installed.headers["Location"] == f"/lamps/{lamp_id}"
    for version, (action, body) in enumerate([("switch-on", None), ("switch-off", {})], start=1):
        done = await send(http, "POST", f"/lamps/{lamp_id}/{action}", body)
        assert (done.status, done.json["version"]) == (200, version)
    events = await stream_of(api, f"lamp-{lamp_id}")
    assert [event.type for event in events] == ["LampInstalled", "LampSwitchedOn", "LampSwitchedOff"]
    assert events[-1].position == done.json["position"]


async def test_events_say_who_and_what_brought_them_about(api, http, lamp_id):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await install(
        http, lamp_id, Idempotency_Key="k-7", X_Correlation_ID="visit-9", Eventfold_Actor="ada", traceparent=trace
    )
    (event,) = await stream_of(api, f"lamp-{lamp_id}")
    metadata = json.loads(event.metadata)
    assert metadata.pop("commandHash")
    assert metadata.pop("chain").startswith("1:0:")
    assert metadata == {
        "schemaVersion": 2,
        "commandId": "k-7",
        "$correlationId": "visit-9",
        "$causationId": "k-7",
        "actor": "ada",
        "traceparent": trace,
    }


async def test_the_server_names_a_lamp_that_the_client_does_not(api, http):
    one = await send(http, "POST", "/lamps", LAMP)
    other = await send(http, "POST", "/lamps", LAMP)
    assert one.status == other.status == 201
    assert one.json["lamp_id"] != other.json["lamp_id"]
    assert one.headers["Location"] == f"/lamps/{one.json['lamp_id']}"


async def test_a_nameless_lamp_is_installed_once_under_one_key(api, http, lamp_id):
    one = await send(http, "POST", "/lamps", LAMP, Idempotency_Key=lamp_id)
    again = await send(http, "POST", "/lamps", LAMP, Idempotency_Key=lamp_id)
    assert (one.status, one.json) == (again.status, again.json)
    other = await send(http, "POST", "/lamps", {**LAMP, "room": "hall"}, Idempotency_Key=lamp_id)
    assert_problem(other, 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"not json",
        b"\xff\xfe",
        b'{"room": "\xff"}',
        b"[" * 100_000,
        b'{"room":' * 20_000,
        b"{}{}",
        b"NaN",
    ],
    ids=["cut off", "text", "bytes", "bad utf-8", "deep", "deep objects", "two", "nan"],
)
async def test_what_is_no_json_is_refused(api, http, lamp_id, raw):
    refused = await send(http, "PUT", f"/lamps/{lamp_id}", raw=raw)
    assert refused.status == 400
    assert refused.media_type == "application/problem+json"


async def test_a_lone_surrogate_is_refused_and_not_half_done(api, http, lamp_id):
    raw = json.dumps({**LAMP, "room": "\ud800"}).encode()
    refused = await send(http, "PUT", f"/lamps/{lamp_id}", raw=raw)
    assert refused.status == 400
    assert await stream_of(api, f"lamp-{lamp_id}") == []


async def test_other_media_types_are_refused(api, http, lamp_id):
    refused = await send(http, "PUT", f"/lamps/{lamp_id}", raw=b"a=b", Content_Type="text/plain")
    assert_problem(refused, 415, "media-type")


async def test_a_body_above_the_limit_is_refused(api, http, lamp_id):
    big = json.dumps({**LAMP, "room": "x" * 300_000}).encode()
    refused = await send(http, "PUT", f"/lamps/{lamp_id}", raw=big)
    assert_problem(refused, 413, "too-large")


async def test_a_chunked_body_above_the_limit_is_refused(api, http, lamp_id):
    async def chunks():
        for _ in range(40):
            yield b" " * 10_000

    async with http.put(f"/lamps/{lamp_id}", data=chunks(), headers={"Content-Type": "application/json"}) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fetc",
        "a%2fb",
        "a%5cb",
        "%00",
        "a%0ab",
        "a%20b",
        "$all",
        "%24streams",
        "x" * 65,
        "caf%C3%A9",
    ],
)
async def test_ids_with_path_tricks_are_refused(api, path):
    # A raw connection: a client library would tidy the path up first.
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    body = json.dumps(LAMP).encode()
    head = f"PUT /lamps/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    status = int((await reader.readline()).split()[1])
    writer.close()
    assert status in (400, 404, 405)


async def test_unknown_paths_and_methods_are_problems_too(http, lamp_id):
    assert_problem(await send(http, "GET", "/nothing"), 404, "no-such-path")
    assert_problem(await send(http, "PATCH", f"/lamps/{lamp_id}"), 405, "method-not-allowed")
    assert_problem(await send(http, "POST", f"/lamps/{lamp_id}/explode"), 404, "no-such-path")


async def test_an_unknown_aggregate(api, http, lamp_id):
    assert_problem(await send(http, "POST", f"/lamps/{lamp_id}/switch-on"), 404, "not-found")


async def test_a_command_in_the_wrong_state(api, http, lamp_id):
    await install(http, lamp_id)
    refused = await send(http, "POST", f"/lamps/{lamp_id}/switch-off")
    assert_problem(refused, 409, "rule-violation")
    assert refused.json["code"] == "lamp-not-on"
    assert "is off" in refused.json["detail"]
    assert_problem(await install(http, lamp_id), 409, "rule-violation")
    assert len(await stream_of(api, f"lamp-{lamp_id}")) == 1


async def test_a_stale_if_match(api, http, lamp_id):
    await install(http, lamp_id)
    await send(http, "POST", f"/lamps/{lamp_id}/switch-on", If_Match='"0"')
    refused = await send(http, "POST", f"/lamps/{lamp_id}/switch-off", If_Match='"0"')
    assert_problem(refused, 412, "stale-version")
    assert refused.headers["ETag"] == '"1"'
    assert len(await stream_of(api, f"lamp-{lamp_id}")) == 2


@pytest.mark.parametrize("header", [{"If_Match": "0"}, {"Idempotency_Key": "a b"}, {"Idempotency_Key": "x" * 129}])
async def test_a_malformed_header(api, http, lamp_id, header):
    assert_problem(await install(http, lamp_id, **header), 400, "malformed-header")


async def test_a_reused_key(api, http, lamp_id):
    first = await install(http, lamp_id, Idempotency_Key="k1")
    again = await install(http, lamp_id, Idempotency_Key="k1")
    assert (again.status, again.json, again.headers["ETag"]) == (201, first.json, '"0"')
    other = await send(http, "PUT", f"/lamps/{lamp_id}", {**LAMP, "watts": 61}, Idempotency_Key="k1")
    assert_problem(other, 422, "idempotency-key-reused")
    assert_problem(
        await send(http, "POST", f"/lamps/{lamp_id}/switch-on", Idempotency_Key="k1"), 422, "idempotency-key-reused"
    )
    assert len(await stream_of(api, f"lamp-{lamp_id}")) == 1


async def test_the_same_command_fifty_times_at_once_is_one_event(api, http, lamp_id):
    answers = await asyncio.gather(*(install(http, lamp_id, Idempotency_Key="k") for _ in range(50)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["position"] for answer in answers}) == 1
    assert len(await stream_of(api, f"lamp-{lamp_id}")) == 1


async def test_two_commands_race(api, http, lamp_id):
    await install(http, lamp_id)
    switching = [send(http, "POST", f"/lamps/{lamp_id}/switch-on") for _ in range(2)]
    winner, loser = sorted(await asyncio.gather(*switching), key=lambda answer: answer.status)
    assert winner.status == 200
    assert_problem(loser, 409, "rule-violation")
    assert loser.json["code"] == "lamp-not-off"
    assert [event.type for event in await stream_of(api, f"lamp-{lamp_id}")] == ["LampInstalled", "LampSwitchedOn"]


async def test_openapi_names_every_command(http):
    schema = (await send(http, "GET", "/schema/openapi.json")).json
    operations = {operation["operationId"] for path in schema["paths"].values() for operation in path.values()}
    assert {"InstallLamp", "InstallLampUnnamed", "SwitchLampOn", "SwitchLampOff"} <= operations
    assert {"SendParcel", "SendParcelUnnamed", "DeliverParcel"} <= operations
    body = schema["paths"]["/lamps/{lamp_id}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"] == {"room": {"type": "string"}, "watts": {"type": "integer"}}
    assert body["required"] == ["room", "watts"]


async def test_metrics_count_commands(http, lamp_id):
    await install(http, lamp_id)
    async with http.get("/metrics") as response:
        text = await response.text()
    assert 'eventfold_commands_total{command="InstallLamp",status="201"}' in text
    assert "eventfold_command_seconds_bucket" in text
