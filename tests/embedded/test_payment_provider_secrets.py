"""The sandbox provider's secrets come from its environment or from files, never from its command line."""

from pathlib import Path

import pytest

from embedded.payment_provider.main import main
from embedded.sandbox.secrets import DEFAULT_KEY, DEFAULT_SECRET, from_environment


def test_where_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("of the file\n")
    assert from_environment({}) == (DEFAULT_KEY, DEFAULT_SECRET)
    assert from_environment({"SANDBOX_KEY": "k", "SANDBOX_WEBHOOK_SECRET": "s"}) == ("k", "s")
    assert from_environment({"SANDBOX_KEY_FILE": str(file)}) == ("of the file", DEFAULT_SECRET)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SANDBOX_KEY_FILE": "/nowhere"}, "SANDBOX_KEY_FILE: /nowhere can't be read"),
        ({"SANDBOX_WEBHOOK_SECRET_FILE": "/dev/null"}, "/dev/null is empty"),
        ({"SANDBOX_KEY": "k", "SANDBOX_KEY_FILE": "/nowhere"}, "SANDBOX_KEY and SANDBOX_KEY_FILE are both set"),
    ],
)
def test_what_gives_none_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_environment(environment)


def test_a_command_line_is_no_place_for_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data-dir", str(tmp_path), "--webhook-secret", "canary"])
    assert "unrecognized arguments" in capsys.readouterr().err
