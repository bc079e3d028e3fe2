"""What other systems send, and the commands that come of it: one file a system."""

from application.inbound.crm import TAKEN_FROM_CRM
from application.inbound.warehouse import TAKEN_FROM_WAREHOUSE

__all__ = ["TAKEN_FROM_CRM", "TAKEN_FROM_WAREHOUSE"]
