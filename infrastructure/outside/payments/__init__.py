"""The payment provider: what we ask of any (`port.py`), and the adapters, one module each."""

from infrastructure.outside.payments.port import (
    Charge,
    ChargePage,
    PaymentProvider,
    ProviderEvent,
    Refund,
    RefusedByProvider,
    WebhookReader,
)

__all__ = [
    "Charge",
    "ChargePage",
    "PaymentProvider",
    "ProviderEvent",
    "Refund",
    "RefusedByProvider",
    "WebhookReader",
]
