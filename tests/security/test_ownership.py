"""A customer sees and changes what is their own alone. What is another's is, to the byte, as if it were not there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from application import APPLICATION
from infrastructure.security.identity import ANYBODY, Identity
from infrastructure.security.policy import ALL_OWNERS
from infrastructure.security.roles import ROLES
from tests.support.identities import ADA, BOB, OPERATOR, SERVICE, STAFF, STRANGER, as_role
from tests.support.in_process import InProcess, ask
from tests.support.served import Reply

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

MALLORY = as_role("mallory", "customer")
# With every scope there is, but that of everybody's.
GREEDY = Identity("mallory", frozenset[str]().union(*ROLES.values()) - {ALL_OWNERS})
ORDER: dict[str, Any] = {"currency": "USD", "lines": [{"sku": "tea", "quantity": 1, "unit_price": 450}]}
CHARGE = {"currency": "USD", "amount": 450}
REQUEST = {"kind": "order-confirmed", "channel": "mail", "recipient": "a@example.com", "template": "order-confirmed"}


class Shop(InProcess):
    """The bundled domain with an order, its payment and its notifications for each customer given."""

    def __init__(self) -> None:
        super().__init__(APPLICATION)

    async def command(self, identity: Identity | None, path: str, body: Any = None, **headers: str) -> Reply:
        """POST, or PUT where the path has two parts: that is how an order is placed under an id of one's own."""
        method = "PUT" if path.count("/") == 2 else "POST"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.commands, identity, method, path, body, named)

    async def query(self, identity: Identity | None, target: str, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.queries, identity, "GET", target, headers=named)

    async def has(self, order_id: str, customer: str) -> None:
        """An order that is confirmed and paid, as staff and services make one."""
        who = {"customer_id": customer}
        for identity, path, body in (
            (STAFF, f"/orders/{order_id}", {**ORDER, **who}),
            (SERVICE, f"/payments/{order_id}/request-charge", {**CHARGE, **who}),
            (SERVICE, f"/notifications/{order_id}/request", {**REQUEST, **who}),
            (STAFF, f"/orders/{order_id}/confirm", None),
        ):
            reply = await self.command(identity, path, body)
            assert reply.status in (200, 201), reply


@asynccontextmanager
async def shop(*orders: tuple[str, str], checkpoint: int | None = None) -> AsyncIterator[Shop]:
    made = Shop()
    for order_id, customer in orders:
        await made.has(order_id, customer)
    await made.project(checkpoint=checkpoint)
    try:
        yield made
    finally:
        await made.close()


READS = [
    "/orders/{0}",
    "/orders/{0}?as_of=0",
    "/orders/{0}?as_of=1",
    "/orders/{0}?as_of=2099-01-01T00:00:00Z",
    "/orders/{0}/history",
    "/orders/{0}/history?from=1&limit=1",
    "/payments/{0}",
    "/payments/{0}?as_of=0",
    "/payments/{0}/history",
    "/notifications/{0}",
    "/notifications/{0}?as_of=0",
]
STAFF_ONLY = [
    "/daily-sales?from=2026-03-14&to=2026-03-14",
    "/daily-payments?from=2026-03-14&to=2026-03-14",
    "/low-stock",
    "/reservations",
    "/reservations/o-1",
    "/fulfilments",
    "/fulfilments/o-1",
    "/provider-results",
    "/provider-results/o-1?as_of=0",
    "/provider-results/o-1/history",
    "/stock/tea/history",
    "/notifications/o-1/history",
]


async def test_the_owner_and_the_staff_see_it_and_nobody_else() -> None:
    async with shop(("o-1", "ada"), ("o-2", "bob")) as made:
        for path in READS:
            target = path.format("o-1")
            for identity in (ADA, STAFF, ANYBODY, None):
                assert (await made.query(identity, target)).status == 200, (target, identity)
            for identity in (BOB, MALLORY, GREEDY):
                assert (await made.query(identity, target)).status == 404, (target, identity)
            for identity in (STRANGER, OPERATOR, SERVICE):
                assert (await made.query(identity, target)).status == 403, (target, identity)


