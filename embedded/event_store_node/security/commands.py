"""`node user`: the users file is kept with it."""

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from embedded.event_store_node.security import users
from embedded.event_store_node.security.passwords import hash_password
from embedded.event_store_node.security.security import SecurityError
from embedded.event_store_node.security.users import ADMINS, Account


def user_command(argv: Sequence[str]) -> int:
    """`user`: returns the exit code, 1 when the file is not changed."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.change(arguments)
    except SecurityError as error:
        sys.stderr.write(f"event store node user: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="event_store_node user",
        description="Keep the file of those who may use a node. A running node reads it again when it changes."
        " Passwords are asked for, or read as one line from standard input.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, change, what in (
        ("add", _add, "add a user; makes the file if it is missing"),
        ("password", _change_password, "give a user another password"),
        ("remove", _remove, "remove a user"),
    ):
        command = commands.add_parser(name, help=what, description=what.capitalize() + ".")
        command.add_argument("name", metavar="NAME", help="as clients give it; admin and ops have their roles by name")
        command.add_argument("--users", type=Path, required=True, metavar="FILE", help="the users file")
        command.set_defaults(change=change)
        if change is _add:
            command.add_argument("--admin", action="store_true", help=f"the same as --group '{ADMINS}'")
            command.add_argument(
                "--group",
                action="append",
                default=[],
                metavar="GROUP",
                help="a role for access control lists; $ops may manage, but not read system streams",
            )
    return parser


def _add(arguments: argparse.Namespace) -> None:
    name, path = arguments.name, arguments.users
    if not name or ":" in name or not name.isprintable():
        raise SecurityError(f"'{name}' is no user name: it must not be empty nor hold a colon")
    accounts = users.load(path) if path.exists() else {}
    if name in accounts:
        raise SecurityError(f"{path} has a user {name} already; change the password with: user password {name}")
    groups = dict.fromkeys(([ADMINS] if arguments.admin else []) + arguments.group)
    users.save(path, {**accounts, name: Account(hash_password(_password(name)), tuple(groups))})


def _change_password(arguments: argparse.Namespace) -> None:
    accounts = _with_user(arguments)
    groups = accounts[arguments.name].groups
    users.save(arguments.users, {**accounts, arguments.name: Account(hash_password(_password(arguments.name)), groups)})


def _remove(arguments: argparse.Namespace) -> None:
    accounts = _with_user(arguments)
    del accounts[arguments.name]
    users.save(arguments.users, accounts)


def _with_user(arguments: argparse.Namespace) -> dict[str, Account]:
    accounts = users.load(arguments.users)
    if arguments.name not in accounts:
        raise SecurityError(f"{arguments.users} has no user {arguments.name}")
    return accounts


def _password(name: str) -> str:
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {name}: ")
        if password and getpass.getpass("Once more: ") != password:
            raise SecurityError("the passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise SecurityError("the password is empty")
    return password
