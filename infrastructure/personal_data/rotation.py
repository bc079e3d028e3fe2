"""The master key changed for a new one, step by step: whatever is cut off goes on when it is called again.

The key before stays in the file until the next rotation: a process that had read the file before may still wrap a key
with it at this moment.
"""

from collections.abc import Callable

from infrastructure.personal_data.key_store import KeyStore
from infrastructure.personal_data.master_keys import (
    DamagedKey,
    MasterKeys,
    new_master_key,
    wrap,
    write_master_keys,
)

Report = Callable[[str], None]


async def rotate(store: KeyStore, masters: MasterKeys, report: Report) -> None:
    """Every key is wrapped by a new master key in the end. Raises KeyStoreUnavailable, and OSError where the file can't
    be written; what was done by then is good."""
    keys = masters.all()
    if len(keys) > 1:
        # An earlier rotation was cut off, or left its key before behind.
        report(f"wrapping by {keys[0].id} what is still wrapped by a key before it: {await rewrap(store, masters)}")
    if len(keys) > 1 and await store.foreign([keys[0].id]) == 0:
        write_master_keys(masters.path, keys[:1])
        report(f"removed from {masters.path}: {', '.join(one.id for one in keys[1:])}")
    newest = new_master_key()
    write_master_keys(masters.path, (newest, *masters.all()))
    report(f"a new master key stands first in {masters.path}: {newest.id}")
    report(f"keys wrapped anew: {await rewrap(store, masters)}")
    report("the key before stays in the file until the next rotation")


async def finish(store: KeyStore, masters: MasterKeys, report: Report) -> None:
    """Wraps what is left by the first key of the file, and makes no new one. Raises as `rotate`."""
    report(f"keys wrapped anew: {await rewrap(store, masters)}")


async def drop_older(store: KeyStore, masters: MasterKeys, report: Report) -> None:
    """Takes all but the first key out of the file, once they wrap nothing any more. Raises as `rotate`."""
    report(f"keys wrapped anew: {await rewrap(store, masters)}")
    keys = masters.all()
    write_master_keys(masters.path, keys[:1])
    report(f"removed from {masters.path}: {', '.join(one.id for one in keys[1:]) or 'nothing'}")


async def rewrap(store: KeyStore, masters: MasterKeys) -> int:
    """Wraps every key by the first master key that is wrapped by another one; gives how many."""
    done, changed = 0, True
    while changed:
        changed = False
        first = masters.all()[0]
        async for record in store.scan():
            if record.is_destroyed or record.master == first.id:
                continue
            try:
                secret = masters.unwrap(record)
            except DamagedKey:
                continue  # nobody can use it; `foreign` keeps its master key in the file
            if await store.replace(record, wrap(first, record.id, secret)):
                done, changed = done + 1, True
    return done
