"""What there is to see, made from what is stored; a running desk adds how its actors are."""

from dataclasses import dataclass
from typing import Final

from actors.console.calendars import Market
from actors.console.health import Health
from actors.console.report import Recommendation, recommendation
from messages.errors import TroupeError
from messages.research import Inquiry
from storage import decisions, prompts, questions, task_orders, tasks
from storage.connections import Reader
from storage.questions import QuestionRow
from storage.tasks import TaskRow

SHORTEST: Final = 4
"""Characters of an id that are needed at least."""


class NotFound(TroupeError):
    """There is no such thing, or more than one."""


@dataclass(frozen=True, slots=True)
class ActorState:
    """One actor, seen from outside."""

    actor: str
    state: str
    waiting: int
    cause: str


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many tasks of a queue are in each state; of one that is paused none is begun."""

    queue: str
    tasks: dict[str, int]
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """A desk at a glance; `pid`, `actors` and `health` only of one that runs. `held` says why nothing is committed.

    `market` is how it is at the exchange, None on sample prices; `real_money` is the account whose money is traded,
    where it is not paper.
    """

    home: str
    source: str
    pid: int | None
    queues: tuple[QueueState, ...]
    actors: tuple[ActorState, ...]
    held: str | None = None
    health: Health | None = None
    market: Market | None = None
    real_money: str | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """How a recommendation came about: itself, and the tasks of its round that led to it, with times in UTC µs.

    Where Claude was asked: `inquiry` has the prompts and the raw answers, `system` is the system prompt, `questions`
    what each took and cost, those of former attempts too. Where the rules stood in for Claude, `stand_in` says why.
    """

    correlation_id: str
    decided_at: int
    recommendation: Recommendation
    stand_in: str | None
    inquiry: Inquiry | None
    system: str | None
    questions: tuple[QuestionRow, ...]
    tasks: tuple[TaskRow, ...]


def status(
    read: Reader,
    home: str,
    source: str,
    pid: int | None = None,
    actors: tuple[ActorState, ...] = (),
    health: Health | None = None,
    market: Market | None = None,
    real_money: str | None = None,
) -> Status:
    """The desk at a glance."""
    with read.snapshot() as at:
        counts, paused = tasks.counts(at), task_orders.paused(at)
    queues = dict[str, dict[str, int]]()
    for (queue, state), count in counts.items():
        queues.setdefault(queue, {})[state] = count
    states = (QueueState(each, queues.get(each, {}), each in paused) for each in sorted({*queues, *paused}))
    held = None if health is None else health.held
    return Status(home, source, pid, tuple(states), actors, held, health, market, real_money)


def why(read: Reader, id_: str, source: str) -> Why:
    """How this recommendation came about; the beginning of its id is enough. Raises NotFound."""
    with read.snapshot() as at:
        return _why(at, id_, source)


def _why(read: Reader, id_: str, source: str) -> Why:
    wanted = id_.strip().lower()
    found = decisions.starting_with(read, wanted) if len(wanted) >= SHORTEST else []
    if len(found) != 1:
        what = "begins more than one recommendation" if found else "is not the id of a recommendation"
        raise NotFound(f"why {id_}: {what}; `run.py once` prints their ids")
    record = found[0]
    rows = tasks.together(read, record.correlation_id)
    made, own = record.decision, tuple(row for row in rows if _concerns(row, record.decision.symbol))
    system = None if made.inquiry is None else prompts.load(read, made.inquiry.system)
    asked = tuple(row for row in questions.of_round(read, record.correlation_id) if row.symbol == made.symbol)
    shown = recommendation(read, record, source)
    return Why(record.correlation_id, record.at, shown, made.stand_in, made.inquiry, system, asked, own)


def _concerns(row: TaskRow, symbol: str) -> bool:
    return row.type == "value_portfolio" or row.key.split("/")[1:2] == [symbol]
