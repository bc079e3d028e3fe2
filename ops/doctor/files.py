"""Files that services can't start or work without: looked at where they are, on this machine."""

from collections.abc import Iterator
from pathlib import Path

from inbound.reading import known_messages
from inbound.sources import read_sources
from infrastructure.application import Application
from infrastructure.security.link_keys import LinkKeys, UnusableLinkKeys
from infrastructure.settings import InvalidSettings, Settings
from ops.doctor.findings import Finding
from ops.locations import own_link_keys

_ROTATE = "eventfold documents rotate-link-key"


def unusable_files(application: Application, data_dir: Path, settings: Settings) -> Iterator[Finding]:
    """The keys of signing links, and the sources of other systems' messages."""
    named, own = settings.documents.link_key_file, own_link_keys(data_dir)
    if named or own.exists():
        path = Path(named) if named else own
        try:
            LinkKeys(path).all()
        except UnusableLinkKeys as error:
            mend = f"put back the file from a backup; if there is none, remove it, and: {_ROTATE} {path}"
            yield Finding("unusable", "keys of signing links", f"{error}: no link can be made or checked", mend)
    if settings.inbound.sources:
        try:
            read_sources(Path(settings.inbound.sources), list(known_messages(application.inbound)))
        except InvalidSettings as error:
            yield Finding(
                "unusable",
                "sources of messages",
                f"{error}: the inbound service does not start",
                "mend the file that EVENTFOLD_INBOUND_SOURCES names",
            )
