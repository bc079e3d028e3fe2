"""Every route of the query API. A new one is a module and a line here."""

from query_api.customer import CUSTOMER
from query_api.daily_sales import DAILY_SALES_ROUTE
from query_api.history import HISTORY
from query_api.order import ORDER_ROUTE
from query_api.orders import ORDERS, ORDERS_OF_CUSTOMER
from query_api.route import Route

ROUTES: tuple[Route, ...] = (ORDER_ROUTE, HISTORY, ORDERS, CUSTOMER, ORDERS_OF_CUSTOMER, DAILY_SALES_ROUTE)
