"""The services over payments alone, as processes: `python -m tests.payments.services <service>`."""

import sys

import command_api.main
import payment_webhooks.main
import subscriptions.main
from application.charging import payment_charging
from application.matching import payment_matching
from domain.payments.aggregate import PAYMENT
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from infrastructure.application import Application

PAYMENTS = Application(aggregates=(PAYMENT, PROVIDER_RESULTS), consumers=(payment_charging, payment_matching))

_MAINS = {
    "command-api": command_api.main.main,
    "consumers": subscriptions.main.main,
    "payment-webhooks": payment_webhooks.main.main,
}


if __name__ == "__main__":
    sys.exit(_MAINS[sys.argv[1]](PAYMENTS))
