"""The keys of persons as the event codec asks for them: unwrapped, those to decrypt with cached for a while.

A key that was destroyed elsewhere is used here for `ttl` seconds more at most. What is encrypted is encrypted with a
key that was just looked up; a new one is used only after it was read back, so that of several who make one at once all
use the one that is stored.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

from prometheus_client import Counter

from infrastructure.personal_data.key_store import KeyId, KeyRecord, KeyStore, KeyStoreUnavailable, WrongMasterKey
from infrastructure.personal_data.master_keys import DamagedKey, MasterKeys
from infrastructure.personal_data.sealing import SealingKey

_LOOKUPS = Counter("eventfold_personal_keys", "Keys of persons, by where they were found: cache, store", ["source"])
_FROM_CACHE, _FROM_STORE = _LOOKUPS.labels("cache"), _LOOKUPS.labels("store")

_SECRET_BYTES = 32


class PersonalKeys:
    """Over a key store and the master keys. `ttl` is in seconds, `clock` never goes back; `capacity` keys are cached.

    Every method raises KeyStoreUnavailable; so does one that meets a key which the store does not have, or can't be
    unwrapped: what needs it waits until somebody has seen to that.
    """

    def __init__(
        self,
        store: KeyStore,
        masters: MasterKeys | None,
        *,
        ttl: float = 5.0,
        capacity: int = 10_000,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.store = store
        self._masters = masters
        self._ttl = ttl
        self._capacity = capacity
        self._clock = clock
        self._cached: OrderedDict[KeyId, tuple[float, bytes | None]] = OrderedDict()
        self._is_checked = False

    @property
    def is_set(self) -> bool:
        """Whether there is a key store."""
        return self._masters is not None

    async def to_open(self, wanted: Iterable[KeyId]) -> Mapping[KeyId, bytes | None]:
        """Each key, None where it was destroyed."""
        now, keys, missing = self._clock(), dict[KeyId, bytes | None](), dict[KeyId, None]()
        for key in wanted:
            cached = self._cached.get(key)
            # What was destroyed stays destroyed.
            if cached is not None and (cached[1] is None or cached[0] > now):
                keys[key] = cached[1]
            else:
                missing[key] = None
        _FROM_CACHE.inc(len(keys))
        if missing:
            found = await self.store.load(missing)
            _FROM_STORE.inc(len(missing))
            for key in missing:
                if key not in found:
                    raise KeyStoreUnavailable(
                        f"it has no key {key.generation} of {key.subject}, and never had: it is not the key store of "
                        "this log, or has lost keys (docs/personal-data.md)"
                    )
                keys[key] = self._secret(found[key])
                self._cache(key, now + self._ttl, keys[key])
        return keys

    async def to_seal(self, subjects: Mapping[str, bool]) -> Mapping[str, SealingKey]:
        """What encrypts each person's fields now. Who has no key yet gets one; who is forgotten only where the value in
        `subjects` says that a new key begins."""
        return {subject: await self._sealing(subject, begins) for subject, begins in subjects.items()}

    async def _sealing(self, subject: str, begins: bool) -> SealingKey:
        newest = await self.store.newest(subject)
        if newest is not None and newest.is_destroyed and not begins:
            return SealingKey(newest.id, None)
        generation = 1 if newest is None else newest.id.generation
        while newest is None or newest.is_destroyed:
            if newest is not None:
                generation += 1
            fresh = self._require_masters().wrap(KeyId(subject, generation), secrets.token_bytes(_SECRET_BYTES))
            newest = await self.store.create(fresh)
            if newest.is_destroyed and not begins:
                return SealingKey(newest.id, None)
        return SealingKey(newest.id, self._secret(newest))

    async def current(self, subject: str) -> int:
        """The generation of the person's newest key, destroyed or not; 0 where there never was one."""
        newest = await self.store.newest(subject)
        return 0 if newest is None else newest.id.generation

    async def destroy(self, subject: str, generation: int) -> None:
        """Destroys the person's keys up to that generation, for good."""
        if generation > 0:
            await self.store.destroy(subject, generation)
        for key in [one for one in self._cached if one.subject == subject and one.generation <= generation]:
            del self._cached[key]

    async def check(self) -> None:
        """Raises WrongMasterKey where the store has keys that we have no master key for."""
        if self._is_checked:
            return
        known = [one.id for one in self._require_masters().all()]
        foreign = await self.store.foreign(known)
        if foreign:
            raise WrongMasterKey(
                f"{foreign} keys of the key store are wrapped by a master key that is not in "
                f"{self._require_masters().path} (which has {', '.join(known)})"
            )
        self._is_checked = True

    async def ping(self) -> None:
        """Whether keys can be looked up: for /health/ready."""
        await self.check()
        await self.store.ping()

    async def close(self) -> None:
        await self.store.close()

    def _require_masters(self) -> MasterKeys:
        if self._masters is None:
            raise KeyStoreUnavailable("no master key is set: EVENTFOLD_MASTER_KEY_FILE names its file")
        return self._masters

    def _secret(self, record: KeyRecord) -> bytes | None:
        if record.is_destroyed:
            return None
        try:
            return self._require_masters().unwrap(record)
        except DamagedKey as error:
            raise KeyStoreUnavailable(str(error)) from error

    def _cache(self, key: KeyId, until: float, secret: bytes | None) -> None:
        self._cached[key] = until, secret
        self._cached.move_to_end(key)
        while len(self._cached) > self._capacity:
            self._cached.popitem(last=False)
