"""What may stand in the chart's `settings` and `secrets`, from the settings themselves."""

from collections.abc import Iterator
from typing import Any

import msgspec

from infrastructure.secrets import is_secret
from infrastructure.settings import PREFIX, every_setting

# They may have a password or are half of one, though no file can give them.
_BY_REFERENCE_TOO = ("key_store", "s3_access_key_id")
# What the chart itself says, of each pod.
_OF_THE_CHART = ("consumer_name",)


def settings_schema() -> dict[str, Any]:
    """The settings that are no secret, with the type and the bounds of each, and OpenTelemetry's variables."""
    return {
        "type": "object",
        "properties": {_variable(one): msgspec.json.schema(one.type) for one in _plain()},
        "patternProperties": {"^OTEL_[A-Z_]+$": {"type": ["string", "number", "boolean"]}},
        "additionalProperties": False,
    }


def secrets_schema() -> dict[str, Any]:
    """The settings that a Secret gives, each by its name and a key in it."""
    reference = {
        "type": "object",
        "properties": {"secret": {"$ref": "#/$defs/name"}, "key": {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"}},
        "required": ["secret", "key"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {_variable(one): reference for one in every_setting() if _by_reference(one)},
        "additionalProperties": False,
    }


def read_from_files() -> list[str]:
    """The secrets that can be given by a file, which a variable with _FILE at its end names."""
    return [_variable(one) for one in every_setting() if is_secret(one)]


def _plain() -> Iterator[msgspec.structs.FieldInfo]:
    for one in every_setting():
        is_the_charts = one.encode_name in _OF_THE_CHART or one.encode_name.endswith("_port_number")
        if not is_secret(one) and one.encode_name != "key_store" and not is_the_charts:
            yield one


def _by_reference(setting: msgspec.structs.FieldInfo) -> bool:
    name = setting.encode_name
    return is_secret(setting) or name in _BY_REFERENCE_TOO or name.endswith("_file")


def _variable(setting: msgspec.structs.FieldInfo) -> str:
    return PREFIX + setting.encode_name.upper()
