"""Every step of the fulfilment of an order, every failure, and whatever may happen meanwhile.

The rows of the table in docs/order-fulfilment.md are tests here, by name.
"""

from datetime import timedelta

import pytest

from domain.inventory.commands import ReleaseStock, ReserveStock, ShipOutStock
from domain.model.process import Decision
from domain.ordering.commands import CancelOrder, ConfirmOrder
from domain.payments.commands import RequestCharge, VoidPayment
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from domain.processes.order_fulfilment.events import ShipmentOverdue
from tests.domain.processes.given import (
    CANCELLED,
    CHARGED,
    CONFIRMED,
    CUSTOMER,
    DECLINED,
    NOON,
    ORDER,
    REFUND_FAILED,
    REFUND_REQUESTED,
    REFUNDED,
    SHIPPED,
    VOIDED,
    Flow,
    created,
    no,
    yes,
)

TWO = created(("A", 2, 50), ("B", 1, 10))
HELD = (created(), yes("reserve:A"))
ASKED = (*HELD, yes("charge"))
PAID = (*ASKED, CHARGED)
DONE = (*PAID, yes("confirm"), CONFIRMED)
DECLINE = (*ASKED, DECLINED)
UNDONE = (yes("release:A"), yes("cancel"), CANCELLED)


class TestTheWayForward:
    def test_all_stock_is_reserved_at_once(self):
        flow = Flow(TWO).then("reserve:A", "reserve:B")
        assert [one.command for one in flow.last.commands] == [ReserveStock(ORDER, 2), ReserveStock(ORDER, 1)]
        assert {(one.category, one.aggregate_id) for one in flow.last.commands} == {("stock", "A"), ("stock", "B")}

    def test_lines_of_one_article_are_one_reservation(self):
        flow = Flow(created(("A", 2, 50), ("B", 1, 10), ("A", 3, 45))).then("reserve:A", "reserve:B")
        assert flow.commands["reserve:A"].command == ReserveStock(ORDER, 5)

    def test_the_charge_waits_for_all_of_the_stock(self):
        Flow(TWO, yes("reserve:B")).then().when(yes("reserve:A")).then("charge")

    def test_the_whole_amount_is_charged_and_a_timer_set(self):
        flow = Flow(*HELD).then("charge")
        assert flow.commands["charge"].command == RequestCharge(CUSTOMER, "EUR", 100)
        assert flow.timers == {"payment": flow.at + timedelta(minutes=30)}

    def test_what_costs_nothing_is_not_charged(self):
        Flow(created(("A", 1, 0)), yes("reserve:A")).then("confirm")

    def test_a_requested_charge_is_waited_for(self):
        Flow(*ASKED).then()

    def test_paid_it_is_confirmed_and_the_timer_of_the_payment_goes(self):
        flow = Flow(*PAID).then("confirm")
        assert flow.commands["confirm"].command == ConfirmOrder()
        assert flow.timers == {}

    def test_charged_before_the_answer_to_the_request(self):
        Flow(*HELD, CHARGED).then("confirm").when(yes("charge")).then()

    def test_confirmed_it_waits_for_the_shipment(self):
        flow = Flow(*DONE).then()
        assert list(flow.timers) == ["shipment-reminder"]

    def test_shipped_the_stock_leaves_and_it_ends(self):
        flow = Flow(*DONE, SHIPPED).then("ship-out:A")
        assert flow.commands["ship-out:A"].command == ShipOutStock(ORDER)
        assert flow.timers == {}
        flow.when(yes("ship-out:A")).then(ended="fulfilled")

    def test_it_ends_when_all_of_the_stock_has_left(self):
        flow = Flow(TWO, yes("reserve:A"), yes("reserve:B"), yes("charge"), CHARGED, yes("confirm"), SHIPPED)
        flow.then("ship-out:A", "ship-out:B").when(yes("ship-out:B")).then()
        flow.when(yes("ship-out:A")).then(ended="fulfilled")


