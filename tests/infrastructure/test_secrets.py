"""Secrets come from their variables or from files, and no printing of settings shows them."""

import os
from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from infrastructure.secrets import is_secret
from infrastructure.settings import PREFIX, InvalidSettings, Settings, every_setting, load_settings, secret_variables

CANARY = "canary-0123456789abcdef0123456789abcdef"
# A file is read once where it stands for the variable; that of the token is read again and again.
BY_FILE = [name for name in secret_variables() if name != "EVENTFOLD_TOKEN"]


def value_of(settings: Settings, variable: str) -> str:
    """The setting's value, by its variable."""
    name = variable.removeprefix(PREFIX).lower()
    for group in settings.__struct_fields__:
        given = getattr(settings, group)
        for field, encoded in zip(given.__struct_fields__, given.__struct_encode_fields__, strict=True):
            if encoded == name:
                return str(getattr(given, field))
    raise AssertionError(variable)


def test_what_may_hold_a_secret_is_one() -> None:
    words = ("key", "secret", "uri", "token", "password", "pin")
    names = {one.encode_name for one in every_setting() if one.type is str or is_secret(one)}
    suspicious = {name for name in names if name.split("_")[-1] in words} | {"mail_url"}
    assert {name.removeprefix(PREFIX).lower() for name in secret_variables()} == suspicious


@pytest.mark.parametrize("variable", BY_FILE)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_each_can_be_read_from_a_file(tmp_path: Path, variable: str, ending: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(CANARY.encode() + ending.encode())
    assert value_of(load_settings({f"{variable}_FILE": str(file)}), variable) == CANARY


@pytest.mark.parametrize("variable", BY_FILE)
def test_given_twice_it_is_refused(tmp_path: Path, variable: str) -> None:
    file = tmp_path / "secret"
    file.write_text(CANARY)
    with pytest.raises(InvalidSettings, match=f"{variable} and {variable}_FILE are both set") as refused:
        load_settings({variable: CANARY, f"{variable}_FILE": str(file)})
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read \\(No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is no text"),
        (b"x" * 70_000, "has over 65536 bytes"),
    ],
)
def test_a_file_that_holds_none_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidSettings, match=f"EVENTFOLD_PAYMENTS_KEY_FILE: .*secret {said}"):
        load_settings({"EVENTFOLD_PAYMENTS_KEY_FILE": str(file)})


def test_what_is_no_secret_has_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="unknown setting EVENTFOLD_HOST_FILE"):
        load_settings({"EVENTFOLD_HOST_FILE": os.fspath(tmp_path)})


def test_no_secret_is_printed() -> None:
    settings = load_settings(dict.fromkeys(secret_variables(), CANARY))
    assert all(value_of(settings, name) == CANARY for name in secret_variables())
    for shown in (repr(settings), str(settings), pretty_repr(settings), f"{settings.payments!r}"):
        assert CANARY not in shown
    assert "url='http://127.0.0.1:8021'" in repr(settings.payments), "what is no secret is shown"
