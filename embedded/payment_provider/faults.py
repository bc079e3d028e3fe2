"""How this provider misbehaves when it is told to, beside what all can do."""

from embedded.sandbox.faults import Faults


class PaymentFaults(Faults, frozen=True, forbid_unknown_fields=True):
    """- `amount_off`: so much more is charged than was asked for."""

    amount_off: int = 0
