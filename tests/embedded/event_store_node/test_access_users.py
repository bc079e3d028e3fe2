"""The users file and its command; authentication: once, cached, and never on the event loop."""

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from access_support import PASSWORDS, as_user, users_file
from node_support import ROOT

from embedded.event_store_node.main import main
from embedded.event_store_node.protocol.errors import RpcError
from embedded.event_store_node.security import passwords, users
from embedded.event_store_node.security.authentication import Authenticator
from embedded.event_store_node.security.security import SecurityError
from embedded.event_store_node.security.users import Account, User

Metadata = tuple[tuple[str, str | bytes], ...]


# The command


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch):
    def type_in(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return type_in


def test_users_are_added_changed_and_removed(tmp_path: Path, type_in) -> None:
    path = tmp_path / "users"
    type_in("changeit\n")
    assert main(["user", "add", "root", "--users", str(path), "--admin", "--group", "team"]) == 0
    type_in("hunter2")
    assert main(["user", "add", "bob", "--users", str(path)]) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert "changeit" not in path.read_text()
    accounts = users.load(path)
    assert accounts["root"].groups == ("$admins", "team")
    assert accounts["root"].user("root") == User("root", frozenset({"root", "$admins", "team"}))
    assert passwords.matches("changeit", accounts["root"].password_hash)
    assert not passwords.matches("hunter2", accounts["root"].password_hash)

    type_in("better\n")
    assert main(["user", "password", "root", "--users", str(path)]) == 0
    changed = users.load(path)
    assert passwords.matches("better", changed["root"].password_hash)
    assert changed["root"].groups == accounts["root"].groups
    assert changed["bob"] == accounts["bob"]
    assert main(["user", "remove", "root", "--users", str(path)]) == 0
    assert users.load(path) == {"bob": accounts["bob"]}
    assert os.listdir(tmp_path) == ["users"]


def test_a_password_is_typed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["one", "two", "one", "one"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert main(["user", "add", "bob", "--users", str(tmp_path / "u")]) == 1
    assert not (tmp_path / "u").exists()
    assert main(["user", "add", "bob", "--users", str(tmp_path / "u")]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "ann"], "has a user ann already"),
        (["add", "a:b"], "'a:b' is no user name"),
        (["add", ""], "'' is no user name"),
        (["add", "new"], "the password is empty"),
        (["password", "nobody"], "has no user nobody"),
        (["remove", "nobody"], "has no user nobody"),
    ],
)
def test_changes_that_are_refused(
    tmp_path: Path, type_in, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    path = users_file(tmp_path)
    before = path.read_bytes()
    type_in("\n")
    assert main(["user", *words, "--users", str(path)]) == 1
    assert said in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    ["", "notes", "[]", "{}", '{"users": []}', '{"users": {"a": {}}}', '{"users": {"a": {"password": "plain"}}}']
    + [json.dumps({"users": {"a": {"password": hashed, "groups": ["g"]}}}) for hashed in ("md5:1:2:3:4:5", "s:c")]
    + [json.dumps({"users": {"a": {"password": "scrypt:2:1:1:AA==:AA==", "groups": "g"}}})],
)
def test_files_that_are_no_users_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    path = tmp_path / "users"
    path.write_text(content)
    with pytest.raises(SecurityError, match="is no users file"):
        users.load(path)
    assert main(["user", "remove", "a", "--users", str(path)]) == 1
    assert main(["--in-memory", "--port", "0", "--insecure", "--users", str(path)]) == 1
    assert "is no users file" in capsys.readouterr().err
    assert path.read_text() == content


def test_a_users_file_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--in-memory", "--port", "0", "--insecure", "--users", str(tmp_path / "no")]) == 1
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


def test_roles_by_name_as_on_the_server() -> None:
    def user(name: str, *groups: str) -> User:
        return Account("", groups).user(name)

    assert user("admin").is_admin
    assert user("x", "$admins").is_admin
    assert user("x", "$admins").is_operator
    assert user("ops").is_operator
    assert user("x", "$ops").is_operator
    assert not user("ops").is_admin
    assert not user("x", "team").is_operator


# Authentication


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return users_file(tmp_path)


