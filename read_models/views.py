"""Every view that is projected. A new view is a file and a line here."""

from read_models.customer_orders import CUSTOMER_ORDERS
from read_models.customer_summary import CUSTOMER_SUMMARY
from read_models.daily_sales import DAILY_SALES
from read_models.order_details import ORDER_DETAILS
from read_models.view import View

VIEWS: tuple[View, ...] = (ORDER_DETAILS, CUSTOMER_ORDERS, CUSTOMER_SUMMARY, DAILY_SALES)
