"""What must not be read in a log: secrets and personal fields are taken out of every line before it is written.

By value: the secrets that the settings hold, wherever they turn up. By form: passwords in connection strings,
credentials in headers, tokens, mail addresses. By name: fields that are called like a secret.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import msgspec

from infrastructure.secrets import is_secret
from infrastructure.settings import Settings

REDACTED = "***"
MAX_TEXT = 16_384
"""The longest text that a line keeps of one field, in characters."""

_SECRET_FIELDS = re.compile(
    r"(?i)^(authorization|proxy-authorization|cookie|set-cookie|.*(password|passphrase|secret|token|api[-_]?key))$"
)
# A text of fewer characters is in too many words to be taken out of all of them; no secret is that short.
_SHORTEST_SECRET = 6
_MOST_NESTED = 6
_PLAIN = frozenset({int, bool, type(None)})
# No form below is in a text without one of these. They are looked for first: most lines have none.
_MARKS = (
    *("@", "eyj", "bearer", "basic", "authorization", "cookie", "password", "passphrase", "secret", "token"),
    *("api_key", "api-key", "apikey", "signature"),
)
_FORMS = (
    # user:password@ in a connection string; a password may hold anything but a slash and a space.
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/]+(?=@)"), rf"\1{REDACTED}"),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {REDACTED}"),
    (
        re.compile(
            r"(?i)((?:\b|[_-])(?:authorization|cookie|password|passphrase|secret|token|api[-_]?key|signature)"
            r"[\"']*\s*[=:]\s*(?:b?[\"'])?)(?:(?:bearer|basic)\s+)?[^\s\"',;&)}\]]+"
        ),
        rf"\1{REDACTED}",
    ),
    # A mail address is a person's; its domain helps to find a fault.
    (re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+(?=@[\w-]+(?:\.[\w-]+)+)"), REDACTED),
)


class Redactor:
    """Takes these secrets, and whatever has the form or the name of one, out of texts and log lines."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {form for secret in secrets for form in (secret, quote(secret, safe="")) if secret}
        known = sorted((one for one in spellings if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._known = known
        self._plain_names: set[str] = set()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """For a process with these settings."""
        return cls(secrets_of(settings))

    def text(self, text: str) -> str:
        """The text without them, cut to MAX_TEXT characters."""
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]}… ({len(text)} characters)"
        if self._is_plain(text):
            return text
        for secret in self._known:
            text = text.replace(secret, REDACTED)
        for form, replacement in _FORMS:
            text = form.sub(replacement, text)
        return text

    def line(self, _logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        """The processor: every field of a line."""
        texts, is_flat = [], True
        for value in line.values():
            if type(value) is str:
                texts.append(value)
            elif type(value) not in _PLAIN and not (type(value) is float and math.isfinite(value)):
                is_flat = False
        together = "\0".join(texts)
        if is_flat and line.keys() <= self._plain_names and len(together) <= MAX_TEXT and self._is_plain(together):
            return line
        # The names are those of our own code, and few.
        self._plain_names |= {name for name in line if not _SECRET_FIELDS.match(name)}
        for name, value in line.items():
            line[name] = self._value(name, value, _MOST_NESTED)
        return line

    def _is_plain(self, text: str) -> bool:
        lower = text.lower()
        for mark in _MARKS:
            if mark in lower:
                return False
        return not any(secret in text for secret in self._known)

    def _value(self, name: str, value: Any, deeper: int) -> Any:
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if _SECRET_FIELDS.match(name):
            return REDACTED
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping) and deeper:
            return {self.text(str(key)): self._value(str(key), one, deeper - 1) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset) and deeper:
            return [self._value("", one, deeper - 1) for one in value]
        return self.text(value.decode(errors="replace") if isinstance(value, bytes) else _repr(value))


def secrets_of(settings: Settings) -> set[str]:
    """The values of the settings that are secrets, and the passwords in their connection strings."""
    found = set()
    for group in msgspec.structs.fields(Settings):
        values = getattr(settings, group.name)
        for one in msgspec.structs.fields(group.type):
            value = getattr(values, one.name)
            if isinstance(value, str) and value:
                # Of a connection string its password is the secret: the rest helps to find a fault.
                if is_secret(one) and "://" not in value:
                    found.add(value)
                found |= passwords_in(value)
    return found


def passwords_in(uri: str) -> set[str]:
    """The password in a connection string, as it stands there and decoded."""
    if "://" not in uri or "@" not in uri:
        return set()
    try:
        password = urlsplit(uri).password
    except ValueError:
        return set()
    return {password, unquote(password)} if password else set()


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # what can't be shown must not take the line with it
        return f"<{type(value).__name__}>"
