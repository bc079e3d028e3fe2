"""The stock of an article to test with: its events in a chain."""

from domain.inventory.events import StockOpened, StockReceived, StockReleased, StockReserved, StockShippedOut
from tests.support.decider import NOON

OPENED = StockOpened("tea", NOON)
RECEIVED = StockReceived("tea", 10, 10, 10, NOON)
RESERVED = StockReserved("tea", "o-1", 4, 10, 6, NOON)
RELEASED = StockReleased("tea", "o-1", 4, "cancelled", 10, 10, NOON)
SHIPPED_OUT = StockShippedOut("tea", "o-1", 4, 6, 6, NOON)
