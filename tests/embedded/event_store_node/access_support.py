"""Users, passwords and certificates for the tests of secured nodes."""

import shutil
import subprocess
from base64 import b64encode
from functools import cache
from pathlib import Path

import pytest

from embedded.event_store_node.security import users
from embedded.event_store_node.security.passwords import hash_password
from embedded.event_store_node.security.users import Account

PASSWORDS = {"admin": "changeit", "ops": "changeit", "ann": "a:b ü", "bob": "hunter2"}
GROUPS = {"bob": ("team",)}


@cache
def accounts() -> dict[str, Account]:
    return {name: Account(hash_password(word), GROUPS.get(name, ())) for name, word in PASSWORDS.items()}


def users_file(directory: Path) -> Path:
    path = directory / "users.json"
    users.save(path, accounts())
    return path


def as_user(name: str, password: str | None = None) -> tuple[tuple[str, str], ...]:
    """The metadata of a call that a user makes."""
    text = f"{name}:{PASSWORDS[name] if password is None else password}"
    return (("authorization", f"Basic {b64encode(text.encode()).decode()}"),)


def certificate(
    directory: Path, name: str = "node", ca: str | None = None, hosts: str = "IP:127.0.0.1,DNS:localhost"
) -> tuple[Path, Path]:
    """A certificate for some hosts with its key, self-signed or issued by another one made here."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl, for certificates: apt-get install openssl")
    cert, key = directory / f"{name}.crt", directory / f"{name}.key"
    config = directory / f"{name}.cnf"
    usage = "basicConstraints=critical,CA:TRUE" if ca is None else "basicConstraints=CA:FALSE"
    config.write_text(
        f"[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN={name}\n"
        f"[ext]\nsubjectAltName={hosts}\n{usage}\n"
    )
    run = [openssl, "req", "-config", str(config), "-newkey", "rsa:2048", "-nodes", "-keyout", str(key)]
    if ca is None:
        _run([*run, "-x509", "-days", "2", "-out", str(cert)])
    else:
        request = directory / f"{name}.csr"
        _run([*run, "-new", "-out", str(request)])
        issuer = ["-CA", str(directory / f"{ca}.crt"), "-CAkey", str(directory / f"{ca}.key"), "-CAcreateserial"]
        extensions = ["-extfile", str(config), "-extensions", "ext"]
        _run([openssl, "x509", "-req", "-in", str(request), *issuer, *extensions, "-days", "2", "-out", str(cert)])
    return cert, key


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
