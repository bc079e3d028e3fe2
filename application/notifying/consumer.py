"""The consumer `notifying`: each event that concerns a customer becomes a mail, once, as far as SMTP allows.

For each mail the notifications of its order are asked first: what was sent is not sent again. Then the mail is handed
over, and that is recorded. Between those two a crash, or a server that took the mail without our hearing of it, makes
the mail go out a second time: with the same Message-ID and the same bytes, so that a mailbox can drop it.

It goes to the mail address of the customer's own events, which come in one sequence with the orders'; a customer who
was forgotten gets no mail.
"""

import os
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from msgspec import Struct
from prometheus_client import Counter

from application.notifying.links import SigningLinks, signing_links
from application.notifying.messages import MESSAGES, Message
from application.notifying.recipients import REMEMBERED, Recipients
from domain.documents.events import ContractEvent
from domain.model.recorded_event import RecordedEvent
from infrastructure.clock import now_millis
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandAnswer, CommandClient, CommandSender
from infrastructure.outside.mail import Mail, Mailer, MailRefused
from infrastructure.outside.mail.message import message_id, without_address
from infrastructure.outside.mail.smtp import SmtpMailer
from infrastructure.outside.mail.template import MailTemplate
from infrastructure.read_store import ReadStore
from infrastructure.resilience import DependencyUnavailable, Policy, backoff
from infrastructure.settings import load_settings
from infrastructure.telemetry.spans import note
from subscriptions.attempts import Attempts
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_side_by_side
from subscriptions.store.retrying_store import Delays

log = structlog.get_logger(__name__)

_TOLD = Counter(
    "eventfold_notifications",
    "Events that concern a customer, by outcome: sent, sent_before, refused, too_old, forgotten",
    ["kind", "outcome"],
)
for _message in MESSAGES.values():
    for _outcome in ("sent", "sent_before", "refused", "too_old"):
        _TOLD.labels(_message.kind, _outcome)

PLURAL = "notifications"
_MAX_REASON = 500

AddressBook = Callable[[str], str]
"""The mail address of a customer who was never registered, by the customer's id."""


class NotificationRefused(Exception):
    """The record of an order's notifications refuses what it must take; the message says what and why."""


def at_domain(domain: str) -> AddressBook:
    """Each customer has a mailbox of the name of its id at that domain."""
    return lambda customer_id: f"{customer_id}@{domain}"