@pytest.fixture
def authenticator(path: Path):
    authenticator = Authenticator(path)
    yield authenticator
    authenticator.close()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords for which the slow hash was computed."""
    computed: list[str] = []
    original = passwords.matches

    def matches(password: str, hashed: str) -> bool:
        computed.append(password)
        return original(password, hashed)

    monkeypatch.setattr(passwords, "matches", matches)
    return computed


@pytest.mark.parametrize("name", PASSWORDS)
async def test_a_right_password(authenticator: Authenticator, name: str) -> None:
    user = await authenticator.user(as_user(name))
    assert user is not None
    assert user.name == name


async def test_a_password_is_checked_once(authenticator: Authenticator, checked: list[str]) -> None:
    at_once = await asyncio.gather(*(authenticator.user(as_user("bob")) for _ in range(50)))
    assert {user.name for user in at_once if user} == {"bob"}
    for _ in range(10):
        assert await authenticator.user(as_user("bob")) == at_once[0]
    assert checked == ["hunter2"]


async def test_a_caller_that_goes_away_does_not_end_the_check_for_others(
    authenticator: Authenticator, checked: list[str]
) -> None:
    first = asyncio.create_task(authenticator.user(as_user("bob")))
    second = asyncio.create_task(authenticator.user(as_user("bob")))
    await asyncio.sleep(0)
    first.cancel()
    user = await second
    assert user is not None
    assert checked == ["hunter2"]


async def refused(authenticator: Authenticator, metadata: Metadata) -> None:
    with pytest.raises(RpcError) as refusal:
        await authenticator.user(metadata)
    assert (refusal.value.code, refusal.value.details) == (grpc.StatusCode.UNAUTHENTICATED, "Unauthenticated")


async def test_credentials_that_are_wrong(authenticator: Authenticator, checked: list[str]) -> None:
    await refused(authenticator, as_user("bob", "wrong"))
    await refused(authenticator, as_user("bob", ""))
    await refused(authenticator, as_user("nobody", "hunter2"))
    assert checked == ["wrong", "", "hunter2"]
    for malformed in ("Basic", "Basic ", "Basic !!!", "Basic Ym9i", "Basic /w=="):
        if malformed != "Basic":
            await refused(authenticator, (("authorization", malformed),))
    assert len(checked) == 3
    assert await authenticator.user(as_user("bob"))


async def test_calls_that_name_nobody(authenticator: Authenticator) -> None:
    assert await authenticator.user((("connection-name", "x"),)) is None
    assert await authenticator.user((("authorization", "Bearer token"),)) is None
    assert await authenticator.user(as_user("bob") + as_user("ann")) is None


async def test_the_file_is_read_again_when_it_changes(authenticator: Authenticator, path: Path) -> None:
    assert await authenticator.user(as_user("bob"))
    accounts = users.load(path)
    removed = accounts.pop("bob")
    users.save(path, accounts)
    await refused(authenticator, as_user("bob"))
    users.save(path, accounts | {"bob": Account(removed.password_hash, ("$admins",))})
    user = await authenticator.user(as_user("bob"))
    assert user is not None
    assert user.is_admin


async def test_a_broken_file_changes_nothing(
    authenticator: Authenticator, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copyfile(__file__, path)
    assert await authenticator.user(as_user("bob"))
    os.unlink(path)
    assert await authenticator.user(as_user("bob"))
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "The users stay as they were" in caplog.text


async def test_guesses_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authenticator = Authenticator(users_file(tmp_path))
    gate = threading.Event()
    monkeypatch.setattr(passwords, "matches", lambda *_: gate.wait(20) and False)
    guesses = [asyncio.create_task(authenticator.user(as_user("ann", f"guess {n}"))) for n in range(120)]
    await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
    gate.set()
    refusals = [error.code for error in await asyncio.gather(*guesses, return_exceptions=True)]

    assert refusals.count(grpc.StatusCode.UNAVAILABLE) == 20
    assert refusals.count(grpc.StatusCode.UNAUTHENTICATED) == 100
    authenticator.close()


def test_the_file_is_written_alike_whatever_the_locale(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from embedded.event_store_node.security import users;"
        "users.save(Path('users'), {'j\u00f6rg': users.Account('scrypt:1:1:1:eA==:eA==')})"
    )
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning", "-c", program]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, cwd=tmp_path, env=environ, check=True)
    assert list(users.load(tmp_path / "users")) == ["j\u00f6rg"]
