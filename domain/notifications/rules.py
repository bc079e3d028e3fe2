"""Which commands can be valid at all, whatever was sent before. Every fault is reported, not only the first."""

from domain.model.command_context import CommandContext
from domain.model.errors import Fault, InvalidCommand
from domain.model.identifiers import identifier_faults, text_faults
from domain.notifications.commands import (
    CHANNELS,
    MAX_ATTEMPTS,
    MAX_REASON_LENGTH,
    MAX_RECIPIENT_LENGTH,
    MAX_REFERENCE_LENGTH,
    NotificationCommand,
    RecordSendFailure,
    RecordSent,
    RequestNotification,
)


def check(command: NotificationCommand, context: CommandContext) -> None:
    """Raises InvalidCommand with every fault of the command, or of the order's id."""
    faults = identifier_faults(context.aggregate_id, "/notification_id") + identifier_faults(command.kind, "/kind")
    match command:
        case RequestNotification():
            faults += identifier_faults(command.customer_id, "/customer_id")
            if command.channel not in CHANNELS:
                detail = f"must be one of {', '.join(CHANNELS)}, not {command.channel[:20]!r}"
                faults.append(Fault("/channel", detail))
            faults += text_faults(command.recipient, "/recipient", MAX_RECIPIENT_LENGTH)
            faults += identifier_faults(command.template, "/template")
        case RecordSent():
            faults += text_faults(command.reference, "/reference", MAX_REFERENCE_LENGTH)
            faults += _attempts_faults(command.attempts)
        case RecordSendFailure():
            faults += text_faults(command.reason, "/reason", MAX_REASON_LENGTH)
            faults += _attempts_faults(command.attempts)
    if faults:
        raise InvalidCommand(faults)


def _attempts_faults(attempts: int) -> list[Fault]:
    if 1 <= attempts <= MAX_ATTEMPTS:
        return []
    return [Fault("/attempts", f"must be 1 to {MAX_ATTEMPTS}, not {attempts}")]