async def test_what_is_everybodys_is_for_the_staff() -> None:
    async with shop(("o-1", "ada")) as made:
        for target in STAFF_ONLY:
            for identity in (ADA, GREEDY, OPERATOR, SERVICE, STRANGER):
                assert (await made.query(identity, target)).status == 403, (target, identity)
            assert (await made.query(STAFF, target)).status in (200, 404), target
        refused = await made.query(GREEDY, "/low-stock")
        assert ALL_OWNERS in refused.json["detail"]
        for target in ("/stock", "/stock/tea"):
            assert (await made.query(ADA, target)).status in (200, 404), target


async def test_lists_hold_what_is_ones_own_whatever_is_asked_for() -> None:
    orders = [("o-1", "ada"), ("o-2", "bob"), ("o-3", "ada"), ("o-4", "bob"), ("o-5", "ada")]
    async with shop(*orders) as made:
        for path, field in (("/orders", "order_id"), ("/payments", "order_id"), ("/notifications", "order_id")):
            for more in ("", "?customer_id=ada"):
                seen = (await made.query(ADA, path + more)).json["items"]
                assert [one[field] for one in seen] == ["o-5", "o-3", "o-1"], path
                assert {one["customer_id"] for one in seen} == {"ada"}
            assert len((await made.query(STAFF, path)).json["items"]) == 5
            for other in ("bob", "nobody"):
                refused = await made.query(ADA, f"{path}?customer_id={other}")
                assert (refused.status, refused.json["detail"]) == (404, f"there is no customer_id {other}")
                assert (await made.query(STAFF, f"{path}?customer_id={other}")).status == 200
        own = await made.query(ADA, "/customers/ada/orders")
        assert [one["order_id"] for one in own.json["items"]] == ["o-5", "o-3", "o-1"]
        for other in ("bob", "nobody"):
            assert (await made.query(ADA, f"/customers/{other}/orders")).status == 404
            assert (await made.query(ADA, f"/customers/{other}")).status == 404
        assert (await made.query(ADA, "/customers/ada")).status == 200
        assert (await made.query(ADA, "/orders?status=confirmed")).json["items"]
        assert (await made.query(ADA, "/orders?status=pending")).json["items"] == []


async def test_pages_go_on_within_what_is_ones_own_and_no_cursor_leads_out_of_it() -> None:
    async with shop(*((f"o-{n}", "ada" if n % 2 else "bob") for n in range(8))) as made:
        seen, cursor = [], ""
        while True:
            page = (await made.query(ADA, f"/orders?limit=1{cursor}")).json
            seen += [one["order_id"] for one in page["items"]]
            if "next" not in page:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == ["o-7", "o-5", "o-3", "o-1"]
        of_all = (await made.query(STAFF, "/orders?limit=1")).json["next"]
        of_bob = (await made.query(BOB, "/orders?limit=1")).json["next"]
        for foreign in (of_all, of_bob):
            assert (await made.query(ADA, f"/orders?limit=1&cursor={foreign}")).status == 400


COMMANDS = [
    ("/orders/o-1/ship", {"carrier": "Post", "tracking_number": "P-1"}),
    ("/orders/o-1/cancel", {"reason": "changed my mind"}),
    ("/orders/o-1/confirm", None),
    ("/orders/o-1/deliver", None),
    ("/payments/o-1/void", {"reason": "changed my mind"}),
    ("/payments/o-1/record-charge", {"charge_id": "ch_1", "currency": "USD", "amount": 450}),
    ("/payments/o-1/record-decline", {"reason": "no"}),
]


@pytest.mark.parametrize(("path", "body"), COMMANDS)
async def test_a_foreign_one_is_not_changed_and_the_own_one_is(path: str, body: Any) -> None:
    async with shop(("o-1", "ada")) as made:
        before = len(made.events.log)
        for headers in ({}, {"If_Match": '"1"'}, {"If_Match": "*"}, {"Idempotency_Key": "k"}):
            refused = await made.command(GREEDY, path, body, **headers)
            assert (refused.status, refused.json["type"]) == (404, "urn:eventfold:problem:not-found"), headers
            assert "etag" not in refused.headers
        for identity in (STRANGER, OPERATOR):
            assert (await made.command(identity, path, body)).status == 403
        assert len(made.events.log) == before
        own = await made.command(Identity("ada", GREEDY.scopes), path, body)
        assert own.status in (200, 409), own
        assert own.status == 409 or made.events.log[-1].type != "OrderConfirmed"


