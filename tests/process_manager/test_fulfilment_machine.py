"""The fulfilment of an order over the real rules of the contexts, whatever the order in which things happen.

The machine carries out commands and loses their answers, brings answers in any order, repeats events, lets timers fire
at any moment, and forgets all that is not in a stream; the customer, the provider and the warehouse do what they like.
"""

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.inventory.aggregate import STOCK
from domain.inventory.commands import ReceiveStock
from domain.model.aggregate import Aggregate
from domain.model.command_context import CommandContext
from domain.model.errors import InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.process_events import (
    CommandAnswered,
    CommandIssued,
    CompensationResolved,
    CompensationRetried,
    ProcessEnded,
    TimerFired,
)
from domain.ordering.aggregate import ORDER
from domain.ordering.commands import CancelOrder, ConfirmOrder, OrderLine, PlaceOrder, ShipOrder
from domain.ordering.events import OrderConfirmed
from domain.ordering.order import Status as OrderStatus
from domain.payments.aggregate import PAYMENT
from domain.payments.commands import RecordCharge, RecordDecline, RecordRefund, RecordRefundFailure, RecordSettling
from domain.payments.events import ChargeRequested, RefundRequested
from domain.payments.payment import Status as PaymentStatus
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from domain.processes.order_fulfilment.process import order_fulfilment
from process_manager.instances.instance import Instance, SentCommand, trigger_id
from process_manager.instances.reaction import Routes, Trigger, answer_to, of_recorded, reaction
from tests.process_manager.world import NOON

ID = "o-1"
PROCESS = order_fulfilment(FulfilmentTimes(refund_retries=2, most_reminders=2))
AGGREGATES = {one.plural: one for one in (ORDER, STOCK, PAYMENT)}
ROUTES = Routes(AGGREGATES.values())
SKUS = ("A", "B", "C")
NO_MONEY = (PaymentStatus.DECLINED, PaymentStatus.VOIDED, PaymentStatus.REFUNDED)


