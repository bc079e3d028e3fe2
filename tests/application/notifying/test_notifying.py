"""What customers are told: once, in order, whatever fails between any two steps."""

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from application.notifying import Notifying
from application.notifying.consumer import at_domain
from application.notifying.links import SigningLinks, signing_links
from application.notifying.messages import MESSAGES, amount
from application.notifying.recipients import COLLECTION, Recipients
from domain.customers.events import CustomerEmailChanged, CustomerErased, CustomerForgotten, CustomerRegistered
from domain.documents.events import (
    ContractDeclined,
    ContractExpired,
    ContractSealed,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from domain.model.personal import REDACTED
from domain.notifications.aggregate import NOTIFICATION
from domain.notifications.events import NotificationFailed, NotificationRequested, NotificationSent
from domain.ordering.events import Line, OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderShipped
from domain.payments.events import PaymentRefunded
from infrastructure.outside.mail import MailRefused
from infrastructure.outside.mail.message import message_id
from infrastructure.resilience import DependencyUnavailable
from infrastructure.security.link_keys import LinkKeys, make_link_keys
from infrastructure.security.signing_links import SigningLink, read_token
from infrastructure.settings import InvalidSettings, Settings
from subscriptions.attempts import Attempts, Stuck
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import at_once, consume_all
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC, stream_of
from tests.support.contracts import DECLINED, DIGEST, EXPIRED, LATER, REMINDED, TO_SIGN
from tests.support.logs import LogBuilder
from tests.support.memory_commands import MemoryCommands
from tests.support.memory_keys import decoded_at_once
from tests.support.memory_mailer import MemoryMailer

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SENDER = "orders@shop.example"
AWAY = DependencyUnavailable("mail", "away")


def confirmed(order: str, customer: str = "ada") -> OrderConfirmed:
    return OrderConfirmed(order, customer, NOON)


def shipped(order: str, customer: str = "ada") -> OrderShipped:
    return OrderShipped(order, customer, "DHL", "T-1", NOON)


def delivered(order: str) -> OrderDelivered:
    return OrderDelivered(order, "ada", NOON)


def cancelled(order: str, reason: str = "no stock") -> OrderCancelled:
    return OrderCancelled(order, "ada", "USD", 500, NOON, reason, NOON)


def refunded(order: str) -> PaymentRefunded:
    return PaymentRefunded(order, "ada", "USD", 500, "re_1", NOON, NOON)


def created(order: str) -> OrderCreated:
    return OrderCreated(order, "ada", "USD", [Line("tea", 1, 500, 0, 500)], 1, 500, NOON, NOON)


def log_of(*events: Any) -> ScriptedLog:
    log = LogBuilder(CODEC)
    for event in events:
        log.add(stream_of(event), event)
    return ScriptedLog(log.events)


class World:
    """A mail server and the records of notifications; consumers come and go."""

    def __init__(self) -> None:
        self.mailer = MemoryMailer()
        self.commands = MemoryCommands(NOTIFICATION)
        self.store = MemoryReadStore()

    def consumer(self, **options: Any) -> Notifying:
        given = {"delays": at_once, "now": lambda: 0, **options}
        recipients = Recipients(self.store)
        return Notifying(self.commands, self.mailer, recipients, at_domain("customers.example"), SENDER, **given)

    async def told(self, log: ScriptedLog, **options: Any) -> None:
        """Runs a consumer, over what earlier ones have left, until the log is done."""
        await consume_all(log, self.store, self.consumer(**options), codec=CODEC)

    @property
    def mails(self) -> list[str]:
        return [mail.key for mail in self.mailer.sent]

    def recorded(self, order: str) -> list[tuple[str, str]]:
        """What stands in the record of an order: the kind, and how far it came."""
        names = {NotificationRequested: "requested", NotificationSent: "sent", NotificationFailed: "failed"}
        return [(one.kind, names[type(one)]) for one in self.commands.events.get(f"notification-{order}", [])]

    @property
    def parked(self) -> list[tuple[str, str]]:
        found = sorted(self.store.documents("parked_events").values(), key=lambda one: one["_position"])
        return [(one["key"], one["error"]) for one in found]


async def test_each_event_becomes_one_mail_in_order_and_is_recorded() -> None:
    world = World()
    events = [created("o-1"), confirmed("o-1"), shipped("o-1"), delivered("o-1"), cancelled("o-2"), refunded("o-2")]
    await world.told(log_of(*events))
    assert [key for key in world.mails if key.startswith("o-1")] == [
        "o-1/order-confirmed",
        "o-1/order-shipped",
        "o-1/order-delivered",
    ]
    assert [key for key in world.mails if key.startswith("o-2")] == ["o-2/order-cancelled", "o-2/payment-refunded"]
    assert world.recorded("o-2") == [
        ("order-cancelled", "requested"),
        ("order-cancelled", "sent"),
        ("payment-refunded", "requested"),
        ("payment-refunded", "sent"),
    ]
    sent = world.commands.events["notification-o-1"][1]
    assert sent.reference == message_id("o-1/order-confirmed", SENDER)
    mail = world.mailer.sent[0]
    assert (mail.to, mail.at) == ("ada@customers.example", NOON)
    assert "Dear ada,\n\nthank you: your order o-1 is confirmed." in mail.text


@pytest.mark.parametrize("event", [confirmed("o"), shipped("o"), delivered("o"), cancelled("o"), refunded("o")])
def test_every_text_has_all_its_values(event: Any) -> None:
    message = MESSAGES[type(event)]
    values = message.values(event)
    assert message.template.placeholders <= values.keys()
    text = message.template.render(values)
    assert "$" not in text.subject + text.text
    assert message.at(event) == NOON


def test_every_message_has_a_name_of_its_own() -> None:
    assert len({one.kind for one in MESSAGES.values()}) == len(MESSAGES)
    orders = {type(one) for one in (confirmed("o"), shipped("o"), delivered("o"), cancelled("o"), refunded("o"))}
    asking = {SignatureRequested, SignatureReminded}
    ends = {ContractSealed, ContractDeclined, ContractExpired, ContractWithdrawn}
    assert orders | asking | ends == set(MESSAGES)
    assert {one for one, message in MESSAGES.items() if message.by_link is not None} == asking


@pytest.mark.parametrize("event", [TO_SIGN, REMINDED])
async def test_who_is_asked_to_sign_gets_a_link_the_same_each_time(event: Any, tmp_path: Path) -> None:
    make_link_keys(tmp_path / "links.json")
    keys = LinkKeys(tmp_path / "links.json")
    links = SigningLinks(keys, "https://shop.example/sign")
    mails = []
    for _ in range(2):
        world = World()
        await world.told(log_of(event), links=links)
        (mail,) = world.mailer.sent
        mails.append(mail)
    assert mails[0] == mails[1], "a mail that goes out again has the same bytes"
    (link,) = [line for line in mails[0].text.splitlines() if line.startswith("https:")]
    assert f'<a href="{link}">{link}</a>' in mails[0].html
    token = link.removeprefix("https://shop.example/sign?token=")
    assert read_token(keys, token, NOON.timestamp()) == SigningLink("o-1", "ada", DIGEST, int(LATER.timestamp()))
    assert "2026-03-28 12:00 UTC" in mails[0].text


async def test_without_keys_of_links_a_mail_has_none() -> None:
    world = World()
    await world.told(log_of(TO_SIGN, DECLINED, EXPIRED))
    to_sign, declined, expired = world.mailer.sent
    assert "http" not in to_sign.text
    assert "for this reason: too dear." in declined.text
    assert "can't be signed any more" in expired.text


async def test_while_the_keys_of_links_cannot_be_read_the_mail_waits(tmp_path: Path) -> None:
    path = tmp_path / "links.json"
    links = SigningLinks(LinkKeys(path), "https://shop.example/sign")
    with pytest.raises(DependencyUnavailable, match="link keys"):
        links.of(TO_SIGN)
    make_link_keys(path)
    assert links.of(TO_SIGN).startswith("https://shop.example/sign?token=")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("shop.example/sign", "is no address like"),
        ("ftp://shop.example/sign", "is no address like"),
        ("https://shop.example/sign?a=b", "is no address like"),
        ("https://ada@shop.example/sign", "is no address like"),
        ("https://[::1/sign", "EVENTFOLD_SIGNING_PAGE_URL"),
    ],
)
def test_an_address_of_the_page_that_cannot_be_is_named(tmp_path: Path, url: str, says: str) -> None:
    make_link_keys(tmp_path / "links.json")
    given = {"document_link_key_file": str(tmp_path / "links.json"), "signing_page_url": url}
    with pytest.raises(InvalidSettings, match=says):
        signing_links(Settings.of(**given))
    with pytest.raises(InvalidSettings, match="EVENTFOLD_DOCUMENT_LINK_KEY_FILE"):
        signing_links(Settings.of(document_link_key_file=str(tmp_path / "none")))
    assert signing_links(Settings()) is None


