"""Starts the webhooks of outside providers: `eventfold payment-webhooks`."""

from infrastructure.application import Application
from infrastructure.http.server import run_service
from payment_webhooks.app import payment_webhooks


def main(_application: Application) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    return run_service("payment_webhooks", payment_webhooks)