class Contexts:
    """Ordering, inventory and payments: `log` are their events, `answers` what each key was answered."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], Any] = {}
        self.log: list[Any] = []
        self.answers: dict[str, tuple[bool, int, str]] = {}

    def command(self, aggregate: Aggregate, aggregate_id: str, command: Any) -> tuple[bool, int, str]:
        place = aggregate.category, aggregate_id
        try:
            events = aggregate.decide(command, self.states.get(place), CommandContext(aggregate_id, NOON))
        except RuleViolation as error:
            return False, 409, error.code
        except NoSuchAggregate:
            return False, 404, "not-found"
        except InvalidCommand:
            return False, 400, "invalid-command"
        for event in events:
            self.states[place] = aggregate.evolve(self.states.get(place), event)
            self.log.append(event)
        return True, 200, ""

    def send(self, issued: CommandIssued) -> tuple[bool, int, str]:
        """As the command API does: what was accepted under a key is not done again, what was refused is decided
        anew."""
        known = self.answers.get(issued.command)
        if known is not None:
            return known
        aggregate = AGGREGATES[issued.plural]
        (kind,) = [one for one in aggregate.commands if one.action == issued.action]
        answer = self.command(aggregate, issued.aggregate_id, msgspec.convert(issued.body, kind.struct))
        if answer[0]:
            self.answers[issued.command] = answer
        return answer

    def state(self, aggregate: Aggregate, aggregate_id: str = ID) -> Any:
        return self.states.get((aggregate.category, aggregate_id))

    def reserved(self) -> dict[str, int]:
        """What is reserved for the order."""
        stock = ((sku, self.state(STOCK, sku)) for sku in SKUS)
        return {sku: state.reserved[ID] for sku, state in stock if state is not None and ID in state.reserved}


class Fulfilments(RuleBasedStateMachine):
    """`by_hand`: somebody confirms orders by hand, so that it can't be promised what is confirmed."""

    by_hand = False

    def __init__(self) -> None:
        super().__init__()
        self.contexts = Contexts()
        self.stream: list[Any] = []
        self.instance = Instance(PROCESS, ID)
        self.seen = 0
        self.charges = self.refunds = 0
        self.late: list[CommandAnswered] = []
        self.at = NOON
        self.refused_refunds = 0

    @initialize(
        lines=st.lists(
            st.tuples(st.sampled_from(SKUS), st.integers(1, 3), st.sampled_from([0, 5, 7, 9])), min_size=1, max_size=4
        ),
        there=st.tuples(*[st.sampled_from([20, 20, 20, 20, 20, 20, 2, 0])] * len(SKUS)),
    )
    def begin(self, lines: list[tuple[str, int, int]], there: tuple[int, ...]) -> None:
        for sku, quantity in zip(SKUS, there, strict=True):
            self.contexts.command(STOCK, sku, ReceiveStock(quantity))
        placed = PlaceOrder("ada", "EUR", [OrderLine(*line) for line in lines])
        assert self.contexts.command(ORDER, ID, placed)[0]

    # What the process manager does.

    def append(self, events: list[Any]) -> None:
        for event in events:
            self.stream.append(event)
            self.instance.apply(event)
        if events:
            self.instance.revision = len(self.stream) - 1

    def react(self, trigger: Trigger, *, starts: bool = False, reopens: bool = True) -> None:
        instance = self.instance
        if trigger.id in instance.handled or (not instance.begun and not starts):
            return
        if instance.outcome and trigger.kind == "event" and not reopens:
            return
        self.at += timedelta(seconds=1)
        self.append(reaction(instance, trigger, ROUTES, self.at))

    @precondition(lambda self: self.seen < len(self.contexts.log))
    @rule()
    def an_event_comes(self) -> None:
        event = self.contexts.log[self.seen]
        self.seen += 1
        kind = type(event)
        if kind in PROCESS.starts or kind in PROCESS.reacts:
            trigger = Trigger("event", f"e{self.seen}", kind.__name__, event, "s", self.seen)
            self.react(trigger, starts=kind in PROCESS.starts, reopens=kind in PROCESS.reopened_by)

    @rule(back=st.integers(0, 5))
    def events_come_again(self, back: int) -> None:
        self.seen = max(0, self.seen - back)

    def open(self) -> list[Any]:
        under_way = {(one.command, one.answer) for one in self.late}
        return [one for one in self.instance.open_commands if (one.issued.command, one.answers + 1) not in under_way]

    @precondition(lambda self: self.open())
    @rule(data=st.data(), fate=st.sampled_from(["answered", "answered", "late", "lost"]))
    def a_command_is_sent(self, data: st.DataObject, fate: str) -> None:
        answer = self.sent(data.draw(st.sampled_from(self.open())))
        if fate == "answered":
            self.an_answer(answer)
        elif fate == "late":
            self.late.append(answer)

    def sent(self, sent: SentCommand) -> CommandAnswered:
        """What is answered to a command that is carried out."""
        before = self.contexts.state(ORDER).status
        accepted, status, code = self.contexts.send(sent.issued)
        if sent.issued.step == "confirm" and accepted and before is OrderStatus.PENDING:
            self.is_confirmed_rightly()
        return answer_to(
            sent.issued, sent.answers, self.at, 1, accepted=accepted, status=status, code=code, detail=code
        )

    def an_answer(self, answer: CommandAnswered) -> None:
        sent = self.instance.commands[answer.command]
        if sent.open and sent.answers < answer.answer:
            self.react(of_recorded(answer, new=True))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_late_answer(self, data: st.DataObject) -> None:
        answer = data.draw(st.sampled_from(self.late))
        self.late.remove(answer)
        self.an_answer(answer)

    @precondition(lambda self: self.instance.timers)
    @rule(data=st.data())
    def a_timer_fires(self, data: st.DataObject) -> None:
        timer = self.instance.timers[data.draw(st.sampled_from(sorted(self.instance.timers)))]
        fired = TimerFired(PROCESS.name, ID, timer.timer, timer.name, timer.due_at, self.at)
        self.react(of_recorded(fired, new=True))

    @rule()
    def it_is_killed(self) -> None:
        """All that is not in a stream is forgotten; what is, comes to the same again."""
        again = Instance(PROCESS, ID)
        for event in self.stream:
            again.apply(event)
        again.revision = len(self.stream) - 1
        assert (again.state, again.timers, again.handled, again.outcome) == (
            self.instance.state,
            self.instance.timers,
            self.instance.handled,
            self.instance.outcome,
        )
        self.instance, self.late = again, []

    # What others do.

    def is_confirmed_rightly(self) -> None:
        if self.by_hand:
            return
        payment, state = self.contexts.state(PAYMENT), self.instance.state
        assert state.total == 0 or payment.status is PaymentStatus.CHARGED
        needs = {sku: article.quantity for sku, article in state.stock.items()}
        assert self.contexts.reserved() == needs

    @rule(really=st.sampled_from([*[False] * 11, True]))
    def the_customer_cancels(self, really: bool) -> None:
        if really:
            self.contexts.command(ORDER, ID, CancelOrder("changed my mind"))

    @rule()
    def the_warehouse_ships(self) -> None:
        self.contexts.command(ORDER, ID, ShipOrder("DHL", "1Z"))

    @precondition(lambda self: self.by_hand)
    @rule(really=st.sampled_from([*[False] * 5, True]))
    def somebody_confirms(self, really: bool) -> None:
        if really:
            self.contexts.command(ORDER, ID, ConfirmOrder())

    @rule(outcome=st.sampled_from(["charge", "charge", "decline", "settle"]))
    def the_provider_answers_a_charge(self, outcome: str) -> None:
        requests = [event for event in self.contexts.log if isinstance(event, ChargeRequested)]
        if self.charges < len(requests):
            (request,) = requests
            if outcome == "settle":
                self.contexts.command(PAYMENT, ID, RecordSettling("ch_1"))
                return
            self.charges += 1
            command = RecordCharge("ch_1", request.currency, request.amount)
            result: Any = command if outcome == "charge" else RecordDecline("no funds")
            assert self.contexts.command(PAYMENT, ID, result)[0]

    @rule(refuses=st.booleans())
    def the_provider_answers_a_refund(self, refuses: bool) -> None:
        requests = [event for event in self.contexts.log if isinstance(event, RefundRequested)]
        if self.refunds < len(requests):
            self.refunds += 1
            result: Any = RecordRefundFailure("the card is closed") if refuses else RecordRefund("re_1")
            assert self.contexts.command(PAYMENT, ID, result)[0]

    @precondition(lambda self: self.instance.failures)
    @rule(again=st.booleans())
    def an_operator_sees_to_it(self, again: bool) -> None:
        for failure in list(self.instance.failures.values()):
            names = PROCESS.name, ID, failure.step
            key = str(uuid.uuid4())
            if again:
                issued = msgspec.structs.replace(self.instance.commands[failure.command].issued, command=key)
                self.append([CompensationRetried(*names, key, self.at), issued])
            elif failure.step != "void":  # to say that money was given back, one must have done it
                event = CompensationResolved(*names, "by hand", key, self.at)
                self.append([event])
                self.react(of_recorded(event, new=False))

    # What must hold.

    @invariant()
    def an_end_is_an_end(self) -> None:
        if self.instance.outcome:
            assert not self.instance.timers
            assert not self.instance.open_commands
            assert not self.instance.failures

    @invariant()
    def nothing_is_decided_twice(self) -> None:
        triggers = [event.trigger for event in self.stream if hasattr(event, "trigger")]
        assert len(triggers) == len(set(triggers))
        answered = [trigger_id(event) for event in self.stream if isinstance(event, CommandAnswered)]
        assert len(answered) == len(set(answered))

    @rule(steps=st.integers(1, 30), choose=st.integers(0, 2**32).map(random.Random))
    def it_gets_on(self, steps: int, choose: random.Random) -> None:
        for _ in range(steps):
            self.goes_on(choose)
            if choose.random() < 0.2:
                self.the_provider_answers_a_charge(choose.choice(["charge", "charge", "charge", "decline"]))
                self.the_provider_answers_a_refund(choose.random() < 0.5)

    def goes_on(self, choose: random.Random) -> bool:
        """One step that is to come anyway, if there is any."""
        steps: list[Callable[[], None]] = []
        if self.seen < len(self.contexts.log):
            steps.append(self.an_event_comes)
        if self.late:
            steps.append(lambda: self.an_answer(self.late.pop(choose.randrange(len(self.late)))))
        if self.open():
            steps.append(lambda: self.an_answer(self.sent(choose.choice(self.open()))))
        if steps:
            choose.choice(steps)()
        return bool(steps)

    def settle(self) -> None:
        """Everything that is under way comes to its end."""
        choose = random.Random(len(self.stream))
        for _ in range(500):
            if not self.goes_on(choose) and not self.others_have_answered():
                return
        raise AssertionError(f"no end: {[type(event).__name__ for event in self.stream][-30:]}")

    def others_have_answered(self) -> bool:
        before = len(self.contexts.log)
        self.the_provider_answers_a_charge("charge")
        self.the_provider_answers_a_refund(False)
        if len(self.contexts.log) > before:
            return True
        if self.instance.timers and "shipment-reminder" not in self.instance.timers:
            timer = next(iter(self.instance.timers.values()))
            fired = TimerFired(PROCESS.name, ID, timer.timer, timer.name, timer.due_at, self.at)
            self.react(of_recorded(fired, new=True))
            return True
        if self.contexts.state(ORDER).status is OrderStatus.CONFIRMED and not self.instance.stuck:
            self.the_warehouse_ships()
            return True
        return False

    def teardown(self) -> None:
        if self.contexts.state(ORDER) is None:
            return
        self.settle()
        instance, order, payment = self.instance, self.contexts.state(ORDER), self.contexts.state(PAYMENT)
        assert instance.outcome or instance.stuck, self.stream[-10:]
        if instance.stuck:
            assert instance.status == "stuck"
            assert self.by_hand or "void" in instance.failures, instance.failures
            return
        assert len([event for event in self.stream if isinstance(event, ProcessEnded)]) >= 1
        assert self.contexts.reserved() == {}, "no reservation is left behind"
        if instance.outcome == "cancelled" and order.status is OrderStatus.CANCELLED:
            assert payment is None or payment.status in NO_MONEY, f"no charge is kept: {payment.status}"
        if not self.by_hand:
            assert order.status in (OrderStatus.CANCELLED, OrderStatus.SHIPPED)
            assert (instance.outcome == "fulfilled") == (order.status is OrderStatus.SHIPPED)
            was_confirmed = any(isinstance(event, OrderConfirmed) for event in self.contexts.log)
            assert was_confirmed or order.status is OrderStatus.CANCELLED

    def settle_until(self, status: OrderStatus, choose: random.Random) -> None:
        """All goes well until the order has this status, and everybody knows."""
        while self.contexts.state(ORDER).status is not status or self.goes_on(choose):
            if not self.goes_on(choose):
                self.the_provider_answers_a_charge("charge")

    def is_sent_late(self, choose: random.Random) -> None:
        """A command is carried out; its answer is still to come."""
        self.late.append(self.sent(choose.choice(self.open())))

    def is_answered_at_last(self, choose: random.Random) -> None:
        self.an_answer(self.late.pop(choose.randrange(len(self.late))))

    def is_time(self, choose: random.Random) -> None:
        """A timer fires."""
        timer = self.instance.timers[choose.choice(sorted(self.instance.timers))]
        fired = TimerFired(PROCESS.name, ID, timer.timer, timer.name, timer.due_at, self.at)
        self.react(of_recorded(fired, new=True))


