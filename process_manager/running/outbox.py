"""Carries out the commands of instances: each is sent until its answer is known for certain, and that is recorded."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import structlog

from domain.model.process_events import CommandAnswered
from infrastructure.clock import utc_now
from infrastructure.event_store import EventStoreUnavailable, StreamDeleted
from infrastructure.resilience import backoff
from process_manager import metrics
from process_manager.instances.instance import Instance, SentCommand
from process_manager.instances.reaction import answer_to, without_answer
from process_manager.running.reactor import Reactor
from process_manager.running.sender import CommandAnswer, CommandSender
from process_manager.running.spans import step_span

log = structlog.get_logger(__name__)

Delays = Callable[[], Iterator[float]]


class Outbox:
    """Of one process. At most `concurrency` commands are under way at a time; one that waits to be sent again is none.

    `patience` is in seconds: after how long without any answer a compensation counts as failed.
    """

    def __init__(
        self, sender: CommandSender, reactor: Reactor, *, concurrency: int, patience: float, delays: Delays = backoff
    ) -> None:
        self._sender = sender
        self._reactor = reactor
        self._places = asyncio.Semaphore(concurrency)
        self._patience = patience
        self._delays = delays
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._instances: dict[str, int] = {}

    def follow(self, instance: Instance) -> None:
        """Sends what the instance has issued and is not under way yet."""
        for sent in instance.open_commands:
            key = (sent.issued.command, sent.answers)
            if key not in self._tasks:
                self._instances[instance.id] = self._instances.get(instance.id, 0) + 1
                task = asyncio.create_task(self._carry_out(instance, SentCommand(sent.issued, sent.answers)))
                self._tasks[key] = task
                task.add_done_callback(partial(self._done, key, instance.id))

    def follows(self, instance_id: str) -> bool:
        """Whether a command of the instance is under way here."""
        return instance_id in self._instances

    def stop(self) -> None:
        """Ends what is under way; it is sent again by whoever has the instance next."""
        for task in self._tasks.values():
            task.cancel()

    async def close(self) -> None:
        """As `stop`, and waits for the end."""
        self.stop()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _done(self, key: tuple[str, int], instance_id: str, _task: object) -> None:
        self._tasks.pop(key, None)
        left = self._instances.pop(instance_id, 1) - 1
        if left:
            self._instances[instance_id] = left

    async def _carry_out(self, instance: Instance, sent: SentCommand) -> None:
        # It runs in a task of its own: whatever is logged here is about this instance.
        structlog.contextvars.bind_contextvars(
            process=instance.process.name, instance=instance.id, correlation_id=instance.correlation_id or None
        )
        with step_span(instance, sent.issued) as span:
            answered = await self._answered(instance, sent)
            span.set_attributes({"eventfold.accepted": answered.accepted, "eventfold.attempts": answered.attempts})
            if answered.code:
                span.set_attribute("eventfold.code", answered.code)
            self._count(instance, sent, answered)
            await self._record(instance.id, answered)

    def _count(self, instance: Instance, sent: SentCommand, answered: CommandAnswered) -> None:
        process, issued = instance.process.name, sent.issued
        outcome = "accepted" if answered.accepted else answered.code or str(answered.status)
        metrics.COMMANDS.labels(process, _step_kind(issued.step), outcome).inc()
        metrics.COMMAND_SECONDS.labels(process, _step_kind(issued.step)).observe(
            max(0.0, (answered.at - issued.at).total_seconds())
        )

    async def _answered(self, instance: Instance, sent: SentCommand) -> CommandAnswered:
        issued, delays, attempts = sent.issued, self._delays(), 0
        while True:
            attempts += 1
            pause = next(delays)
            try:
                async with self._places:
                    answer: CommandAnswer = await self._sender.send(
                        issued.plural,
                        issued.aggregate_id,
                        issued.action,
                        issued.body,
                        key=issued.command,
                        correlation_id=instance.correlation_id or None,
                    )
            except Exception as error:
                metrics.UNANSWERED.labels(instance.process.name).inc()
                log.warning("a command has no answer yet", step=issued.step, error=str(error))
                if self._is_given_up(sent, attempts):
                    return without_answer(issued, sent.answers, utc_now(), attempts, str(error))
                pause = max(pause, getattr(error, "retry_after", None) or 0.0)
            else:
                answered = answer_to(
                    issued,
                    sent.answers,
                    utc_now(),
                    attempts,
                    accepted=answer.accepted,
                    status=answer.status,
                    code=answer.code,
                    detail=answer.detail,
                )
                if answered.accepted or not issued.compensation or attempts >= issued.attempts:
                    return answered
            await asyncio.sleep(pause)

    def _is_given_up(self, sent: SentCommand, attempts: int) -> bool:
        age = (utc_now() - sent.issued.at).total_seconds()
        return sent.issued.compensation and attempts >= sent.issued.attempts and age > self._patience

    async def _record(self, instance_id: str, answered: CommandAnswered) -> None:
        """Tries until the answer stands in the stream, or another process has recorded one."""

        def still_asked(instance: Instance) -> CommandAnswered | None:
            sent = instance.commands.get(answered.command)
            return answered if sent is not None and sent.open and sent.answers < answered.answer else None

        delays = self._delays()
        while True:
            try:
                await self._reactor.record(instance_id, still_asked)
            except StreamDeleted as error:
                log.error("an answer can't be recorded", error=str(error))
            except EventStoreUnavailable as error:
                log.warning("an answer can't be recorded yet", error=str(error))
                await asyncio.sleep(next(delays))
                continue
            except Exception:
                log.exception("an answer can't be recorded; trying again")
                await asyncio.sleep(next(delays))
                continue
            return


def _step_kind(step: str) -> str:
    """A step without what it concerns, so that there are few of them: `reserve` of `reserve:A-1`."""
    return step.partition(":")[0]
