"""On which terms a type of task is run, and what becomes of one that could not be done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from actors.tasks.times import Outcome
from messages.addresses import Ref, Refused
from messages.correlation import Trace
from messages.database import Statement
from messages.tasks import GiveUp, Lease, Run
from storage import tasks as queues

SOON: Final = 0.1
"""Seconds after which something is tried again at the earliest where a mailbox was full."""
NO_FAULT: Final = frozenset({"full", "down"})
"""Codes of refusals that cost no attempt. Who is down and does not say until when has stopped, and so will the desk."""
FINAL: Final = frozenset({"invalid", "statement"})
"""Codes of refusals that trying again cannot mend."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who runs a type of task, within how many seconds from its being handed out, and how often it is tried.

    The second attempt comes after `back_off` seconds, doubled for each later one, times one to two by chance.
    `attempts` is below the times an actor may crash, so that a poisoned task dies before it does. `gives_up` is told
    when a person cancels; any other runner sees it by its return address, which is `told` then.
    """

    ref: Ref[Run]
    within: float
    attempts: int = 4
    back_off: float = 1.0
    gives_up: Ref[GiveUp] | None = None


@dataclass(slots=True)
class Out:
    """A task that is leased: on which terms, by which kind of hand, and when its progress was written last."""

    run: Run
    trace: Trace
    terms: Terms
    kind: int
    noted: float = float("-inf")


def after_refusal(
    terms: Terms, lease: Lease, refused: Refused, now: int, chance: Callable[[], float]
) -> tuple[Outcome, tuple[Statement, ...], int | None]:
    """Gated, to be tried again, or dead; and when it is due again, UTC in microseconds, unless it is dead."""
    why = f"{refused.code}: {refused.sentence}"
    if refused.retry_at is not None or refused.code in NO_FAULT:
        due = max(refused.retry_at or 0, now + round(SOON * 1e6))  # who is down may be asked again before it is back
        return "gated", queues.gate(lease, due, why), due
    if refused.code in FINAL or lease.attempt >= terms.attempts:
        return "dead", queues.bury(lease, why, now), None
    due = now + round(terms.back_off * 2.0 ** (lease.attempt - 1) * (1.0 + chance()) * 1e6)
    return "retried", queues.retry(lease, due, why), due
