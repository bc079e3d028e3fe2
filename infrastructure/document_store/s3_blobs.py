"""Documents in a bucket of S3, or of another server that speaks its protocol: one object each, under a prefix.

An object comes whole or not at all: S3 shows none that was not sent to its end. Where the server knows conditional
writes (If-None-Match), of several writers one wins; elsewhere the server is asked before, and the last one wins, which
changes nothing, because each of them has the same document.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from msgspec import Struct

from infrastructure.document_store.port import (
    DocumentStoreUnavailable,
    NoSuchDocument,
    check_digest,
    is_digest,
)
from infrastructure.resilience import DependencyUnavailable, Policy, TransientFault

T = TypeVar("T")

_PAGE = 500
_NO_CONDITIONS = ("NotImplemented", "501")


class Bucket(Struct, frozen=True):
    """Where a bucket is, and who asks. Without an `endpoint` it is Amazon's of the region; without an `access_key_id`
    the credentials are those that Amazon gives to the machine."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = ""

    def __repr__(self) -> str:
        return f"Bucket({self.name}/{self.prefix})"


class S3Blobs:
    """See BlobStore. Over obstore, which must be installed (the extra `s3`); every call goes through the policy.

    Raises DocumentStoreUnavailable where obstore is missing.
    """

    def __init__(self, bucket: Bucket, policy: Policy) -> None:
        try:
            import obstore
            from obstore import exceptions
        except ImportError:
            raise DocumentStoreUnavailable("obstore is not installed here: pip install 'eventfold[s3]'") from None
        self.policy = policy
        self._obstore: Any = obstore
        self._exceptions: Any = exceptions
        self._bucket = bucket
        self._store = _store(bucket, policy.limits.timeout)
        self._conditional = True

    async def write(self, digest: str, content: bytes, *, replace: bool = False) -> bool:
        path = self.path_of(digest)
        if replace:
            was_there = await self._call(lambda: self._is_there(path))
            await self._call(lambda: self._put(path, content, "overwrite"))
            return not was_there
        # Asked first, since some servers take a condition and pay no heed to it.
        if await self._call(lambda: self._is_there(path)):
            return False
        if self._conditional:
            try:
                return await self._call(lambda: self._create(path, content))
            except _NoConditions:
                self._conditional = False
        await self._call(lambda: self._put(path, content, "overwrite"))
        return True

    async def read(self, digest: str) -> bytes:
        path = self.path_of(digest)
        content = await self._call(lambda: self._get(path))
        if content is None:
            raise NoSuchDocument(f"there is no document {digest}")
        return content

    async def remove(self, digest: str) -> None:
        path = self.path_of(digest)
        await self._call(lambda: self._delete(path))

    async def digests(self) -> AsyncIterator[str]:
        """A page of the bucket's list at a time."""
        last: str | None = None
        while names := await self._call(lambda after=last: self._names(after)):  # type: ignore[misc]
            for name in names:
                if is_digest(digest := name.rpartition("/")[2].removesuffix(".pdf")):
                    yield digest
            last = names[-1]

    async def close(self) -> None:
        """It holds nothing that waits for being closed."""

    def path_of(self, digest: str) -> str:
        """The key of the document's object, below the prefix."""
        check_digest(digest)
        return f"{digest[:2]}/{digest}.pdf"

    async def _create(self, path: str, content: bytes) -> bool:
        """False where it is there. Raises _NoConditions where the server does not know If-None-Match."""
        try:
            await self._obstore.put_async(self._store, path, content, mode="create", use_multipart=False)
        except self._exceptions.AlreadyExistsError:
            return False
        except self._exceptions.NotSupportedError as error:
            raise _NoConditions from error
        except self._exceptions.GenericError as error:
            if any(sign in str(error) for sign in _NO_CONDITIONS):
                raise _NoConditions from error
            raise
        return True

    async def _put(self, path: str, content: bytes, mode: str) -> None:
        await self._obstore.put_async(self._store, path, content, mode=mode, use_multipart=False)

    async def _is_there(self, path: str) -> bool:
        try:
            await self._obstore.head_async(self._store, path)
        except FileNotFoundError:
            return False
        return True

    async def _get(self, path: str) -> bytes | None:
        try:
            found = await self._obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            return None

    async def _delete(self, path: str) -> None:
        try:
            await self._obstore.delete_async(self._store, path)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise

    async def _names(self, after: str | None) -> list[str]:
        async for page in self._obstore.list(self._store, offset=after, chunk_size=_PAGE):
            return [str(one["path"]) for one in page]
        return []

    async def _call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Under the policy. What the server refuses is an answer, and no reason to ask again."""

        async def attempt() -> T:
            try:
                return await operation()
            except (FileNotFoundError, PermissionError) as error:
                raise DocumentStoreUnavailable(self._why(error)) from error
            except self._exceptions.BaseError as error:
                refusals = (self._exceptions.PermissionDeniedError, self._exceptions.UnauthenticatedError)
                if isinstance(error, refusals):
                    raise DocumentStoreUnavailable(self._why(error)) from error
                raise TransientFault(_first_line(error)) from error

        try:
            return await self.policy.call(attempt)
        except DependencyUnavailable as error:
            raise DocumentStoreUnavailable(f"bucket {self._bucket.name}: {error.cause}") from error

    def _why(self, error: Exception) -> str:
        if isinstance(error, FileNotFoundError):
            return f"there is no bucket {self._bucket.name}"
        return f"bucket {self._bucket.name}: the server refuses it: {_first_line(error)}"


class _NoConditions(Exception):
    """The server does not know conditional writes."""


def _store(bucket: Bucket, timeout: float) -> Any:
    from obstore.store import S3Store

    config: Any = {"region": bucket.region, "conditional_put": "etag"}
    if bucket.endpoint:
        config["endpoint"] = bucket.endpoint
    if bucket.access_key_id:
        config |= {"access_key_id": bucket.access_key_id, "secret_access_key": bucket.secret_access_key}
    # The policy repeats calls, and gives each attempt its time; the client's own is beyond that.
    client: Any = {"timeout": f"{timeout + 1:g}s", "connect_timeout": f"{timeout + 1:g}s"}
    if bucket.endpoint.startswith("http://"):
        client["allow_http"] = "true"
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        config=config,
        client_options=client,
        retry_config={"max_retries": 0},
    )


def _first_line(error: Exception) -> str:
    """Without the dump of what is in the exception, which follows on further lines."""
    return str(error).strip().partition("\n")[0][:300]
