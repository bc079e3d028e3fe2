"""The table of docs/authorisation.md, made of the rules in the code: `python -m tests.security.endpoints` prints it."""

import asyncio

from infrastructure.http.rules import RouteRule, rules_of
from infrastructure.security.policy import ALL_OWNERS
from infrastructure.security.roles import ROLES
from tests.security.services import every_service

BEGIN, END = "<!-- endpoints -->", "<!-- end of endpoints -->"
_HEAD = "| request | scope | whose | roles |\n|---|---|---|---|\n"


def table() -> str:
    """One table for each service, those that every service has first. It must be called in a running event loop."""
    found = {name: _rows(list(rules_of(app))) for name, app in every_service().items()}
    common = set.intersection(*(set(rows) for rows in found.values()))
    tables = {"Every service": [row for row in next(iter(found.values())) if row in common]}
    for name, rows in found.items():
        tables["The " + name] = [row for row in rows if row not in common]
    return "\n".join(f"{name}:\n\n{_HEAD}" + "".join(rows) for name, rows in tables.items())


def _rows(rules: list[RouteRule]) -> list[str]:
    """Without the API pages, which are the same for all and public, and without OPTIONS and HEAD."""
    shown = {
        (rule.path, rule.method): rule
        for rule in rules
        if rule.method not in ("OPTIONS", "HEAD") and not rule.path.startswith("/schema/") and rule.path != "/"
    }
    return [_row(shown[key]) for key in sorted(shown)]


def _row(rule: RouteRule) -> str:
    access = rule.access
    if access.is_public:
        return f"| `{rule.method} {rule.path}` | | | anybody |\n"
    whose = "nobody's own" if access.shared else "everybody's"
    if access.owner:
        whose = f"own, by `{access.owner}`"
    roles = [
        role
        for role, scopes in ROLES.items()
        if access.scope in scopes and (access.shared or access.owner or ALL_OWNERS in scopes)
    ]
    return f"| `{rule.method} {rule.path}` | `{access.scope}` | {whose} | {', '.join(roles)} |\n"


async def _print() -> None:
    print(table())


if __name__ == "__main__":
    asyncio.run(_print())
