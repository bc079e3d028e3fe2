"""The bundled domain, put together: a new aggregate or view is a file (or a folder) and a line here.

The services get this value from the `eventfold` command; none of them imports it.
"""

from application.charging import payment_charging
from application.contracts import contract_deadlines, contract_requests, contract_signing, contract_steps
from application.erasing import erasing
from application.inbound import TAKEN_FROM_CRM, TAKEN_FROM_WAREHOUSE
from application.matching import payment_matching
from application.notifying import notifying
from domain.customers.aggregate import CUSTOMER
from domain.customers.integration import PUBLISHED_BY_CUSTOMERS
from domain.documents.aggregate import CONTRACT
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from domain.inventory.aggregate import STOCK
from domain.inventory.integration import PUBLISHED_BY_INVENTORY
from domain.notifications.aggregate import NOTIFICATION
from domain.notifications.integration import PUBLISHED_BY_NOTIFICATIONS
from domain.ordering.aggregate import ORDER
from domain.ordering.integration import PUBLISHED_BY_ORDERING
from domain.payments.aggregate import PAYMENT
from domain.payments.integration import PUBLISHED_BY_PAYMENTS
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from domain.processes.order_contract.choreography import ORDER_CONTRACT
from domain.processes.order_fulfilment.process import ORDER_FULFILMENT
from infrastructure.application import Application
from read_models.customers.profiles import CUSTOMER_PROFILES
from read_models.documents.contracts import CONTRACTS
from read_models.documents.signature_results import SIGNATURE_RESULTS_TOLD
from read_models.fulfilment.fulfilments import FULFILMENTS
from read_models.inventory.reservations import RESERVATIONS
from read_models.inventory.stock_levels import STOCK_LEVELS
from read_models.notifications.notifications import NOTIFICATIONS
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY
from read_models.ordering.daily_sales import DAILY_SALES
from read_models.ordering.order_details import ORDER_DETAILS
from read_models.ordering.order_list import ORDER_LIST
from read_models.payments.daily_payments import DAILY_PAYMENTS
from read_models.payments.payments import PAYMENTS
from read_models.payments.provider_results import PROVIDER_RESULTS_TOLD

APPLICATION = Application(
    aggregates=(ORDER, STOCK, PAYMENT, PROVIDER_RESULTS, NOTIFICATION, CUSTOMER, CONTRACT, SIGNATURE_RESULTS),
    views=(
        ORDER_DETAILS,
        ORDER_LIST,
        CUSTOMER_SUMMARY,
        DAILY_SALES,
        STOCK_LEVELS,
        RESERVATIONS,
        PAYMENTS,
        DAILY_PAYMENTS,
        PROVIDER_RESULTS_TOLD,
        FULFILMENTS,
        NOTIFICATIONS,
        CUSTOMER_PROFILES,
        CONTRACTS,
        SIGNATURE_RESULTS_TOLD,
    ),
    consumers=(
        payment_charging,
        payment_matching,
        notifying,
        erasing,
        contract_requests,
        contract_steps,
        contract_signing,
        contract_deadlines,
    ),
    processes=(ORDER_FULFILMENT,),
    publications=(
        PUBLISHED_BY_ORDERING,
        PUBLISHED_BY_INVENTORY,
        PUBLISHED_BY_PAYMENTS,
        PUBLISHED_BY_CUSTOMERS,
        PUBLISHED_BY_NOTIFICATIONS,
    ),
    choreographies=(ORDER_CONTRACT,),
    inbound=(TAKEN_FROM_WAREHOUSE, TAKEN_FROM_CRM),
)
