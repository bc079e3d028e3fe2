"""The contract of an order, step by step: consumers of events, each of which knows the step before it alone."""

from application.contracts.drawing_up import ContractRequests, contract_requests
from application.contracts.steps import ContractSteps, contract_steps

__all__ = ["ContractRequests", "ContractSteps", "contract_requests", "contract_steps"]
