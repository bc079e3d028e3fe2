"""`eventfold privacy …`: forget, export, give-up-key, reapply, rotate-master-key."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import CommandFailed
from ops.locations import command_api_address, with_own_keys, with_own_stores
from ops.options import add_data_dir, count, settings

if TYPE_CHECKING:
    from infrastructure.settings import Settings

FORGET = """\
Have everything personal about a customer erased. The customer is forgotten at once: views show nothing personal any
more, and no mail goes out. Then the consumer `erasing` destroys the key, so that nobody can read any more what the log
holds, nor a backup of it. That goes on by itself, whatever is stopped or killed; this command waits until it is
recorded. It may be repeated.

A backup of the key store has the key still: see docs/personal-data.md.
"""

EXPORT = """\
Print, as JSON, all that is held of a customer: the events that concern the customer or the customer's orders, with what
is personal in clear, the views' documents, and what consumers remember. The whole log is read.
"""

REAPPLY = """\
After a key store was restored from a backup, which may have keys that were destroyed since: destroy every key again
that the log says was destroyed. Run it before the services start on the restored store. The whole log is read; it may
be repeated, and changes nothing where nothing came back.
"""

GIVE_UP = """\
For a key that the key store has lost, for instance because an older backup was restored: consumers wait for it,
because it may come back. This says that it won't: what is encrypted with it is redacted for good. Nothing can take that
back.
"""

ROTATE = """\
Make a new master key, and wrap every key of personal data by it. Whatever is cut off, run it again: until then both
master keys are good. The one before stays in the file until the next rotation, because a process may wrap a key by it
at this very moment. Services notice the new file by themselves.
"""


def add_parser(commands: Any) -> None:
    """Add `privacy` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "privacy",
        help="personal data: forget, export, give-up-key, reapply, rotate-master-key",
        description="Personal data of customers.",
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    forget = _action(actions, "forget", "erase everything personal about a customer", FORGET, run_forget)
    forget.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    forget.add_argument(
        "--wait",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the key's destruction (default: 60)",
    )
    forget.add_argument(
        "--command-api", metavar="URL", help="the command API (default: that of --data-dir, else as set)"
    )
    export = _action(actions, "export", "all that is held of a customer", EXPORT, run_export)
    export.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    _action(actions, "reapply", "destroy again the keys that a restored key store has", REAPPLY, run_reapply)
    give_up = _action(actions, "give-up-key", "have a lost key count as destroyed", GIVE_UP, run_give_up)
    give_up.add_argument("customer", metavar="CUSTOMER", help="whose key is lost")
    give_up.add_argument("generation", type=count, metavar="GENERATION", help="up to which, as the error says")
    give_up.add_argument("--kind", default="customer", help="the kind of person (default: customer)")
    rotate = _action(actions, "rotate-master-key", "change the master key for a new one", ROTATE, run_rotate)
    choice = rotate.add_mutually_exclusive_group()
    choice.add_argument(
        "--finish", action="store_true", help="make no new key: wrap by the first of the file what is left"
    )
    choice.add_argument(
        "--drop-older",
        action="store_true",
        help="make no new key: take those before out of the file. Only when every process has read the new file",
    )


def _action(actions: Any, name: str, what: str, description: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=what, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.set_defaults(run=run)
    return parser


def run_forget(args: argparse.Namespace) -> int:
    """Forget a customer; 0 once the key is destroyed."""
    from ops.output import keep_logs_apart, output
    from ops.privacy.forgetting import forget

    keep_logs_apart()
    console = output()
    address = command_api_address(args)
    chosen = _settings(args).changed(commands_url=address.url)
    _run(forget(args.customer, chosen, address.tokens, args.wait, lambda line: console.print(line, markup=False)))
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Print all that is held of a customer."""
    import msgspec

    from ops.output import keep_logs_apart
    from ops.privacy.export import export

    keep_logs_apart()
    held = _run(export(args.customer, _settings(args)))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(held)).decode() + "\n")
    return 0


def run_rotate(args: argparse.Namespace) -> int:
    """Change the master key."""
    from ops.output import keep_logs_apart, output

    keep_logs_apart()
    console = output()
    _run(_rotate(args, lambda line: console.print(line, markup=False)))
    return 0


def run_reapply(args: argparse.Namespace) -> int:
    """Destroy again what the log says was destroyed."""
    from ops.output import keep_logs_apart, output

    keep_logs_apart()
    console = output()
    _run(_reapply(args, lambda line: console.print(line, markup=False)))
    return 0


def run_give_up(args: argparse.Namespace) -> int:
    """Have a lost key count as destroyed."""
    from infrastructure.personal_data import personal_keys
    from ops.output import keep_logs_apart, output

    keep_logs_apart()

    async def give_up() -> None:
        keys = personal_keys(_settings(args))
        try:
            await keys.destroy(f"{args.kind}/{args.customer}", args.generation)
        finally:
            await keys.close()

    _run(give_up())
    output().print(f"keys 1 to {args.generation} of {args.kind}/{args.customer} count as destroyed", markup=False)
    return 0


async def _reapply(args: argparse.Namespace, report: Any) -> None:
    from application import APPLICATION
    from infrastructure.event_codec import EventCodec
    from infrastructure.event_store import EventStore
    from infrastructure.personal_data import personal_keys
    from ops.privacy.reapplying import reapply

    chosen = _settings(args)
    log, keys = EventStore.from_settings(chosen), personal_keys(chosen)
    try:
        await reapply(log, EventCodec(APPLICATION.aggregates, APPLICATION.processes, keys), keys, report)
    finally:
        await log.close()
        await keys.close()


async def _rotate(args: argparse.Namespace, report: Any) -> None:
    from infrastructure.personal_data import MasterKeys, key_store
    from infrastructure.personal_data.rotation import drop_older, finish, rotate

    chosen = _settings(args)
    if not chosen.personal_data.key_store or not chosen.personal_data.master_key_file:
        raise CommandFailed(
            "no key store and master key are known",
            "EVENTFOLD_KEY_STORE and EVENTFOLD_MASTER_KEY_FILE name them, or --data-dir that of `eventfold up`",
        )
    store, masters = key_store(chosen), MasterKeys(Path(chosen.personal_data.master_key_file))
    work = finish if args.finish else drop_older if args.drop_older else rotate
    try:
        await work(store, masters, report)
    except OSError as error:
        raise CommandFailed(f"{masters.path} can't be written: {error}") from error
    finally:
        await store.close()


def _settings(args: argparse.Namespace) -> "Settings":
    data_dir = Path(args.data_dir)
    return with_own_keys(data_dir, with_own_stores(data_dir, settings()))


def _run(work: Any) -> Any:
    from infrastructure.event_store import EventStoreUnavailable
    from infrastructure.personal_data import KeyStoreUnavailable
    from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
    from infrastructure.resilience import DependencyUnavailable
    from infrastructure.settings import InvalidSettings

    try:
        return asyncio.run(work)
    except KeyStoreUnavailable as error:
        raise CommandFailed(f"the key store can't be used: {error.cause}") from error
    except EventStoreUnavailable as error:
        raise CommandFailed(
            f"the event store can't be reached: {error}", "eventfold up, or set EVENTFOLD_EVENTSTORE_URI"
        ) from error
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        raise CommandFailed(f"the read store can't be read: {error}", "EVENTFOLD_MONGO_URI names it") from error
    except DependencyUnavailable as error:
        raise CommandFailed(
            f"the command API can't be reached: {error.cause}", "eventfold up, or --command-api URL"
        ) from error
    except InvalidSettings as error:
        raise CommandFailed(str(error)) from error


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 3600")
    return value