class TestFailures:
    @pytest.mark.parametrize("code", ["out-of-stock", "not-found", "invalid-command"])
    def test_an_article_that_can_t_be_reserved_cancels_the_order(self, code):
        flow = Flow(created(), no("reserve:A", code)).then("cancel")
        assert flow.commands["cancel"].command == CancelOrder(f"article A can't be reserved: it is {code}")
        flow.when(yes("cancel")).then(ended="cancelled")

    def test_a_partial_reservation_is_given_back(self):
        flow = Flow(TWO, yes("reserve:A"), no("reserve:B", "out-of-stock")).then("release:A")
        assert isinstance(flow.commands["release:A"].command, ReleaseStock)
        flow.when(yes("release:A")).then("cancel").when(yes("cancel")).then(ended="cancelled")

    def test_a_partial_reservation_whose_other_answer_comes_later(self):
        flow = Flow(TWO, no("reserve:B", "out-of-stock")).then()
        flow.when(yes("reserve:A")).then("release:A")

    def test_nothing_of_several_articles_is_there(self):
        Flow(TWO, no("reserve:B", "out-of-stock"), no("reserve:A", "not-found")).then("cancel")

    def test_a_declined_payment_releases_and_cancels(self):
        flow = Flow(*DECLINE).then("release:A")
        assert flow.timers == {}
        flow.when(yes("release:A")).then("cancel")
        assert flow.commands["cancel"].command == CancelOrder("the payment was declined: no funds")
        flow.when(yes("cancel")).then(ended="cancelled").when(CANCELLED)
        assert flow.last == Decision()

    def test_declined_before_the_answer_to_the_request(self):
        Flow(*HELD, DECLINED).then().when(yes("charge")).then("release:A")

    def test_a_charge_that_can_t_be_requested(self):
        Flow(*HELD, no("charge", "invalid-command", 400)).then("release:A")

    def test_a_payment_that_does_not_settle_in_time_is_given_up(self):
        flow = Flow(*ASKED).due("payment").then("void")
        assert flow.commands["void"].command == VoidPayment("the payment did not settle in time")
        flow.when(yes("void")).then("release:A").when(VOIDED).then().when(yes("release:A")).then("cancel")
        flow.when(yes("cancel")).then(ended="cancelled")

    def test_an_order_that_is_gone_is_undone(self):
        flow = Flow(*PAID, no("confirm", "not-found", 404)).then("void").when(yes("void")).then("release:A")
        flow.when(yes("release:A")).then().when(REFUND_REQUESTED).then().when(REFUNDED).then(ended="cancelled")

    def test_compensations_go_in_reverse_order(self):
        flow = Flow(*PAID, yes("confirm"), CANCELLED).then("void")
        flow.when(yes("void")).then("release:A").when(yes("release:A")).then()
        flow.when(REFUND_REQUESTED).when(REFUNDED).then(ended="cancelled")


