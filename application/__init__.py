"""The bundled domain, put together: a new aggregate or view is a file (or a folder) and a line here.

The services get this value from the `eventfold` command; none of them imports it.
"""

from domain.ordering.aggregate import ORDER
from infrastructure.application import Application
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY
from read_models.ordering.daily_sales import DAILY_SALES
from read_models.ordering.order_details import ORDER_DETAILS
from read_models.ordering.order_list import ORDER_LIST

APPLICATION = Application(
    aggregates=(ORDER,),
    views=(ORDER_DETAILS, ORDER_LIST, CUSTOMER_SUMMARY, DAILY_SALES),
)