async def test_an_order_is_placed_for_oneself_alone() -> None:
    async with shop() as made:
        for path in ("/orders/o-1", "/orders"):
            refused = await made.command(ADA, path, {**ORDER, "customer_id": "bob"}, Idempotency_Key="k")
            assert (refused.status, refused.json["type"]) == (403, "urn:eventfold:problem:forbidden")
            assert "customer_id is not 'ada'" in refused.json["detail"]
            assert ALL_OWNERS in refused.headers["www-authenticate"]
        assert made.events.log == []
        for identity, status in ((OPERATOR, 403), (SERVICE, 403), (STRANGER, 403), (ADA, 201), (STAFF, 201)):
            placed = await made.command(identity, f"/orders/{identity.subject}", {**ORDER, "customer_id": "ada"})
            assert placed.status == status, identity


async def test_that_an_id_is_taken_is_all_that_is_told_of_it() -> None:
    async with shop(("o-1", "ada")) as made:
        body = {**ORDER, "customer_id": "mallory"}
        taken = await made.command(MALLORY, "/orders/o-1", body)
        assert (taken.status, taken.json["code"]) == (409, "order-exists")
        assert "ada" not in taken.body.decode()
        stale, fresh = [
            await made.command(MALLORY, path, body, If_Match='"1"') for path in ("/orders/o-1", "/orders/o-2")
        ]
        assert (stale.status, stale.json) == (fresh.status, fresh.json)
        assert "etag" not in stale.headers


async def test_nothing_made_by_another_way_is_somebody_elses_either() -> None:
    """A payment is made by a command that is no creation by name."""
    async with shop() as made:
        for customer, status in (("ada", 403), ("mallory", 200)):
            asked = await made.command(GREEDY, "/payments/p-1/request-charge", {**CHARGE, "customer_id": customer})
            assert asked.status == status, asked


async def test_what_was_deleted_is_to_a_stranger_as_if_it_had_never_been() -> None:
    async with shop(("o-1", "ada")) as made:
        made.events.delete("order-o-1")
        cancel = {"reason": "changed my mind"}
        assert (await made.command(STAFF, "/orders/o-1/cancel", cancel)).status == 410
        assert (await made.query(STAFF, "/orders/o-1/history")).status == 410
        for identity in (ADA, MALLORY):
            assert (await made.command(identity, "/orders/o-1/cancel", cancel)).status == 404
            for path in ("/orders/o-1/history", "/orders/o-1?as_of=0"):
                assert (await made.query(identity, path)).status == 404


async def test_of_what_was_cut_off_nobody_can_tell_whose_it_was() -> None:
    async with shop(("o-1", "ada")) as made:
        made.events.truncate("order-o-1", tb=1)
        cancel = {"reason": "changed my mind"}
        assert (await made.command(STAFF, "/orders/o-1/cancel", cancel)).json["first_version"] == 1
        assert (await made.query(STAFF, "/orders/o-1/history")).status == 200
        assert (await made.query(STAFF, "/orders/o-1?as_of=1")).status == 410
        for identity in (ADA, MALLORY):
            assert (await made.command(identity, "/orders/o-1/cancel", cancel)).status == 404
            for path in ("/orders/o-1/history", "/orders/o-1?as_of=1"):
                assert (await made.query(identity, path)).status == 404


async def test_a_view_that_is_behind_does_not_tell_either() -> None:
    """The document has come as far as the position that is waited for, and the view as a whole has not."""
    async with shop(("o-1", "ada"), checkpoint=50) as there, shop(("z-1", "zoe"), checkpoint=50) as elsewhere:
        last = there.events.log[-1].position
        assert (await there.query(ADA, f"/orders/o-1?at_least={last}")).status == 200
        told = [await made.query(MALLORY, f"/orders/o-1?at_least={last}") for made in (there, elsewhere)]
        assert told[0].status == 503
        assert told[0] == told[1]


async def test_what_began_anew_is_its_new_owners() -> None:
    async with shop(("o-1", "ada")) as made:
        made.events.delete("order-o-1")
        assert (await made.command(BOB, "/orders/o-1", {**ORDER, "customer_id": "bob"})).status == 201
        for identity, status in ((BOB, 200), (ADA, 404), (STAFF, 200)):
            assert (await made.query(identity, "/orders/o-1/history")).status == status


