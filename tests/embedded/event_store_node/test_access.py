"""Who may do what: the defaults, `$acl`, `$settings`, and how each refusal is told."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from access_support import as_user, users_file
from esdbclient.protos.Grpc import (
    gossip_pb2_grpc,
    shared_pb2,
    streams_pb2,
    streams_pb2_grpc,
)
from node_support import EMPTY, append_requests, batch_request, event, messages, read_options, stream_id

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.security.acl import SYSTEM_STREAMS, USER_STREAMS, Action, allows, parse_acl
from embedded.event_store_node.security.policy import Caller, rule_of
from embedded.event_store_node.security.security import Security
from embedded.event_store_node.security.users import User

GRANTED = "granted"
DENIED = "denied"
Metadata = tuple[tuple[str, str], ...]
NOBODY: Metadata = ()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[EventStoreNode]:
    """A node with users; without TLS, so that a call of the stub can be any user's."""
    async with EventStoreNode(security=Security(users=users_file(tmp_path))) as node:
        yield node


class Client:
    """Calls of one user, each answered with whether it was granted."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata) -> None:
        self._stub = streams_pb2_grpc.StreamsStub(channel)
        self._metadata = metadata

    async def read(self, stream: str) -> str:
        return await self._verdict(self._read(stream=stream_options(stream)))

    async def read_all(self, **options: Any) -> str:
        return await self._verdict(self._read(**options))

    async def subscribe(self, stream: str | None = None) -> str:
        options: dict[str, Any] = {"subscription": read_options().SubscriptionOptions()}
        if stream is not None:
            options["stream"] = stream_options(stream)
        return await self._verdict(self._read(count=1, **options))

    async def append(self, stream: str, data: bytes = b"{}", **fields: str) -> str:
        requests = append_requests(stream, [event(data=data, **fields)])
        return await self._verdict(self._stub.Append(iter(requests), metadata=self._metadata))

    async def batch_append(self, stream: str) -> str:
        (answer,) = await messages(
            self._stub.BatchAppend(iter([batch_request(stream, [event()])]), metadata=self._metadata)
        )
        if answer.WhichOneof("result") == "success":
            return GRANTED
        assert answer.stream_identifier.stream_name == stream.encode()
        assert (answer.error.code, answer.error.message) == (7, "AccessDenied")
        assert answer.error.details.Is(shared_pb2.AccessDenied.DESCRIPTOR)
        return DENIED

    async def delete(self, stream: str) -> str:
        request = streams_pb2.DeleteReq(options={"stream_identifier": stream_id(stream), "any": EMPTY})
        return await self._verdict(self._stub.Delete(request, metadata=self._metadata))

    async def tombstone(self, stream: str) -> str:
        request = streams_pb2.TombstoneReq(options={"stream_identifier": stream_id(stream), "any": EMPTY})
        return await self._verdict(self._stub.Tombstone(request, metadata=self._metadata))

    async def write(self, stream: str) -> str:
        """Both ways to append, which must agree."""
        verdict = await self.append(stream)
        assert await self.batch_append(stream) == verdict
        return verdict

    async def set_metadata(self, stream: str, document: object) -> str:
        return await self.append(f"$${stream}", json.dumps(document).encode())

    async def _read(self, count: int | None = None, **options: Any) -> None:
        request = streams_pb2.ReadReq(options=read_options(**options))
        call = self._stub.Read(request, metadata=self._metadata)
        await messages(call, count)
        call.cancel()

    async def _verdict(self, call: Any) -> str:
        try:
            await call
        except grpc.aio.AioRpcError as refusal:
            if refusal.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return denied(refusal)
        return GRANTED


def denied(refusal: grpc.aio.AioRpcError) -> str:
    assert refusal.details() == "Access Denied"
    assert ("exception", "access-denied") in tuple(refusal.trailing_metadata() or ())
    return DENIED


def stream_options(stream: str) -> Any:
    return read_options().StreamOptions(stream_identifier=stream_id(stream), start=EMPTY)


@pytest.fixture
async def channel(node: EventStoreNode) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        yield channel


@pytest.fixture
def admin(channel: grpc.aio.Channel) -> Client:
    return Client(channel, as_user("admin"))


@pytest.fixture
def ann(channel: grpc.aio.Channel) -> Client:
    return Client(channel, as_user("ann"))


@pytest.fixture
def bob(channel: grpc.aio.Channel) -> Client:
    """A member of the group `team`."""
    return Client(channel, as_user("bob"))


@pytest.fixture
def nobody(channel: grpc.aio.Channel) -> Client:
    return Client(channel, NOBODY)


# Defaults


async def test_streams_are_for_every_user(ann: Client) -> None:
    assert await ann.write("s") == GRANTED
    assert await ann.read("s") == GRANTED
    assert await ann.subscribe("s") == GRANTED
    assert await ann.set_metadata("s", {"$maxCount": 5}) == GRANTED
    assert await ann.read("$$s") == GRANTED
    assert await ann.delete("s") == GRANTED
    assert await ann.tombstone("s") == GRANTED


@pytest.mark.parametrize("stream", ["$s", "$$$s", "$settings", "$ce-order"])
async def test_system_streams_are_for_administrators(admin: Client, ann: Client, stream: str) -> None:
    assert await ann.write(stream) == DENIED
    assert await ann.read(stream) == DENIED
    assert await ann.subscribe(stream) == DENIED
    assert await ann.delete(stream) == DENIED
    assert await ann.tombstone(stream) == DENIED
    assert await admin.write(stream) == GRANTED
    assert await admin.read(stream) == GRANTED


async def test_all_is_for_administrators(admin: Client, ann: Client, channel: grpc.aio.Channel) -> None:
    for everything in (ann, Client(channel, as_user("ops"))):
        assert await everything.read_all() == DENIED
        assert await everything.subscribe() == DENIED
        assert await everything.read("$all") == DENIED
    assert await admin.read_all() == GRANTED
    assert await admin.subscribe() == GRANTED


async def test_all_can_be_opened(admin: Client, bob: Client, ann: Client) -> None:
    assert await admin.set_metadata("$all", {"$acl": {"$r": ["team", "$admins"]}}) == GRANTED
    assert await bob.read_all() == GRANTED
    assert await bob.subscribe() == GRANTED
    assert await ann.read_all() == DENIED


async def test_not_even_an_administrator_writes_to_all_or_deletes_metadata(admin: Client) -> None:
    assert await admin.write("$all") == DENIED
    assert await admin.delete("$all") == DENIED
    assert await admin.delete("$$s") == DENIED
    assert await admin.tombstone("$$s") == DENIED


async def test_who_gives_no_password_may_nothing(nobody: Client) -> None:
    assert await nobody.write("s") == DENIED
    assert await nobody.read("s") == DENIED
    assert await nobody.read_all() == DENIED
    assert await nobody.delete("s") == DENIED


# Lists


async def test_a_list_in_the_metadata(admin: Client, ann: Client, bob: Client) -> None:
    await admin.write("s")
    acl = {"$r": "$all", "$w": ["ann", "team"], "$d": "team", "$mr": [], "$mw": "$admins"}
    assert await admin.set_metadata("s", {"$acl": acl}) == GRANTED
    assert [await user.read("s") for user in (ann, bob)] == [GRANTED, GRANTED]
    assert [await user.write("s") for user in (ann, bob)] == [GRANTED, GRANTED]
    assert [await user.read("$$s") for user in (admin, ann, bob)] == [GRANTED, DENIED, DENIED]
    assert [await user.write("$$s") for user in (ann, bob)] == [DENIED, DENIED]
    assert [await user.delete("s") for user in (ann, bob)] == [DENIED, GRANTED]


async def test_what_a_list_leaves_out_is_as_by_default(admin: Client, ann: Client) -> None:
    await admin.set_metadata("s", {"$acl": {"$w": "bob"}})
    assert await ann.write("s") == DENIED
    assert await ann.read("s") == GRANTED
    await admin.set_metadata("$s", {"$acl": {"$r": "ann"}})
    assert await ann.read("$s") == GRANTED
    assert await ann.write("$s") == DENIED


async def test_a_changed_list_counts_at_once(admin: Client, ann: Client) -> None:
    for roles, verdict in (("bob", DENIED), ("ann", GRANTED), ([], DENIED)):
        await admin.set_metadata("s", {"$acl": {"$w": roles}})
        assert await ann.write("s") == verdict
    await admin.set_metadata("s", {})
    assert await ann.write("s") == GRANTED


async def test_settings_change_the_defaults(admin: Client, ann: Client) -> None:
    settings = {"$userStreamAcl": {"$w": "bob"}, "$systemStreamAcl": {"$r": "$all"}}
    assert await admin.append("$settings", json.dumps(settings).encode()) == GRANTED
    assert await ann.write("s") == DENIED
    assert await ann.read("s") == GRANTED
    assert await ann.read("$s") == GRANTED
    assert await ann.read_all() == GRANTED
    assert await ann.write("$s") == DENIED
    await admin.set_metadata("s", {"$acl": {"$w": "ann"}})
    assert await ann.write("s") == GRANTED
    await admin.append("$settings", b"not json")
    assert await ann.read("$s") == DENIED


async def test_settings_that_are_deleted(admin: Client, ann: Client) -> None:
    await admin.append("$settings", b'{"$userStreamAcl": {"$w": "bob"}}')
    assert await ann.write("s") == DENIED
    assert await admin.delete("$settings") == GRANTED
    assert await ann.write("s") == GRANTED


async def test_metadata_that_is_not_json_by_its_content_type_is_no_list(admin: Client, ann: Client) -> None:
    data = b'{"$acl": {"$w": "bob"}}'
    assert await admin.append("$$s", data, content_type="application/octet-stream") == GRANTED
    assert await ann.write("s") == GRANTED
    assert await admin.append("$$s", data) == GRANTED
    assert await ann.write("s") == DENIED


async def test_a_tombstoned_stream_has_no_list(admin: Client, ann: Client) -> None:
    await admin.set_metadata("s", {"$acl": {"$r": "bob"}})
    await admin.append("s")
    assert await ann.read("s") == DENIED
    assert await admin.tombstone("s") == GRANTED
    with pytest.raises(grpc.aio.AioRpcError, match="is deleted"):
        await ann.read("s")


def test_what_is_no_list() -> None:
    assert parse_acl({}) == {}
    assert parse_acl({"$r": "a", "$w": ["a", "b"]}) == {
        Action.READ: frozenset({"a"}),
        Action.WRITE: frozenset({"a", "b"}),
    }
    for document in (None, [], "x", {"$r": 1}, {"$r": None}, {"$r": [1]}, {"$r": "a", "other": "b"}):
        assert parse_acl(document) is None


def test_the_first_list_that_mentions_an_action_counts() -> None:
    ann = User("ann", frozenset({"ann"}))
    assert allows(ann, Action.READ, None, None, USER_STREAMS)
    assert not allows(ann, Action.READ, None, None, SYSTEM_STREAMS)
    assert not allows(ann, Action.READ, {Action.READ: frozenset()}, USER_STREAMS)
    assert allows(ann, Action.READ, {Action.WRITE: frozenset()}, USER_STREAMS)
    assert not allows(ann, Action.READ)


# Calls


async def test_a_batch_is_refused_write_by_write(channel: grpc.aio.Channel) -> None:
    stub = streams_pb2_grpc.StreamsStub(channel)
    first = batch_request("$s", [event()], is_final=False)
    rest = batch_request(new=[event()])
    rest.correlation_id.CopyFrom(first.correlation_id)
    requests = [batch_request("a", [event()]), first, rest, batch_request("b", [event()])]
    answers = await messages(stub.BatchAppend(iter(requests), metadata=as_user("ann")))
    verdicts = {answer.stream_identifier.stream_name: answer.WhichOneof("result") for answer in answers}
    assert verdicts == {b"a": "success", b"$s": "error", b"b": "success"}
    assert len(answers) == 3


async def test_a_wrong_password_ends_every_call(channel: grpc.aio.Channel) -> None:
    wrong = as_user("ann", "wrong")
    stub = streams_pb2_grpc.StreamsStub(channel)
    for call in (
        messages(stub.Read(streams_pb2.ReadReq(options=read_options()), metadata=wrong)),
        stub.Append(iter(append_requests("s", [event()])), metadata=wrong),
        messages(stub.BatchAppend(iter([batch_request("s", [event()])]), metadata=wrong)),
        gossip_pb2_grpc.GossipStub(channel).Read(shared_pb2.Empty(), metadata=wrong),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_gossip_is_for_anybody(channel: grpc.aio.Channel) -> None:
    assert (await gossip_pb2_grpc.GossipStub(channel).Read(shared_pb2.Empty())).members


@pytest.mark.parametrize(
    ("method", "caller"),
    [
        ("persistent_subscriptions.PersistentSubscriptions/Create", Caller.OPERATOR),
        ("persistent_subscriptions.PersistentSubscriptions/GetInfo", Caller.USER),
        ("projections.Projections/Delete", Caller.OPERATOR),
        ("projections.Projections/Statistics", Caller.USER),
        ("operations.Operations/Shutdown", Caller.OPERATOR),
        ("server_features.ServerFeatures/GetSupportedMethods", Caller.ANYBODY),
        ("some.Service/ThatIsNew", Caller.OPERATOR),
    ],
)
def test_who_may_call(method: str, caller: Caller) -> None:
    assert rule_of(f"/event_store.client.{method}") is caller


async def test_malformed_calls_are_refused_as_ever(channel: grpc.aio.Channel) -> None:
    stub = streams_pb2_grpc.StreamsStub(channel)
    metadata = as_user("ann")
    for call, code in (
        (messages(stub.Read(streams_pb2.ReadReq(), metadata=metadata)), grpc.StatusCode.INVALID_ARGUMENT),
        (stub.Append(iter([streams_pb2.AppendReq()]), metadata=metadata), grpc.StatusCode.UNKNOWN),
        (stub.Delete(streams_pb2.DeleteReq(), metadata=metadata), grpc.StatusCode.UNKNOWN),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call
        assert refusal.value.code() is code


async def test_without_users_everybody_is_an_administrator() -> None:
    async with EventStoreNode() as node, grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        for metadata in (NOBODY, as_user("nobody", "wrong")):
            client = Client(channel, metadata)
            assert await client.write("$s") == GRANTED
            assert await client.read_all() == GRANTED