class Notifying(Consumer):
    """Sends mails from the address `sender` through `mailer`, and records by `commands` what was sent and what could
    not be: `at_once` customers side by side, each customer's events in order. It writes to where `recipients` says,
    else to what `address_of` gives.

    While the mail server or the command API is away, nothing is parked, and the batch comes again. A mail that alone
    gets no answer for `patience` seconds, while others do, is parked with what follows it for its customer. What was
    recorded more than `max_age` seconds ago is told to nobody any more, so that one who follows an old log for the
    first time, or anew, does not write to everybody about what is long over. With `links`, a mail that asks for a
    signature has one to give it by. Pauses between attempts are in seconds. `closers` are called at the end.
    """

    name = "notifying"
    version = 2
    events: frozenset[type[Struct]] = frozenset(MESSAGES) | REMEMBERED

    def __init__(
        self,
        commands: CommandSender,
        mailer: Mailer,
        recipients: Recipients,
        address_of: AddressBook,
        sender: str,
        *,
        at_once: int = 8,
        max_age: float = 604_800.0,
        links: SigningLinks | None = None,
        patience: float = 30.0,
        delays: Delays = backoff,
        now: Callable[[], int] = now_millis,
        closers: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._commands = commands
        self._mailer = mailer
        self._recipients = recipients
        self._address_of = address_of
        self._sender = sender
        self._at_once = at_once
        self._max_age = max_age
        self._links = links
        self._delays = delays
        self._now = now
        self._closers = closers
        self._attempts = Attempts(patience=patience)

    def keys(self, event: Any) -> tuple[str, ...]:
        """The customer."""
        return (event.customer_id,)

    async def prepare(self) -> None:
        """What it needs to remember is where mails go; the rest is in the notifications."""
        await self._recipients.prepare()

    async def take(self, batch: Batch) -> None:
        """Tells what there is to tell."""
        await take_side_by_side(batch, self._handle, at_once=self._at_once, delays=self._delays)

    def outside(self) -> Sequence[Policy]:
        """Of the mail server and the command API."""
        called = (self._mailer, self._commands)
        return [one.policy for one in called if isinstance(one, SmtpMailer | CommandClient)]

    async def close(self) -> None:
        for close in self._closers:
            await close()

    async def _handle(self, recorded: RecordedEvent[Any], customer_id: str) -> None:
        if type(recorded.event) in REMEMBERED:
            await self._recipients.remember(recorded)
            return
        # Not the position alone: the log may be another one by now, restored from an older backup.
        event = (recorded.stream, recorded.revision, recorded.position, recorded.recorded_at)
        if self._attempts.is_done(event):
            return
        try:
            outcome = await self._tell(recorded, customer_id)
        except DependencyUnavailable as error:
            self._attempts.failed(event, error)
            raise
        kind = MESSAGES[type(recorded.event)].kind
        _TOLD.labels(kind, outcome).inc()
        note({"eventfold.notification": kind, "eventfold.notification.outcome": outcome})
        self._attempts.done(event, by_the_dependency=outcome in ("sent", "refused"))

    async def _tell(self, recorded: RecordedEvent[Any], customer_id: str) -> str:
        """How it ended, as in the metric."""
        event, message = recorded.event, MESSAGES[type(recorded.event)]
        order_id = event.order_id
        if self._now() - recorded.recorded_at > self._max_age * 1000:
            return "too_old"
        known = await self._recipients.of(customer_id)
        recipient = self._address_of(customer_id) if known is None else known.email
        if recipient is None:
            return "forgotten"
        chain = _chain(event)
        if not await self._is_due(order_id, message, customer_id, recipient, chain):
            return "sent_before"
        try:
            await self._mailer.send(_mail(event, message, order_id, recipient, self._links))
        except MailRefused as error:
            why = without_address(recipient, str(error))
            log.warning("a mail was refused", order_id=order_id, notification=message.kind, error=why)
            body = {"kind": message.kind, "reason": _printable(why) or "refused without a reason"}
            await self._record(order_id, "record-failure", body, chain)
            return "refused"
        reference = message_id(_key(order_id, message), self._sender)
        await self._record(order_id, "record-sent", {"kind": message.kind, "reference": reference}, chain)
        return "sent"

    async def _is_due(
        self, order_id: str, message: Message, customer_id: str, recipient: str, chain: str | None
    ) -> bool:
        """Asks for the notification: False when it was sent already."""
        body = {
            "kind": message.kind,
            "customer_id": customer_id,
            "channel": "mail",
            "recipient": recipient,
            "template": _template(message, self._links).name,
        }
        answer = await self._send(order_id, "request", body, chain)
        if answer.accepted or answer.code == "notification-is-requested":
            return True  # in the second case it is not known whether an earlier attempt went out
        if answer.code == "notification-is-sent":
            return False
        raise NotificationRefused(f"request of {message.kind} for order {order_id}: {answer.code}: {answer.detail}")

    async def _record(self, order_id: str, action: str, body: dict[str, str], chain: str | None) -> None:
        answer = await self._send(order_id, action, body, chain)
        # Somebody else who handled the same event may have been quicker.
        if not answer.accepted and answer.code not in ("notification-is-sent", "notification-is-failed"):
            raise NotificationRefused(
                f"{action} of {body['kind']} for order {order_id}: {answer.code}: {answer.detail}"
            )

    async def _send(self, order_id: str, action: str, body: dict[str, str], chain: str | None) -> CommandAnswer:
        # A key of its own each time: the state of the notification decides, and its answer must be the present one.
        key = str(uuid.uuid4())
        return await self._commands.send(PLURAL, order_id, action, body, key=key, correlation_id=chain)


def _chain(event: Any) -> str | None:
    """The correlation id of the contract's steps, of which a mail about it is one; of other mails none is known."""
    return f"contract-{event.order_id}" if isinstance(event, ContractEvent) else None


def _key(order_id: str, message: Message) -> str:
    return f"{order_id}/{message.kind}"


def _template(message: Message, links: SigningLinks | None) -> MailTemplate:
    return message.template if links is None or message.by_link is None else message.by_link


def _mail(event: Any, message: Message, order_id: str, recipient: str, links: SigningLinks | None) -> Mail:
    template = _template(message, links)
    by_link = {"link": links.of(event)} if links is not None and template is message.by_link else {}
    text = template.render(message.values(event), by_link)
    return Mail(_key(order_id, message), recipient, text.subject, text.text, text.html, message.at(event))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text).strip()[:_MAX_REASON]


def notifying(store: ReadStore, calls: Calls) -> Notifying:
    """The consumer over the mail server and the command API that the settings name."""
    settings = load_settings(os.environ)
    commands = CommandClient.from_settings(settings, Notifying.name, calls=calls)
    mailer = SmtpMailer.from_settings(settings)
    return Notifying(
        commands,
        mailer,
        Recipients(store),
        at_domain(settings.mail.customer_domain),
        settings.mail.sender,
        at_once=settings.mail.concurrency,
        max_age=settings.mail.max_age,
        links=signing_links(settings),
        closers=(mailer.close, commands.close),
    )
