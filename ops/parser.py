"""The command line of `eventfold`: every sub-command, and what is said about them."""

import argparse

from infrastructure.version import installed_version
from ops import load, log_level, version
from ops.audit import commands as audit
from ops.catalogue import commands as catalogue
from ops.consumers import commands as consumers
from ops.dead_letters import commands as dead_letters
from ops.demo import command as demo
from ops.doctor import command as doctor
from ops.documents import commands as documents
from ops.inbox import commands as inbox
from ops.payments import commands as payments
from ops.privacy import commands as privacy
from ops.relay import commands as relay
from ops.sagas import commands as sagas
from ops.stack import services, up
from ops.status import command as status
from ops.tokens import commands as tokens
from ops.views import commands as views

DESCRIPTION = """\
Eventfold on one machine: commands in over HTTP, events in the event store, views out over HTTP.

  eventfold up             every service, until Ctrl-C
  eventfold demo           the whole loop on retail baskets, with crashes, checked to the cent
  eventfold status         what runs, how far each view is, what is parked; --watch shows it live
  eventfold doctor         what is wrong between the log and what was built from it, and what mends it
  eventfold views          list, rebuild, divide and verify the views
  eventfold dead-letters   events that a consumer of the log could not process
  eventfold payments       compare the payments with the provider's list
  eventfold audit          sign the log, verify that it is as it was written, export proofs
  eventfold sagas          processes under way, and those that wait for an operator
  eventfold log-level      how much the services log, while they run
  eventfold token          a token for somebody, which requests need
  eventfold documents      an authority for development; verify the signatures of a contract
  eventfold privacy        forget a customer, export what is held of one, change the master key
  eventfold relay          what is published to whom: list, pause, resume, publish again, remove
  eventfold inbox          what comes from other systems: sources, one message, dead letters
  eventfold catalogue      every event, who writes and who follows it
  eventfold check          whether a change of the events breaks somebody who relies on them
"""

EPILOG = """\
Services read their settings from environment variables EVENTFOLD_*; see the README for the list.
Exit status: 0 done, 1 failed (the message says why), 2 wrong usage, 130 interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="eventfold",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"eventfold {installed_version()}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    keeping = (audit, documents, privacy, catalogue, relay, inbox)
    looking = (status, doctor, views, dead_letters, payments, sagas, *keeping, log_level)
    for module in (up, demo, load, *looking, tokens, services, consumers, version):
        module.add_parser(commands)
    return parser
