"""The services over contracts alone, as processes: `python -m tests.signatures.services <service>`."""

import sys

import command_api.main
import payment_webhooks.main
import subscriptions.main
from application.contracts import contract_signing, contract_steps
from domain.documents.aggregate import CONTRACT
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from infrastructure.application import Application

CONTRACTS = Application(aggregates=(CONTRACT, SIGNATURE_RESULTS), consumers=(contract_steps, contract_signing))

_MAINS = {
    "command-api": command_api.main.main,
    "consumers": subscriptions.main.main,
    "payment-webhooks": payment_webhooks.main.main,
}


if __name__ == "__main__":
    sys.exit(_MAINS[sys.argv[1]](CONTRACTS))