class WithHands(Fulfilments):
    by_hand = True


class ForLong(Fulfilments):
    pass


def walk(machine: Fulfilments, choose: random.Random) -> None:
    """One way among many: longer ones than the machine finds by itself."""
    lines = [(choose.choice(SKUS), choose.randrange(1, 4), choose.choice([0, 5, 7])) for _ in range(3)]
    machine.begin(lines, tuple(choose.choice([20, 20, 20, 20, 20, 2, 0]) for _ in SKUS))

    def send() -> None:
        sent = choose.choice(machine.open())
        answer = machine.sent(sent)
        if choose.random() < 0.5:
            machine.late.append(answer)

    steps: list[tuple[float, Callable[[], bool], Callable[[], Any]]] = [
        (10, lambda: True, lambda: machine.goes_on(choose)),
        (3, lambda: bool(machine.open()), send),
        (
            2,
            lambda: True,
            lambda: machine.the_provider_answers_a_charge(choose.choice(["charge", "settle", "decline"])),
        ),
        (2, lambda: True, lambda: machine.the_provider_answers_a_refund(choose.random() < 0.5)),
        (0.5, lambda: bool(machine.instance.timers), lambda: machine.is_time(choose)),
        (1, lambda: True, lambda: machine.events_come_again(choose.randrange(6))),
        (0.5, lambda: True, machine.it_is_killed),
        (0.3, lambda: True, lambda: machine.the_customer_cancels(True)),
        (0.5, lambda: True, machine.the_warehouse_ships),
        (0.3, lambda: machine.by_hand, lambda: machine.somebody_confirms(True)),
        (1, lambda: bool(machine.instance.failures), lambda: machine.an_operator_sees_to_it(choose.random() < 0.5)),
    ]
    for _ in range(choose.randrange(10, 120)):
        possible = [step for step in steps if step[1]()]
        (step,) = choose.choices(possible, [weight for weight, *_ in possible])
        step[2]()
        machine.an_end_is_an_end()
        machine.nothing_is_decided_twice()
    machine.teardown()


