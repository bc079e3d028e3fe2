"""The document store as commands use it, and what they say when a store can't be used."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ops.errors import CommandFailed

if TYPE_CHECKING:
    from infrastructure.document_store import EncryptedDocuments
    from infrastructure.settings import Settings

T = TypeVar("T")


def documents_of(chosen: "Settings") -> "EncryptedDocuments":
    """The document store.

    Raises:
        CommandFailed: none is set.
    """
    from infrastructure.document_store import document_store

    store = document_store(chosen)
    if store is None:
        raise CommandFailed(
            "no document store is known",
            "EVENTFOLD_DOCUMENT_STORE names it, or --data-dir that of `eventfold up`",
        )
    return store


def run(work: Coroutine[Any, Any, T]) -> T:
    """What the work gives.

    Raises:
        CommandFailed: a store can't be used.
    """
    from infrastructure.document_store import DocumentStoreUnavailable
    from infrastructure.event_store import EventStoreUnavailable
    from infrastructure.personal_data import KeyStoreUnavailable
    from infrastructure.settings import InvalidSettings

    try:
        return asyncio.run(work)
    except KeyStoreUnavailable as error:
        raise CommandFailed(f"the key store can't be used: {error.cause}") from error
    except DocumentStoreUnavailable as error:
        raise CommandFailed(f"the document store can't be used: {error}") from error
    except EventStoreUnavailable as error:
        raise CommandFailed(
            f"the event store can't be reached: {error}", "eventfold up, or set EVENTFOLD_EVENTSTORE_URI"
        ) from error
    except InvalidSettings as error:
        raise CommandFailed(str(error)) from error
