"""How the services of a shop reach one another: over the network, unless whoever composes them says otherwise."""

from msgspec import Struct

from infrastructure.outside.http_client import HttpClient
from infrastructure.outside.transport import Transport
from infrastructure.resilience import Policy
from infrastructure.settings import Settings

_NO_HOST = "http://in-process"
_LARGEST = 64 * 1_048_576


class Calls(Struct, frozen=True):
    """What carries calls of the command API and of the query API; None: the network, to the addresses that the settings
    name."""

    commands: Transport | None = None
    queries: Transport | None = None

    def to_commands(self, settings: Settings) -> HttpClient:
        """A client of the command API."""
        url = settings.command_calls.url if self.commands is None else _NO_HOST
        return HttpClient(url, Policy("commands", settings.command_calls.limits), transport=self.commands)

    def to_queries(self, settings: Settings) -> HttpClient:
        """A client of the query API, which has files too."""
        url = settings.query_calls.url if self.queries is None else _NO_HOST
        policy = Policy("queries", settings.query_calls.limits)
        return HttpClient(url, policy, max_body=_LARGEST, only_json=False, transport=self.queries)


OVER_NETWORK = Calls()
