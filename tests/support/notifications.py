"""The notifications of an order to test with: their events in a chain."""

from domain.notifications.events import NotificationFailed, NotificationRequested, NotificationSent
from tests.support.decider import NOON

REQUESTED = NotificationRequested("o-1", "ada", "order-confirmed", "mail", "ada@example.com", "order-confirmed", NOON)
SENT = NotificationSent("o-1", "order-confirmed", "<1@shop>", 2, NOON)
FAILED = NotificationFailed("o-1", "order-confirmed", "550 no such user", 1, NOON)
