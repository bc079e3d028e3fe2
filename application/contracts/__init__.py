"""The contract of an order, step by step: consumers of events, each of which knows the step before it alone."""

from application.contracts.drawing_up import ContractRequests, contract_requests
from application.contracts.expiry import ContractDeadlines, contract_deadlines
from application.contracts.signing import ContractSigning, contract_signing
from application.contracts.steps import ContractSteps, contract_steps

__all__ = [
    "ContractDeadlines",
    "ContractRequests",
    "ContractSigning",
    "ContractSteps",
    "contract_deadlines",
    "contract_requests",
    "contract_signing",
    "contract_steps",
]
