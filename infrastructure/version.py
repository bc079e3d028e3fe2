"""The one version number: that of the installed distribution."""

from importlib import metadata

UNKNOWN_VERSION = "unknown"


def installed_version() -> str:
    """The version of the installed distribution; UNKNOWN_VERSION where the code runs without being installed."""
    try:
        return metadata.version("eventfold")
    except metadata.PackageNotFoundError:
        return UNKNOWN_VERSION