def test_amounts_as_people_read_them() -> None:
    assert amount(500, "USD") == "5.00 USD"
    assert amount(7, "EUR") == "0.07 EUR"
    assert amount(500, "JPY") == "500 JPY (in its smallest unit)"


async def test_what_comes_again_is_not_told_again() -> None:
    world, events = World(), [confirmed("o-1"), cancelled("o-1")]
    await world.told(log_of(*events))
    world.store = MemoryReadStore()  # its checkpoints are lost, and everything comes again
    await world.told(log_of(*events))
    assert world.mails == ["o-1/order-confirmed", "o-1/order-cancelled"]


@pytest.mark.parametrize("action", ["request", "record-sent"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_answer_that_is_lost_makes_no_second_mail_but_where_nobody_can_know(action: str, when: str) -> None:
    world, lost = World(), [1]

    def lose(sent: str) -> None:
        if sent == action and lost:
            lost.pop()
            raise DependencyUnavailable("commands", "no answer")

    setattr(world.commands, when, lose)
    await world.told(log_of(confirmed("o-1"), shipped("o-1")))
    assert not lost
    again = (action, when) == ("record-sent", "before")
    assert Counter(world.mails) == {"o-1/order-confirmed": 2 if again else 1, "o-1/order-shipped": 1}
    if again:
        first, second, _ = world.mailer.sent
        assert first == second, "the same mail, to the last byte"
    assert world.recorded("o-1")[-1] == ("order-shipped", "sent")


async def test_a_mail_that_is_refused_is_recorded_and_nothing_waits_for_it() -> None:
    world = World()
    world.mailer.failing["bad@customers.example"] = MailRefused("550 there is no such mailbox")
    odd = confirmed("o-3", "a:b")  # an id that can't be an address
    await world.told(log_of(confirmed("o-1", "bad"), shipped("o-1"), confirmed("o-2"), odd))
    assert Counter(world.mails) == {"o-1/order-shipped": 1, "o-2/order-confirmed": 1}
    assert world.recorded("o-1")[:2] == [("order-confirmed", "requested"), ("order-confirmed", "failed")]
    assert world.recorded("o-3") == [("order-confirmed", "requested"), ("order-confirmed", "failed")]
    assert "no mail address" in world.commands.events["notification-o-3"][1].reason
    assert world.parked == []


async def test_while_the_mail_server_is_away_nothing_is_parked_and_nothing_is_lost() -> None:
    world = World()
    world.mailer.failures = [AWAY] * 50
    orders = [f"o-{number}" for number in range(20)]
    await world.told(log_of(*(confirmed(order) for order in orders), *(shipped(order) for order in orders)))
    assert len(world.mails) == 40 == len(set(world.mails))
    for order in orders:
        assert [key for key in world.mails if key.startswith(f"{order}/")] == [
            f"{order}/order-confirmed",
            f"{order}/order-shipped",
        ]
    assert world.parked == []


async def test_a_mail_that_alone_gets_no_answer_holds_up_its_own_customer_alone() -> None:
    world = World()
    world.mailer.failing["bad@customers.example"] = AWAY
    orders = [f"o-{number}" for number in range(30)]
    events = [confirmed("o-bad", "bad"), shipped("o-bad", "bad"), *(confirmed(order) for order in orders)]
    await world.told(log_of(*events), patience=0.0)
    assert Counter(world.mails) == {f"{order}/order-confirmed": 1 for order in orders}
    (key, error), (key_behind, behind) = world.parked
    assert key == key_behind == "bad"
    assert "while others got one" in error
    assert behind == "stands behind an event that is parked"


async def test_a_mail_goes_to_where_the_customer_is_reached_and_stops_when_the_customer_is_forgotten() -> None:
    world = World()
    registered = CustomerRegistered("ada", "Ada", "ada@home.example", None, NOON)
    events = [
        confirmed("o-1"),
        registered,
        shipped("o-1"),
        CustomerEmailChanged("ada", "ada@work.example", NOON),
        confirmed("o-2"),
        CustomerForgotten("ada", NOON),
        shipped("o-2"),
        CustomerErased("ada", NOON),
        delivered("o-1"),
        confirmed("o-5", "eve"),
        msgspec.structs.replace(registered, email="ada@new.example"),
        delivered("o-2"),
    ]
    await world.told(log_of(*events))
    assert [(mail.key, mail.to) for mail in world.mailer.sent if "ada" in mail.to] == [
        ("o-1/order-confirmed", "ada@customers.example"),
        ("o-1/order-shipped", "ada@home.example"),
        ("o-2/order-confirmed", "ada@work.example"),
        ("o-2/order-delivered", "ada@new.example"),
    ]
    assert world.store.documents(COLLECTION)["ada"]["email"] == "ada@new.example"
    await world.told(log_of(*events[:6]))
    assert len(world.mails) == 5, "nothing is told again"


async def test_of_a_forgotten_customer_no_address_is_kept() -> None:
    world = World()
    registered = CustomerRegistered("ada", "Ada", "ada@home.example", None, NOON)
    await world.told(log_of(registered, CustomerForgotten("ada", NOON), confirmed("o-1")))
    assert world.mails == []
    assert "home" not in repr(world.store.collections)
    world = World()
    await world.told(log_of(msgspec.structs.replace(registered, email=REDACTED), confirmed("o-1")))
    assert world.mails == [], "its key was destroyed; that it is forgotten comes later in the log"


async def test_what_a_server_says_of_an_address_is_not_recorded() -> None:
    world = World()
    world.mailer.failing["ada.l@home.example"] = MailRefused("550 <ADA.L@home.example>: no mailbox ada.l here")
    await world.told(log_of(CustomerRegistered("ada", "Ada", "ada.l@home.example", None, NOON), confirmed("o-1")))
    reason = world.commands.events["notification-o-1"][1].reason
    assert reason == f"550 <{REDACTED}>: no mailbox {REDACTED} here"


async def test_what_is_long_over_is_told_to_nobody() -> None:
    world, log = World(), log_of(confirmed("o-1"), shipped("o-1"))
    first, second = log.events
    days = 24 * 3600 * 1000
    await world.told(log, max_age=7 * 24 * 3600.0, now=lambda: first.recorded_at + 7 * days)
    assert second.recorded_at >= first.recorded_at
    assert len(world.mails) == 2
    world = World()
    await world.told(log, max_age=7 * 24 * 3600.0, now=lambda: second.recorded_at + 7 * days + 1)
    assert (world.mails, world.commands.sent) == ([], [])


@pytest.mark.parametrize("seed", range(15))
async def test_crashes_between_any_two_steps(seed: int) -> None:
    """Consumers are killed, answers lost and mails not acknowledged at random: every customer is told everything, in
    order, and a mail that goes out twice is the same mail."""
    choose, world = random.Random(seed), World()
    events: list[Any] = []
    for number in range(6):
        order = f"o-{number}"
        events += [confirmed(order), *([shipped(order), delivered(order)] if number % 2 else [cancelled(order)])]
    events.sort(key=lambda event: event.order_id[-1] + str(list(MESSAGES).index(type(event))))
    log = log_of(*events)

    def fails(_action: str) -> None:
        if choose.random() < 0.15:
            raise choose.choice([DependencyUnavailable("commands", "lost"), RuntimeError("killed")])

    for _ in range(10):
        world.commands.before = world.commands.after = fails
        try:
            for event in log.events:
                # One delivery of one event, by whoever has it now; what stops it stops there.
                decoded = decoded_at_once(CODEC, event)
                await world.consumer()._handle(decoded, decoded.event.customer_id)
        except (DependencyUnavailable, RuntimeError):
            pass
    world.commands.before = world.commands.after = lambda _action: None
    await world.told(log)
    kinds = {event.order_id: [] for event in events}
    for event in events:
        kinds[event.order_id].append(MESSAGES[type(event)].kind)
    for order, expected in kinds.items():
        told = [key.partition("/")[2] for key in world.mails if key.startswith(f"{order}/")]
        assert list(dict.fromkeys(told)) == expected
        assert [kind for kind, state in world.recorded(order) if state == "sent"] == expected
    for mail in world.mailer.sent:
        assert all(one == mail for one in world.mailer.sent if one.key == mail.key)


def test_which_event_is_stuck_is_shown_by_the_others() -> None:
    now = [0.0]
    attempts = Attempts(patience=10.0, remembered=2, clock=lambda: now[0])
    attempts.failed(1, AWAY)
    now[0] = 100.0
    attempts.failed(1, AWAY)
    attempts.done(2, by_the_dependency=False)
    attempts.failed(1, AWAY)
    attempts.done(3)
    with pytest.raises(Stuck, match="mail: away"):
        attempts.failed(1, AWAY)
    with pytest.raises(Stuck):
        attempts.failed(1, AWAY)
    attempts.failed(9, AWAY)
    assert (attempts.is_done(2), attempts.is_done(3), attempts.is_done(1)) == (True, True, False)
    attempts.done(4)
    assert not attempts.is_done(2), "no more are remembered than was said"