async def test_who_was_it_stands_in_the_history() -> None:
    async with shop() as made:
        await made.command(ADA, "/orders/o-1", {**ORDER, "customer_id": "ada"})
        await made.command(SERVICE, "/orders/o-1/confirm", Eventfold_Actor="process-manager")
        await made.command(STAFF, "/orders/o-1/ship", {"carrier": "Post", "tracking_number": "P-1"})
        entries = (await made.query(ADA, "/orders/o-1/history")).json["items"]
        assert [(one["actor"], one.get("sent_by")) for one in entries] == [
            ("ada", None),
            ("process-manager", "services"),
            ("sue", None),
        ]
        for identity in (ADA, STAFF):
            refused = await made.command(identity, "/orders/o-1/cancel", {"reason": "not mine"}, Eventfold_Actor="bob")
            assert (refused.status, refused.json["type"]) == (403, "urn:eventfold:problem:forbidden")
            assert "act-for-others" in refused.json["detail"]
        assert len(made.events.log) == 3


MORE_READS = [
    *("/orders/{0}?as_of=7", "/orders/{0}?at_least=400", "/orders/{0}?at_least=100", "/orders/{0}?at_least=99999"),
    *("/orders/{0}?as_of=1999-01-01T00:00:00Z", "/orders/{0}?as_of=soon", "/orders/{0}/history?from=9"),
    *("/customers/ada", "/customers/ada/orders", "/orders", "/orders?customer_id=ada", "/orders?limit=1"),
    *("/payments", "/payments?customer_id=ada&status=requested", "/notifications?status=requested"),
]
MALFORMED = [("/orders/o-1/cancel", {"reason": ""}), ("/orders/o-1/cancel", {}), ("/payments/o-1/void", {"why": 1})]
HEADERS = [
    *({}, {"If-Match": '"0"'}, {"If-Match": '"1"'}, {"If-Match": "*"}, {"If-Match": "1"}),
    *({"Idempotency-Key": "k"}, {"Idempotency-Key": "k", "If-Match": '"1"'}),
]


@pytest.mark.parametrize("identity", [MALLORY, GREEDY], ids=["customer", "greedy"])
async def test_a_world_with_a_foreign_order_can_not_be_told_from_one_without(identity: Identity) -> None:
    """The same log but for whose the order is and what it is called, so that every position is the same in both. Each
    request that concerns it gets the same response, to the byte."""
    reads = [path.format("o-1") for path in (*READS, *MORE_READS)]
    asked: list[tuple[str, str, Any, dict[str, str]]] = [
        *(("GET", target, None, known) for target in reads for known in ({}, {"If-None-Match": '"1"'})),
        *(("POST", path, body, sent) for path, body in (*COMMANDS, *MALFORMED) for sent in HEADERS),
    ]
    async with shop(("o-1", "ada")) as there, shop(("z-1", "zoe")) as elsewhere:
        for method, target, body, headers in asked:
            one, other = [
                await ask(made.queries if method == "GET" else made.commands, identity, method, target, body, headers)
                for made in (there, elsewhere)
            ]
            assert one == other, (method, target, headers)
        assert len(there.events.log) == len(elsewhere.events.log) == 4


async def test_an_owner_that_is_nobody_owns_nothing() -> None:
    nameless = Identity("", ROLES["customer"])
    async with shop(("o-1", "ada")) as made:
        for target in ("/orders", "/orders/o-1", "/customers/ada"):
            assert (await made.query(nameless, target)).status == 403
        assert (await made.command(nameless, "/orders/o-2", {**ORDER, "customer_id": "ada"})).status == 403


async def test_commands_that_come_at_once_change_what_is_their_senders_alone() -> None:
    async with shop(("o-1", "ada")) as made:
        cancel = {"reason": "changed my mind"}
        replies = await asyncio.gather(
            *(made.command(one, "/orders/o-1/cancel", cancel) for one in (MALLORY, BOB, ADA, MALLORY))
        )
        assert [reply.status for reply in replies] == [404, 404, 200, 404]
