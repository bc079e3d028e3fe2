"""`eventfold documents encrypt` and `forget`: what becomes of documents that are kept."""

import argparse

from ops.documents.stores import documents_of, run
from ops.errors import EXIT_FAILED, CommandFailed
from ops.locations import stack_settings

ENCRYPT = """\
Encrypt the documents that releases before encryption kept in clear, each with the key of its customer (or contract, as
EVENTFOLD_DOCUMENT_KEY_OF says). Those of customers who are forgotten are removed. Services may run meanwhile; it may be
repeated. Exit status 1 where a document was altered: it is named, and left as it is.

What a file system, a bucket with versions, or a backup keeps of what was overwritten is not reached by this.
"""

FORGET = """\
Destroy the key of a contract's own, where EVENTFOLD_DOCUMENT_KEY_OF=contract has documents encrypted with one: nobody
can read the contract, or its certificate of completion, any more, in no backup either. Nothing can take that back. With
EVENTFOLD_DOCUMENT_KEY_OF=customer, `eventfold privacy forget` does that.
"""


def encrypt(args: argparse.Namespace) -> int:
    """Encrypt what is kept in clear."""
    from application.contracts.subjects import subjects
    from infrastructure.event_store import EventStore
    from ops.documents.encrypting import encrypt_all
    from ops.output import keep_logs_apart, output

    keep_logs_apart()
    console, chosen = output(), stack_settings(args)
    documents = documents_of(chosen)

    async def work() -> bool:
        log = EventStore.from_settings(chosen)
        try:
            return await encrypt_all(
                log,
                documents,
                subjects(chosen),
                remove_unknown=args.remove_unknown,
                report=lambda line: console.print(line, markup=False),
            )
        finally:
            await log.close()
            await documents.close()

    return 0 if run(work()) else EXIT_FAILED


def forget(args: argparse.Namespace) -> int:
    """Destroy a contract's own key."""
    from application.contracts.subjects import contract_subject
    from infrastructure.personal_data import personal_keys
    from ops.output import keep_logs_apart, output

    keep_logs_apart()
    chosen, subject = stack_settings(args), contract_subject(args.order)

    async def work() -> int:
        keys = personal_keys(chosen)
        try:
            generation = await keys.current(subject)
            await keys.destroy(subject, generation)
            return generation
        finally:
            await keys.close()

    if not run(work()):
        raise CommandFailed(
            f"the contract of order {args.order} has no key of its own",
            "EVENTFOLD_DOCUMENT_KEY_OF=contract gives contracts one; else `eventfold privacy forget CUSTOMER`",
        )
    output().print(
        f"the key of the contract of order {args.order} is destroyed: its documents can't be read", markup=False
    )
    return 0
