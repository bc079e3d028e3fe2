"""The figures of a load, counted while it runs."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from infrastructure.http.client import ServiceResponse


class Fault(msgspec.Struct, frozen=True):
    """One entry of a problem's `errors`: which part of the body, and what is wrong with it."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that the API refused, and why."""

    order_id: str
    command: str
    status: int
    title: str
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, order_id: str, command: str, answer: ServiceResponse) -> "Refusal":
        """Reads an answer's problem details; without any, the body's beginning is the title."""
        try:
            problem = msgspec.json.decode(answer.body, type=dict[str, Any])
            faults = msgspec.convert(problem.get("errors", []), tuple[Fault, ...])
        except (msgspec.DecodeError, msgspec.ValidationError):
            return cls(order_id, command, answer.status, answer.body[:200].decode(errors="replace"), ())
        # `detail` says more than `title` where there is no list of faults.
        title = problem.get("title" if faults else "detail") or problem.get("title") or "no reason given"
        return cls(order_id, command, answer.status, str(title), faults)

    def __str__(self) -> str:
        reasons = "; ".join(f"{fault.pointer} {fault.detail}" for fault in self.faults)
        return f"{self.command} {self.order_id}: {self.status} {reasons or self.title}"


@dataclass(slots=True)
class Outcome:
    """The figures of one load. `position` is the highest commit position that a command was answered with."""

    baskets: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    position: int = -1
    retries: int = 0
    seconds: float = 0.0

    @property
    def placed(self) -> int:
        """Orders placed."""
        return self.accepted["place"]

    @property
    def commands(self) -> int:
        """Commands with a final answer, refusals included."""
        return self.accepted.total() + len(self.refusals)

    @property
    def commands_per_second(self) -> float:
        """Over the whole load, waits for services that were down included."""
        return self.commands / self.seconds if self.seconds else 0.0

    def reasons(self) -> Counter[str]:
        """How many commands were refused for which kind of reason; line numbers are left out of the reason."""
        kinds: Counter[str] = Counter()
        for refusal in self.refusals:
            fault = refusal.faults[0] if refusal.faults else None
            reason = f"{_kind(fault.pointer)} {fault.detail}" if fault else refusal.title
            kinds[f"{refusal.status} {reason}"] += 1
        return kinds


def _kind(pointer: str) -> str:
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))
