"""What a service does about its key store: a check when it starts, and a probe for /health/ready."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar

from infrastructure.http.health import Dependency
from infrastructure.http.service import Lifespan
from infrastructure.personal_data.key_store import KeyStoreUnavailable, WrongMasterKey
from infrastructure.personal_data.keys import PersonalKeys

log = structlog.get_logger(__name__)


def key_store_checked(keys: PersonalKeys) -> Lifespan:
    """Ends the start with WrongMasterKey where the master key is not that of the store. A store that is away is found
    out about when it is needed."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        if keys.is_set:
            try:
                await keys.check()
            except WrongMasterKey:
                raise
            except KeyStoreUnavailable as error:
                log.warning("the key store of personal data is away", error=str(error))
        yield

    return lifespan


def key_store_dependency(keys: PersonalKeys) -> Mapping[str, Dependency]:
    """Without a key store there is nothing to be ready."""
    return {"key_store": Dependency(keys.ping)} if keys.is_set else {}