@pytest.mark.parametrize("kind", [Fulfilments, WithHands])
def test_many_ways(kind: type[Fulfilments]) -> None:
    ends = set()
    for seed in range(250):
        machine = kind()
        walk(machine, random.Random(seed))
        ends.add((machine.instance.outcome, machine.instance.stuck))
    assert {("fulfilled", False), ("cancelled", False), ("", True)} <= ends


def test_many_ways_of_a_refund_that_is_refused() -> None:
    """Commands are answered late, timers fire meanwhile, and the provider refuses most refunds."""
    ends = set()
    for seed in range(200):
        machine, choose = Fulfilments(), random.Random(seed)
        machine.begin([("A", 1, 5)], (20, 20, 20))
        machine.settle_until(OrderStatus.CONFIRMED, choose)
        machine.the_customer_cancels(True)
        for _ in range(60):
            steps: list[Callable[[], Any]] = [
                lambda machine=machine, choose=choose: machine.the_provider_answers_a_refund(choose.random() < 0.8)
            ]
            if machine.seen < len(machine.contexts.log):
                steps += [machine.an_event_comes] * 3
            if machine.open():
                steps.append(lambda machine=machine, choose=choose: machine.is_sent_late(choose))
            if machine.late:
                steps.append(lambda machine=machine, choose=choose: machine.is_answered_at_last(choose))
            if machine.instance.timers:
                steps.append(lambda machine=machine, choose=choose: machine.is_time(choose))
            choose.choice(steps)()
        machine.teardown()
        ends.add((machine.instance.outcome, machine.instance.stuck))
    assert ends == {("cancelled", False), ("", True)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Fulfilments, WithHands])
def test_very_many_ways(kind: type[Fulfilments]) -> None:
    for seed in range(1000, 6000):
        walk(kind(), random.Random(seed))


_quick = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
TestFulfilments: Callable[..., Any] = Fulfilments.TestCase
TestFulfilments.settings = _quick  # type: ignore[attr-defined]
TestWithHands: Callable[..., Any] = WithHands.TestCase
TestWithHands.settings = _quick  # type: ignore[attr-defined]
TestForLong: Callable[..., Any] = pytest.mark.slow(ForLong.TestCase)
TestForLong.settings = settings(_quick, max_examples=1000, stateful_step_count=50)  # type: ignore[attr-defined]
