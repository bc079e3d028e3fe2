"""A provider's API key and the secret of its webhooks, from the environment or from files that it names."""

from collections.abc import Mapping
from pathlib import Path

KEY_VARIABLE = "SANDBOX_KEY"
SECRET_VARIABLE = "SANDBOX_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
DEFAULT_KEY = "sandbox-key"
DEFAULT_SECRET = "sandbox-secret"  # noqa: S105 - of a sandbox, which moves no money and binds nobody


def from_environment(environment: Mapping[str, str]) -> tuple[str, str]:
    """The key and the secret. Raises ValueError, naming the variable, where a file can't be read."""
    return _one(environment, KEY_VARIABLE, DEFAULT_KEY), _one(environment, SECRET_VARIABLE, DEFAULT_SECRET)


def _one(environment: Mapping[str, str], variable: str, default: str) -> str:
    value, path = environment.get(variable), environment.get(f"{variable}_FILE")
    if path is None:
        return value or default
    if value is not None:
        raise ValueError(f"{variable} and {variable}_FILE are both set; one of them is enough")
    try:
        text = Path(path).read_text().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{variable}_FILE: {path} can't be read ({type(error).__name__})") from None
    if not text:
        raise ValueError(f"{variable}_FILE: {path} is empty")
    return text
