"""What the OpenAPI pages say of a command's fields.

The limits in the schema are for readers of the pages only: each context's rules.py enforces them, so that a refusal can
name every fault at once, and so that a command made in Python is checked too.
"""

from msgspec import Meta

from domain.model.identifiers import TEXT_PATTERN


def documented(description: str, **schema: object) -> Meta:
    """Of any field: what it is, and further words of JSON schema."""
    return Meta(description=description, extra_json_schema=dict(schema))


def documented_text(description: str, longest: int, **schema: object) -> Meta:
    """Of a field that identifiers.text_faults checks."""
    return documented(description, minLength=1, maxLength=longest, pattern=TEXT_PATTERN, **schema)
