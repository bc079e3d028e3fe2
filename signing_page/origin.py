"""Where a request came from, as it is kept with a signature."""

import ipaddress
from typing import Any

from litestar import Request

from domain.documents.commands import MAX_USER_AGENT_LENGTH


def address(request: Request[Any, Any, Any]) -> str:
    """Whole, and as one writes it; "" for what is none."""
    client = request.scope.get("client")
    try:
        found = ipaddress.ip_address(str(client[0]).partition("%")[0] if client else "")
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def user_agent(request: Request[Any, Any, Any]) -> str:
    """As the browser says, without what does not show."""
    said = request.headers.get("user-agent", "")[:MAX_USER_AGENT_LENGTH]
    return "".join(one if " " <= one <= "~" else "?" for one in said).strip()