class TestMeanwhile:
    """The order is cancelled, confirmed or shipped by somebody else, the payment changed, while the saga runs."""

    def test_cancelled_while_stock_is_reserved(self):
        Flow(TWO, yes("reserve:A"), CANCELLED).then().when(yes("reserve:B")).then("release:A", "release:B")

    def test_cancelled_before_anything_was_reserved(self):
        Flow(created(), CANCELLED).then().when(no("reserve:A", "out-of-stock")).then(ended="cancelled")

    def test_cancelled_while_the_charge_is_requested(self):
        flow = Flow(*HELD, CANCELLED).then()
        assert flow.timers == {}
        flow.when(yes("charge")).then("void").when(yes("void")).then("release:A")
        flow.when(VOIDED).then().when(yes("release:A")).then(ended="cancelled")

    def test_cancelled_while_the_charge_settles(self):
        Flow(*ASKED, CANCELLED).then("void")

    def test_cancelled_while_it_is_confirmed(self):
        flow = Flow(*PAID, CANCELLED).then()
        flow.when(no("confirm", "order-not-pending")).then("void")
        flow.when(yes("void")).then("release:A").when(yes("release:A")).then()
        flow.when(REFUND_REQUESTED).when(REFUNDED).then(ended="cancelled")

    def test_cancelled_while_it_is_confirmed_and_the_answer_comes_first(self):
        Flow(*PAID, no("confirm", "order-not-pending")).then().when(CANCELLED).then("void")

    def test_cancelled_after_it_was_confirmed(self):
        flow = Flow(*DONE, CANCELLED).then("void")
        assert flow.timers == {}

    def test_cancelled_while_it_is_being_undone(self):
        Flow(*DECLINE, CANCELLED).then().when(yes("release:A")).then(ended="cancelled")

    def test_cancelled_by_both_at_the_same_moment(self):
        late = yes("cancel", "order-not-pending-or-confirmed")
        Flow(*DECLINE, yes("release:A"), late).then().when(CANCELLED).then(ended="cancelled")
        Flow(*DECLINE, yes("release:A"), CANCELLED).then().when(late).then(ended="cancelled")

    def test_confirmed_by_hand_before_it_is_paid(self):
        flow = Flow(*ASKED, CONFIRMED).then().when(CHARGED).then()
        flow.when(SHIPPED).then("ship-out:A")

    def test_confirmed_by_both_at_the_same_moment(self):
        Flow(*PAID, no("confirm", "order-not-pending")).then().when(CONFIRMED).then().when(SHIPPED).then("ship-out:A")

    def test_confirmed_by_hand_and_the_payment_declined(self):
        Flow(*ASKED, CONFIRMED, DECLINED).then("release:A").when(yes("release:A")).then("cancel")

    def test_shipped_before_all_stock_is_reserved(self):
        flow = Flow(TWO, yes("reserve:A"), CONFIRMED, SHIPPED).then()
        flow.when(yes("reserve:B")).then("charge").when(yes("charge")).when(CHARGED).then("ship-out:A", "ship-out:B")

    def test_shipped_although_there_is_no_stock(self):
        flow = Flow(created(), CONFIRMED, SHIPPED).when(no("reserve:A", "out-of-stock")).then("cancel")
        flow.when(yes("cancel", "order-not-pending-or-confirmed")).then(failed=("cancel",))
        assert flow.last.failures[0].code == "order-was-shipped"
        # An operator has seen to it.
        flow.when(yes("cancel", "resolved")).then(ended="cancelled")

    def test_shipped_at_the_moment_at_which_it_is_to_be_cancelled(self):
        late = yes("cancel", "order-not-pending-or-confirmed")
        flow = Flow(*ASKED, CONFIRMED, DECLINED, yes("release:A"), late).then()
        flow.when(SHIPPED).then("cancel").when(late).then(failed=("cancel",))

    def test_shipped_before_the_answer_to_the_confirmation(self):
        Flow(*PAID, CONFIRMED, SHIPPED).then("ship-out:A").when(yes("confirm")).then()

    def test_not_shipped_for_long_reminds_again_and_again(self):
        flow = Flow(*DONE, times=FulfilmentTimes(most_reminders=2))
        for number in (1, 2):
            flow.due("shipment-reminder").then()
            assert flow.last.events == [ShipmentOverdue(ORDER, number, flow.at)]
        assert flow.timers == {}
        flow.when(SHIPPED).then("ship-out:A")

    def test_shipped_late(self):
        Flow(*DONE).due("shipment-reminder").when(SHIPPED).then("ship-out:A").when(yes("ship-out:A")).then(
            ended="fulfilled"
        )

    def test_paid_at_the_moment_at_which_its_time_is_over(self):
        flow = Flow(*ASKED).due("payment").then("void").when(CHARGED).then()
        flow.when(yes("void")).then("release:A").when(REFUND_REQUESTED).then()
        flow.when(yes("release:A")).then("cancel").when(yes("cancel")).then().when(REFUNDED).then(ended="cancelled")

    def test_the_time_for_the_payment_is_over_while_the_charge_is_requested(self):
        Flow(*HELD).due("payment").then().when(yes("charge")).then("void")

    def test_the_payment_is_declined_at_the_moment_at_which_it_is_given_up(self):
        flow = Flow(*ASKED).due("payment").when(DECLINED).then()
        flow.when(yes("void", "payment-is-declined")).then("release:A")

    def test_charged_after_it_was_given_up_is_given_back(self):
        flow = Flow(*ASKED).due("payment").when(yes("void")).when(VOIDED).when(yes("release:A")).when(yes("cancel"))
        flow.then(ended="cancelled").when(CHARGED)
        assert flow.last == Decision()
        flow.when(REFUND_REQUESTED).then().when(REFUNDED).then(ended="cancelled")

    def test_the_payment_is_given_up_by_hand(self):
        Flow(*ASKED, VOIDED).then("release:A").when(yes("release:A")).then("cancel")

    def test_the_payment_is_given_back_by_hand_before_the_shipment(self):
        flow = Flow(*DONE, REFUND_REQUESTED).then("release:A").when(REFUNDED).then().when(yes("release:A"))
        flow.then("cancel").when(yes("cancel")).then(ended="cancelled")

    def test_the_payment_is_given_back_by_hand_after_the_shipment(self):
        flow = Flow(*DONE, SHIPPED, REFUND_REQUESTED).then().when(yes("ship-out:A")).then(ended="fulfilled")
        flow.when(REFUND_FAILED).then(ended=flow.last.ended)

    def test_the_order_is_deleted_and_placed_anew(self):
        Flow(*DONE, created()).then()


