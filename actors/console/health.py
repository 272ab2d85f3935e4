"""How the desk is: a function over the kernel's snapshot and the database. It asks no actor, and so waits for none."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from actors.console.access import Access
from actors.console.calendars import Market, described, market
from messages.claude import Asking
from storage import bars, breaker, ledger, metrics, questions, states, tasks
from storage.connections import DatabaseUnusable, Reader
from storage.payloads import Undecodable

STUCK: Final = 60.0
"""Seconds after which a message that is not done says that its actor is not ready; a crew's jobs may take longer."""
BEHIND: Final = 3_600.0
"""Seconds after which a task that could run is worth a note."""
ENDS_SOON: Final = dt.timedelta(days=14)
"""How far a calendar reaches at least that needs no note; long before, each round and approval has it worked out."""
NEARLY: Final = Decimal("0.1")
"""The share of a budget below which what is left is worth a note."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says: the breaker's state, dollars left, the state of trading, the session last valued.

    `market` has how far the exchange's calendar goes; None on sample prices.
    """

    breaker: str
    left_today_usd: Decimal
    left_this_month_usd: Decimal
    trading: str
    queues: tuple[tasks.Line, ...]
    valued_as_of: str | None
    market: Market | None


@dataclass(frozen=True, slots=True)
class Health:
    """Alive: it is not about to stop. Ready: work that comes in is done; `reasons` say why not.

    `notes` say what else a person may want to look at. `oldest_seconds` is the age of the oldest message that is not
    done, `stored` None where the database cannot be read.
    """

    alive: bool
    ready: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    oldest_seconds: float
    restarts: int
    held: str | None
    stored: Stored | None


def health(access: Access) -> Health:
    """How it is now."""
    system, reasons, notes = access.system, list[str](), list[str]()
    now, oldest, restarts = system.clock.monotonic(), 0.0, 0
    if alive := not system.failed.done():
        reasons += [f"nothing is committed: {access.operations.held}"] if access.operations.held else []
    else:
        reasons.append(f"the desk is stopping: {system.failed.result()}")
    for seen in system.observe():
        age = max(0.0, now - min(each.since for each in seen.threads.values()))
        oldest, crew = max(oldest, age), seen.actor not in seen.threads
        restarts += sum(each.incarnations for each in seen.threads.values()) - len(seen.threads)
        if seen.state.value != "ready":
            reasons.append(f"{seen.actor} is {seen.state.value}{f': {seen.cause}' if seen.cause else ''}")
        elif age > STUCK and not crew:
            reasons.append(f"{seen.actor} has not done a message for {age:.0f} s; {seen.waiting} wait")
    try:
        found = _stored(access, notes)
    except (DatabaseUnusable, Undecodable) as error:
        found = None
        reasons.append(f"the database cannot be read: {error}")
    held = access.operations.held
    return Health(alive, not reasons, tuple(reasons), tuple(notes), oldest, restarts, held, found)


def _stored(access: Access, notes: list[str]) -> Stored:
    now = access.system.clock.utc()
    with access.read.snapshot() as at:
        row, (state, why) = breaker.latest(at), states.state(at, access.broker, access.halted())
        asking, left = access.asking, left_of(at, access.asking, now)
        queues = tasks.lines(at, now)
        valued, place = metrics.valuation(at), market(at, access.calendar, now)
        symbols = () if place is None else [held.symbol for held in ledger.held(at)]
        oldest = bars.oldest_session(at, symbols)
    if row is not None and row.state != "closed":
        notes.append(f"Claude is not asked for now ({row.cause}): {row.sentence}")
    for name, rest, most in (
        ("today", left[0], asking.max_usd_per_day),
        ("this month", left[1], asking.max_usd_per_month),
    ):
        if rest < most * NEARLY:
            notes.append(f"{rest:.2f} $ of {most:.2f} $ are left for Claude {name}")
    if why:
        notes.append(f"trading is {state}: {why}")
    notes += () if place is None else _of(place, oldest, now)
    notes += [
        f"{each.queue}: a task could run since {each.oldest_seconds:.0f} s"
        for each in queues
        if each.oldest_seconds > BEHIND
    ]
    return Stored(
        "closed" if row is None else row.state, *left, str(state), queues,
        None if valued is None else valued.as_of.isoformat(), place,
    )  # fmt: skip


def _of(place: Market, oldest: dt.date | None, now: int) -> list[str]:
    """What is to be said of the calendar, and where the price of something held is of before its last session."""
    notes, today = list[str](), dt.datetime.fromtimestamp(now // 10**6, dt.UTC).date()
    if place.state == "unknown":
        notes.append(described(place))
    elif place.horizon is not None and place.horizon - today < ENDS_SOON:
        notes.append(f"calendar {place.calendar} ends with session {place.horizon}; `run.py once` works it out anew")
    if oldest is not None and place.over is not None and oldest < place.over:
        notes.append(f"prices are of {oldest}, and session {place.over} is over; `run.py once` brings newer ones")
    return notes


def left_of(read: Reader, asking: Asking, now: int) -> tuple[Decimal, Decimal]:
    """Dollars that may still be spent this day and this month (UTC), what is reserved counting as spent."""
    spent = questions.spent(read, now)
    return (
        max(Decimal(0), asking.max_usd_per_day - spent.day),
        max(Decimal(0), asking.max_usd_per_month - spent.month),
    )
