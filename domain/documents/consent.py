"""What a customer consents to by signing, in each version of its words: events name the version.

A text that was once shown to somebody never changes: other words are a new version.
"""

from collections.abc import Mapping
from types import MappingProxyType

CONSENT_VERSION = "1"
"""The version that is asked for now."""

CONSENTS: Mapping[str, str] = MappingProxyType(
    {
        "1": "I have read the document, I agree to it, and the name that I have typed is to stand for my signature.",
    }
)
"""The words, by their version."""