class TestRefunds:
    UNDOING = (*DONE, CANCELLED, yes("void"), REFUND_REQUESTED, yes("release:A"))

    def test_a_refund_that_fails_is_asked_for_again_later(self):
        flow = Flow(*self.UNDOING, REFUND_FAILED).then()
        assert flow.timers == {"refund-retry": flow.at + timedelta(hours=1)}
        flow.due("refund-retry").then("void").when(yes("void")).then()
        flow.when(REFUND_REQUESTED).when(REFUNDED).then(ended="cancelled")

    def test_a_refund_that_fails_again_and_again_makes_it_stuck(self):
        flow = Flow(*self.UNDOING)
        for _ in range(2):
            flow.when(REFUND_FAILED).then().due("refund-retry").then("void").when(yes("void")).when(REFUND_REQUESTED)
        flow.when(REFUND_FAILED).then(failed=("void",))
        assert (flow.last.failures[0].code, flow.last.failures[0].detail) == ("refund-failed", "the card is closed")
        assert not flow.timers
        # Retried by an operator, and given back this time.
        flow.when(yes("void")).then().when(REFUND_REQUESTED).when(REFUNDED).then(ended="cancelled")

    def test_a_refund_that_was_paid_out_by_hand(self):
        flow = Flow(*self.UNDOING)
        for _ in range(2):
            flow.when(REFUND_FAILED).due("refund-retry").when(yes("void")).when(REFUND_REQUESTED)
        flow.when(REFUND_FAILED).when(yes("void", "resolved")).then(ended="cancelled")

    def test_a_refund_that_fails_before_the_answer_to_its_request(self):
        flow = Flow(*DONE, CANCELLED, REFUND_REQUESTED, REFUND_FAILED).then("release:A")
        flow.when(yes("void")).then().when(yes("release:A")).then()
        flow.due("refund-retry").then("void")

    def test_it_is_time_to_ask_again_before_the_answer_to_the_request_that_failed(self):
        flow = Flow(*DONE, CANCELLED, REFUND_REQUESTED, REFUND_FAILED).then("release:A").when(yes("release:A"))
        flow.due("refund-retry").then()
        assert flow.timers == {"refund-retry": flow.at + timedelta(hours=1)}
        flow.when(yes("void")).then().due("refund-retry").then("void").when(yes("void")).then()
        flow.when(REFUND_REQUESTED).when(REFUNDED).then(ended="cancelled")

    def test_a_refund_that_fails_after_all_has_ended(self):
        flow = Flow(*ASKED).due("payment").when(yes("void")).when(VOIDED).when(yes("release:A")).when(yes("cancel"))
        flow.then(ended="cancelled").when(REFUND_REQUESTED).when(REFUND_FAILED).then()
        assert list(flow.timers) == ["refund-retry"]
        flow.due("refund-retry").then("void")


def test_a_reason_is_short_enough_for_every_command():
    flow = Flow(created(), no("reserve:A", "x" * 2000)).then("cancel")
    assert len(flow.commands["cancel"].command.reason) <= 500
    assert flow.at > NOON
