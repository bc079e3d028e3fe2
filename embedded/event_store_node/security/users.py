"""Users with their roles, and the file that they are kept in."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.event_store_node.log.unfinished import unfinished_file
from embedded.event_store_node.security import passwords
from embedded.event_store_node.security.security import SecurityError

ADMINS = "$admins"
OPERATORS = "$ops"


@dataclass(frozen=True, slots=True)
class User:
    """
    Who makes a call. `roles` are the user's groups and name. The names `admin` and `ops` are roles of their own,
    as on the server.
    """

    name: str
    roles: frozenset[str]

    @property
    def is_admin(self) -> bool:
        return ADMINS in self.roles or self.name == "admin"

    @property
    def is_operator(self) -> bool:
        return self.is_admin or OPERATORS in self.roles or self.name == "ops"


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the file has it."""

    password_hash: str
    groups: tuple[str, ...] = ()

    def user(self, name: str) -> User:
        return User(name, frozenset({name, *self.groups}))


def load(path: Path) -> dict[str, Account]:
    """
    The accounts by user name.

    Raises:
        SecurityError: the file is missing or cannot be read, or it is no users file.
    """
    try:
        document = json.loads(path.read_bytes())
        return {name: _account(entry) for name, entry in document["users"].items()}
    except OSError as error:
        raise SecurityError(f"the users file {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SecurityError(f"{path} is no users file: {error!r}") from error


def save(path: Path, accounts: Mapping[str, Account]) -> None:
    """
    Write the file anew, readable by its owner only; whoever reads it meanwhile sees it before or after.

    Raises:
        SecurityError: it cannot be written.
    """
    entries = {name: {"password": one.password_hash, "groups": list(one.groups)} for name, one in accounts.items()}
    text = json.dumps({"users": entries}, indent=2, ensure_ascii=False) + "\n"
    try:
        with unfinished_file(path) as unfinished:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
    except OSError as error:
        raise SecurityError(f"the users file {path} cannot be written: {error.strerror}") from error


def _account(entry: Any) -> Account:
    passwords.check_form(entry["password"])
    groups = entry.get("groups", [])
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise ValueError("groups are a list of names")
    return Account(entry["password"], tuple(groups))
