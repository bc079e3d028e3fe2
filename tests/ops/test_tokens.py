"""`eventfold token` and `eventfold keys`, what `up` refuses, and the token that commands send by themselves."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.identity import Identity
from infrastructure.security.invalid_token import InvalidToken
from infrastructure.security.key_sources import FileKeys
from infrastructure.security.link_keys import LinkKeys
from infrastructure.security.roles import ROLES
from infrastructure.security.verifier import TokenVerifier, Verified
from infrastructure.settings import PREFIX, Settings, load_settings
from ops.cli import main
from ops.credentials import credentials
from ops.errors import CommandFailed
from ops.stack.specs import Ports, stages
from tests.support.services import ROOT

PORTS = Ports.from_base(9000)


@pytest.fixture
def keys(tmp_path: Path) -> DevelopmentKeys:
    made = DevelopmentKeys(tmp_path)
    made.make()
    return made


def verified(keys: DevelopmentKeys, token: str) -> Verified:
    return asyncio.run(TokenVerifier(FileKeys(keys.jwks), Settings().authentication).verify(token.encode()))


def test_a_token_is_printed_alone(keys: DevelopmentKeys, capsys: pytest.CaptureFixture[str]) -> None:
    data_dir = str(keys.directory.parent)
    assert main(["token", "--as", "ada", "--role", "customer", "--scope", "more", "--data-dir", data_dir]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    token = printed.out.removesuffix("\n")
    assert verified(keys, token).identity == Identity("ada", ROLES["customer"] | {"more"})
    assert main(["token", "--as", "ada", "--ttl", "2h", "--data-dir", data_dir]) == 0
    lasts = verified(keys, capsys.readouterr().out.strip()).expires
    assert lasts - verified(keys, token).expires == pytest.approx(3_600, abs=60)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--as", "a b"],
        ["--as", ""],
        ["--as", "ada", "--scope", "a b"],
        ["--as", "ada", "--role", "emperor"],
        ["--as", "ada", "--ttl", "0"],
        ["--as", "ada", "--ttl", "2y"],
        ["--as", "ada", "--ttl", "-5"],
        [],
    ],
)
def test_what_makes_no_token(keys: DevelopmentKeys, wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["token", *wrong, "--data-dir", str(keys.directory.parent)])
    except SystemExit as error:
        status = int(error.code or 0)
    printed = capsys.readouterr()
    assert status in (1, 2)
    assert printed.out == ""
    assert printed.err


def test_without_a_key_it_says_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--as", "ada", "--data-dir", str(tmp_path)]) == 1
    assert "`eventfold up` makes one" in capsys.readouterr().err


def test_keys_are_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["keys", "make", "--data-dir", str(tmp_path)]) == 0
    assert "signing-key.json" in capsys.readouterr().out
    assert DevelopmentKeys(tmp_path).exist
    assert LinkKeys(tmp_path / "keys" / "signing-links.json").all()


@pytest.mark.parametrize("options", [["--no-auth", "--host", "0.0.0.0"], ["--no-auth", "--host", "box.example"]])
def test_up_without_tokens_stays_on_this_machine(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--data-dir", str(tmp_path / "data"), "--port-base", "9000", *options]) == 1
    assert f"without authentication nothing may listen on {options[-1]}" in capsys.readouterr().err.replace("\n", " ")


def specs(tmp_path: Path, **environment: str) -> dict[str, Any]:
    given = {PREFIX + name.upper(): value for name, value in environment.items()}
    return {spec.name: spec for stage in stages(tmp_path, "127.0.0.1", PORTS, given) for spec in stage}


def test_the_services_of_a_stack_get_its_keys_and_those_that_send_the_private_one(tmp_path: Path) -> None:
    services, keys = specs(tmp_path, token="of whoever starts it"), DevelopmentKeys(tmp_path)
    assert keys.exist
    sending = ("consumers", "process-manager", "payment-webhooks", "signing-page")
    for name in ("command-api", "query-api", "projector", "event-relay", *sending):
        settings = load_settings(services[name].environment)
        assert settings.authentication.mode == "on"
        assert settings.authentication.jwks_file == str(keys.jwks)
        assert settings.own_token.key_file == (str(keys.signing_key) if name in sending else "")
        assert settings.own_token.token == ""
    for name in ("node", "read-store", "payment-provider", "mail-sink"):
        assert not any(variable.startswith(PREFIX) for variable in services[name].environment), "they need none of it"


@pytest.mark.parametrize(
    "said",
    [{"auth": "off"}, {"auth_jwks_url": "https://a.example/keys"}, {"auth_secret": "x"}, {"auth_secret_file": "x"}],
)
def test_what_the_environment_says_of_authentication_stands(tmp_path: Path, said: dict[str, str]) -> None:
    if "auth_secret_file" in said:
        (tmp_path / "secret").write_text("0123456789abcdef0123456789abcdef")
        said = {"auth_secret_file": str(tmp_path / "secret")}
    services = specs(tmp_path, **said)
    assert not DevelopmentKeys(tmp_path).exist
    assert load_settings(services["consumers"].environment).own_token.key_file == ""


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    secrets = {"payments_key": "canary-of-the-key", "payments_webhook_secret": "canary-of-the-secret"}
    services = specs(tmp_path, **secrets)
    assert not any("canary" in part for spec in services.values() for part in spec.command)
    assert "canary-of-the-key" in services["payment-provider"].environment.values()


def test_commands_make_a_token_with_the_stacks_key_and_send_it_to_this_machine_alone(keys: DevelopmentKeys) -> None:
    data_dir = keys.directory.parent
    token = credentials(data_dir, Settings(), "http://127.0.0.1:8003").token()
    assert token is not None
    assert verified(keys, token).identity.scopes >= ROLES["operator"] | ROLES["staff"] | ROLES["service"]
    assert credentials(data_dir, Settings(), "https://projector.example").token() is None
    assert credentials(data_dir, Settings.of(token="given"), "https://projector.example").token() == "given"
    secret = Settings.of(auth_secret="0123456789abcdef0123456789abcdef")
    assert credentials(data_dir, secret, "https://projector.example").token() is None
    made = credentials(data_dir, secret, "http://localhost:8003").token()
    assert made is not None
    with pytest.raises(InvalidToken, match="algorithm"):
        verified(keys, made)  # it is what the services take where the secret is set
    assert credentials(data_dir / "none", Settings(), "http://127.0.0.1:8003").token() is None
    with pytest.raises(CommandFailed, match="EVENTFOLD_TOKEN_FILE"):
        credentials(data_dir, Settings.of(token_file="/nowhere"), "http://127.0.0.1:8003")


@pytest.mark.parametrize(
    ("service", "settings", "said"),
    [
        ("command-api", {}, "set EVENTFOLD_AUTH_JWKS_URL or EVENTFOLD_AUTH_JWKS_FILE"),
        ("command-api", {"EVENTFOLD_AUTH": "off", "EVENTFOLD_HOST": "0.0.0.0"}, "a loopback address alone"),
        ("payment-webhooks", {"EVENTFOLD_PAYMENTS_WEBHOOK_SECRET": "s"}, "has no token to send"),
    ],
)
def test_a_service_alone_does_not_start_with_its_doors_open_or_shut(
    service: str, settings: dict[str, str], said: str
) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ran = subprocess.run(
        [sys.executable, "-m", "ops.cli", service],
        env={**environ, **settings, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
