"""All that has come of a round or request, from what is stored: each step below the one that it is due to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Final

from actors.console.trading_pages import described
from actors.console.views import SHORTEST, NotFound
from messages.broker import Execution
from messages.trading import Order
from messages.values import CorrelationId
from storage import bookings, decisions, orders, questions, tasks
from storage.bookings import BookingRow
from storage.connections import Reader
from storage.decisions import DecisionRecord
from storage.questions import QuestionRow
from storage.tasks import TaskRow

FILL: Final = "fill"
"""What the journal of an order calls a fill, of which more is known."""


@dataclass(slots=True)
class Step:
    """Something that happened; times are UTC in microseconds.

    `at` is when it could begin, `submitted_at` when a task was asked for, `ended_at` None where it has not ended, and
    the same as `at` where it took no time of its own. `seconds` are those between. `steps` are due to it, in order.
    """

    what: str
    id: str
    said: str
    at: int
    ended_at: int | None
    submitted_at: int | None = None
    seconds: float | None = None
    steps: list["Step"] = field(default_factory=list["Step"])

    def __post_init__(self) -> None:
        self.begin(self.at)

    def begin(self, at: int) -> None:
        """Say when it could begin."""
        self.at = at
        self.seconds = None if self.ended_at is None else (self.ended_at - at) / 1e6


@dataclass(frozen=True, slots=True)
class Trace:
    """All of it; `ended_at` is None where something of it goes on."""

    correlation_id: CorrelationId
    at: int
    ended_at: int | None
    steps: tuple[Step, ...]


def trace(read: Reader, id_: str) -> Trace:
    """What this belongs to: the number of a task, or how any other id begins. Raises NotFound, Undecodable."""
    with read.snapshot() as at:
        return _whole(at, _belongs_to(at, id_))


def _belongs_to(read: Reader, id_: str) -> CorrelationId:
    wanted = id_.strip().lower()
    if wanted.isascii() and wanted.isdecimal() and len(wanted) < 19 and (row := tasks.by_id(read, int(wanted))):
        return CorrelationId(row.correlation_id)
    found = set[str]()
    if len(wanted) >= SHORTEST:
        for part in (tasks, questions, bookings):
            found.update(part.correlated(read, wanted))
        for part in (decisions, orders, questions):
            found.update(row.correlation_id for row in part.starting_with(read, wanted))
    if len(found) != 1:
        what = "begins more than one of them" if found else "is not the id of anything here"
        raise NotFound(
            f"trace {id_}: {what}; give a round's correlation id, a task's number, which `run.py tasks` shows first, "
            "or the id of a question, recommendation or order"
        )
    return CorrelationId(found.pop())


def _whole(read: Reader, correlation_id: CorrelationId) -> Trace:
    """The steps, each put below the one that it is due to; what is due to none of them is on top."""
    top = list[Step]()

    def put(step: Step, below: Step | None) -> None:
        (top if below is None else below.steps).append(step)

    rows, made = tasks.together(read, correlation_id), decisions.together(read, correlation_id)
    steps, decided = {row.id: _task(row) for row in rows}, {record.id: _decision(record) for record in made}
    # A key begins with what is done and of what: recommendation/AAPL/…, stage_order/1a2b….
    named = {tuple(row.key.split("/")[:2]): steps[row.id] for row in rows}
    causes = _causes(tasks.needs(read, correlation_id), steps)
    for row in rows:
        step, cause = steps[row.id], causes.get(row.id, decided.get(row.key.partition("/")[2]))
        if cause is not None and cause.ended_at is not None:
            step.begin(max(step.at, cause.ended_at))
        put(step, cause)
    for record in made:
        put(decided[record.id], named.get(("recommendation", record.decision.symbol)))
    for question in questions.of_round(read, correlation_id):
        put(_question(question), named.get(("recommendation", question.symbol or "")))
    booked = {row.reference or f"#{row.id}": row for row in bookings.together(read, correlation_id)}
    for order in orders.together(read, correlation_id):
        put(_order(read, order, booked), named.get(("stage_order", order.decision), decided.get(order.decision)))
    top += map(_booking, booked.values())  # those that are no order's
    _sort(top)
    ends = [step.ended_at for step in _all(top)]
    ended_at = None if None in ends else max(filter(None, ends), default=0)
    return Trace(correlation_id, min((step.at for step in top), default=0), ended_at, tuple(top))


def _causes(needs: Iterable[tuple[int, int]], steps: dict[int, Step]) -> dict[int, Step]:
    """For each task that needs others the one of them that ended last, since that let it begin."""
    found = dict[int, Step]()
    for task, needed in needs:
        step, last = steps.get(needed), found.get(task)
        if step is not None and (last is None or _end(step) > _end(last)):
            found[task] = step
    return found


def _end(step: Step) -> float:
    return inf if step.ended_at is None else step.ended_at


def _task(row: TaskRow) -> Step:
    tried = "once" if row.attempts == 1 else f"{row.attempts} times"
    said = f"{row.state}, tried {tried}{f': {row.error}' if row.error else ''}"
    symbol = [part for part in row.key.split("/")[1:2] if part.isupper()]
    asked, ended = row.submitted_at, row.ended_at
    return Step(f"task {row.type}", str(row.id), " ".join((*symbol, said)), asked, ended, asked)


def _decision(record: DecisionRecord) -> Step:
    made = record.decision
    said = f"{made.symbol} {made.action} by {made.analyst}{f': {made.cause}' if made.cause else ''}"
    return Step("recommendation", record.id, said, record.at, record.at)


def _question(row: QuestionRow) -> Step:
    """From the reservation of its dollars to its settlement; Claude's own time is a step of it."""
    cost = f"reserved {row.reserved:f} $" if row.cost is None else f"{row.cost:f} $ of {row.reserved:f} $ reserved"
    said = f"{row.purpose}, {row.model}, {row.outcome or 'under way'}, {cost}"
    step = Step("question", row.id, said, row.asked_at, row.ended_at)
    if row.ended_at is not None and row.seconds is not None:
        asked = row.ended_at - round(row.seconds * 1e6)
        step.steps.append(Step("asked", row.id, "until its end", asked, row.ended_at))
    return step


def _order(read: Reader, order: Order, booked: dict[str, BookingRow]) -> Step:
    """With its journal, and its fills, each with what it has booked; takes those out of `booked`."""
    steps = [
        Step(note.what, order.id, note.sentence, note.at, note.at)
        for note in orders.journal(read, order.id)
        if note.what != FILL
    ]
    for fill in orders.fills(read, order.id):
        steps.append(_fill(fill))
        if (row := booked.pop(fill.execution_id, None)) is not None:
            steps[-1].steps.append(_booking(row))
    said = f"{described(order.ticket)} at {order.broker}: {order.state}"
    ended = max(step.ended_at or 0 for step in _all(steps)) if order.state in orders.ENDED else None
    return Step("order", order.id, said, order.staged_at, ended, steps=steps)


def _fill(fill: Execution) -> Step:
    said = f"{fill.quantity:f} at {fill.price:f}, fee {fill.fee:f}, session {fill.session}"
    return Step(FILL, fill.execution_id, said, fill.at, fill.at)


def _booking(row: BookingRow) -> Step:
    return Step("ledger", str(row.id), f"{row.kind}: {row.origin}", row.at, row.at)


def _all(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _all(step.steps)


def _sort(steps: list[Step]) -> None:
    steps.sort(key=lambda step: (step.at, _end(step)))
    for step in steps:
        _sort(step.steps)
