"""Who makes a call: Basic credentials in the `authorization` metadata, checked against the users file."""

import asyncio
import base64
import hashlib
import logging
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from embedded.event_store_node.protocol import errors
from embedded.event_store_node.security import passwords, users
from embedded.event_store_node.security.security import SecurityError
from embedded.event_store_node.security.users import User

logger = logging.getLogger(__name__)

_MAX_KNOWN = 1000
# Beyond this many passwords to be checked, 50 ms each, callers are turned away: they would wait too long.
_MAX_WAITING = 100


class Authenticator:
    """
    Tells users by their credentials. Credentials that proved right are remembered (as digests), so that the slow
    hash is not computed for each call. The users file is read again whenever it changes.

    Raises:
        SecurityError: the users file cannot be used.
    """

    def __init__(self, users_file: Path) -> None:
        self._file = users_file
        self._version = self._file_version()
        self._accounts = users.load(users_file)
        # Checked for a user that does not exist, so that the answer takes as long as for one that does.
        self._nobody = passwords.hash_password(secrets.token_hex())
        self._digest_key = secrets.token_bytes(32)
        self._known: dict[bytes, User] = {}
        self._under_way: dict[bytes, asyncio.Future[User | None]] = {}
        # One at a time: guessing passwords must not take the processor from everybody else.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="passwords")

    async def user(self, metadata: Iterable[tuple[str, str | bytes]]) -> User | None:
        """
        The user that a call's metadata names; None when it names nobody.

        Raises:
            RpcError: UNAUTHENTICATED, when the user is unknown, the password is wrong or the header malformed;
                UNAVAILABLE, when too many others are being checked.
        """
        headers = [value for key, value in metadata if key == "authorization"]
        if len(headers) != 1:
            return None
        header = headers[0].encode() if isinstance(headers[0], str) else headers[0]
        if not header.startswith(b"Basic "):
            return None
        self._read_changes()
        key = hashlib.blake2b(header, key=self._digest_key, digest_size=32).digest()
        user = self._known.get(key) or await self._checked(key, header)
        if user is None:
            raise errors.unauthenticated()
        return user

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _checked(self, key: bytes, header: bytes) -> User | None:
        check = self._under_way.get(key)
        if check is None:
            if len(self._under_way) >= _MAX_WAITING:
                raise errors.unavailable("too many passwords are being checked")
            check = self._under_way[key] = asyncio.ensure_future(self._check(key, header))
            check.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(check)

    async def _check(self, key: bytes, header: bytes) -> User | None:
        credentials = _credentials(header)
        if credentials is None:
            return None
        name, password = credentials
        accounts = self._accounts
        account = accounts.get(name)
        is_right = await asyncio.get_running_loop().run_in_executor(
            self._executor, passwords.matches, password, account.password_hash if account else self._nobody
        )
        if account is None or not is_right:
            return None
        user = account.user(name)
        if accounts is self._accounts:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = user
        return user

    def _read_changes(self) -> None:
        version = self._file_version()
        if version == self._version:
            return
        self._version = version
        try:
            self._accounts = users.load(self._file)
        except SecurityError as error:
            logger.error("The users stay as they were: %s", error)
        self._known.clear()

    def _file_version(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_size, status.st_ino)


def _credentials(header: bytes) -> tuple[str, str] | None:
    try:
        text = base64.b64decode(header[len(b"Basic ") :].strip(), validate=True).decode()
    except ValueError:
        return None
    name, separator, password = text.partition(":")
    return (name, password) if separator else None
