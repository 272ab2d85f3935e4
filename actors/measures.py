"""What a desk's metrics are read from: its kernel's snapshot, what its parts have counted, and its database."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import cache, lru_cache, partial
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec

from actors.console.grounding import rates
from actors.console.health import health, left_of
from actors.desk import Desk
from actors.domain.answers import FIELDS
from actors.domain.answers import Code as GroundingCode
from actors.domain.grounding import ABSTAINED
from actors.domain.orders import Code as DenialCode
from actors.kernel.hooks import BOUNDS
from messages.broker import Side
from messages.claude import Cause, Purpose
from messages.trading import OrderState, TradingState, Valuation
from storage import breaker, metrics, tasks
from storage import states as stored
from storage.metrics import Asked, Took, What
from storage.tally import Tally
from telemetry import instruments as table
from telemetry.exporter import JSON, Page
from telemetry.hooks import CountingHooks
from telemetry.instruments import Histogram, Instrument
from telemetry.sources import Points, Sources, Tallies

KINDS: Final = (
    ("data", "refresh_bars"), ("data", "refresh_calendar"), ("portfolio", "value_portfolio"),
    ("portfolio", "reconcile"), ("portfolio", "stage_order"), ("portfolio", "backup"), ("analysis", "facts"),
    ("analysis", "recommendation"),
)  # fmt: skip
"""Queues and types of tasks; each has its series from the start."""
PURPOSES: Final[tuple[Purpose, ...]] = ("recommendation", "question", "chat")
OTHER: Final = "other"
SQLITE: Final = "sqlite"
CAUSES: Final = (ABSTAINED, *Cause, *GroundingCode, OTHER)
"""Codes of why a decision is ABSTAIN."""
REJECTED: Final = (*FIELDS, "answer", "mid_stream")
"""Why an answer is not grounded: the first field that cannot stand, all of it, or cancelled while it streamed."""
UNSENT: Final = {OrderState.REJECTED: "person", OrderState.REFUSED: "broker", OrderState.EXPIRED: "expired"}
"""Why an order was not sent or not taken, but for those that were denied."""


def pages(desk: Desk, hide: Callable[[str], str]) -> dict[str, Page]:
    """/healthz says whether it is alive, /readyz whether it is ready: 200, or 503 with the reasons.

    The port is open to whoever is on this machine, so that `hide` takes secrets out of what a crash has said.
    """

    def page(wanted: str) -> tuple[int, str, bytes]:
        found = health(desk.access)
        said = replace(found, reasons=tuple(map(hide, found.reasons)), notes=tuple(map(hide, found.notes)))
        return 200 if getattr(found, wanted) else 503, JSON, msgspec.json.encode(said)

    return {"/healthz": partial(page, "alive"), "/readyz": partial(page, "ready")}


def sources(desk: Desk, hooks: CountingHooks) -> Sources:
    """All that is read on a scrape. Nothing here asks an actor, or scans a table that grows."""
    system, numbers = desk.system, dict[Instrument, Callable[[], Points]]()
    for part in (_events, _database, _queues, _claude, _research, _trading):
        numbers |= part(desk)
    began = system.clock.utc() / 1e6
    numbers[table.STARTED] = lambda: [((), began)]
    actors = system.observe, system.clock.monotonic, BOUNDS, hooks, system.dead_letters
    return Sources(*actors, numbers, _histograms(desk))


Numbers = dict[Instrument, Callable[[], Points]]


def _events(desk: Desk) -> Numbers:
    def by(outcome: str) -> Points:
        return [((topic, name), count) for (topic, name, of), count in desk.bus.counts().items() if of == outcome]

    return {
        table.PUBLISHED: lambda: [((topic,), count) for topic, count in desk.bus.published().items()],
        table.DELIVERED: lambda: by("told"),
        table.FILTERED: lambda: by("filtered"),
        table.DROPPED: lambda: by("full"),
    }


def _database(desk: Desk) -> Numbers:
    operations, read = desk.operations, desk.access.read
    return {
        table.OPERATIONS: lambda: [*(dict(operations) or {("", "", ""): 0}).items()],
        table.WAL_SIZE: lambda: [((), operations.log_bytes)],
        table.OLDEST_READ: lambda: [((), read.oldest())],
        table.HELD: lambda: [((), int(operations.held is not None))],
    }


def _queues(desk: Desk) -> Numbers:
    read, utc = desk.access.read, desk.system.clock.utc

    return {
        table.QUEUE_DEPTH: lambda: [((each.queue,), each.waiting) for each in tasks.lines(read, utc())],
        table.QUEUE_OLDEST: lambda: [((each.queue,), each.oldest_seconds) for each in tasks.lines(read, utc())],
        table.TASK_RETRIES: lambda: [*(dict.fromkeys(KINDS, 0) | dict(desk.times.retries)).items()],
    }


def _claude(desk: Desk) -> Numbers:
    read, asking, utc = desk.access.read, desk.access.asking, desk.system.clock.utc

    def all_asked() -> list[Asked]:
        """And all outcomes of what has not been asked yet, with 0."""
        never = [
            Asked(purpose, asking.model, outcome, 0, Decimal(0), 0, 0, 0, 0)
            for purpose in PURPOSES
            for outcome in (table.OUTCOMES if purpose == PURPOSES[0] else table.OUTCOMES[:1])
        ]
        return [*never, *metrics.asked(read)]

    def tokens(of: Callable[[Asked], int]) -> Points:
        return [((each.model,), of(each)) for each in all_asked()]

    def left() -> Points:
        day, month = left_of(read, asking, utc())
        return [(("day",), float(day)), (("month",), float(month))]

    def circuit() -> Points:
        row = breaker.latest(read)
        now = "closed" if row is None else row.state
        return [((state,), int(state == now)) for state in table.STATES]

    return {
        table.CLAUDE_QUERIES: lambda: [
            ((each.purpose, each.model, each.outcome), each.questions) for each in all_asked()
        ],
        table.CLAUDE_COST: lambda: [((each.purpose, each.model), float(each.cost)) for each in all_asked()],
        table.INPUT_TOKENS: lambda: tokens(attrgetter("input")),
        table.OUTPUT_TOKENS: lambda: tokens(attrgetter("output")),
        table.CACHE_READ_TOKENS: lambda: tokens(attrgetter("cache_read")),
        table.CACHE_WRITE_TOKENS: lambda: tokens(attrgetter("cache_write")),
        table.BUDGET: lambda: [
            (("day",), float(asking.max_usd_per_day)),
            (("month",), float(asking.max_usd_per_month)),
        ],
        table.BUDGET_LEFT: left,
        table.CIRCUIT_STATE: circuit,
        table.CIRCUIT_TRANSITIONS: lambda: [((state,), count) for state, count in metrics.entered(read).items()],
        table.CLIENTS: lambda: [((kind,), count) for kind, count in desk.sessions.alive().items()],
    }


def _research(desk: Desk) -> Numbers:
    read = desk.access.read

    @cache
    def misjudged() -> tuple[float, float]:
        measured = rates()
        return measured.false_accept_rate, measured.false_reject_rate

    def ratio() -> Points:
        made = sum(metrics.decided(read, "made").values())
        return [((), sum(metrics.decided(read, "abstained").values()) / made if made else 0.0)]

    return {
        table.FALSE_ACCEPTS: lambda: [((), misjudged()[0])],
        table.FALSE_REJECTS: lambda: [((), misjudged()[1])],
        table.ABSTAINED: ratio,
        table.ABSTENTIONS: lambda: _known(CAUSES, metrics.decided(read, "abstained").items()),
        table.REJECTS: lambda: _known(REJECTED, metrics.decided(read, "rejected").items()),
    }


def _known(names: Iterable[str], counts: Iterable[tuple[str, int]]) -> Points:
    """Those counts, 0 for names that have none, and all others as one."""
    shown = dict.fromkeys(map(str, names), 0)
    for name, count in counts:
        key = name if name in shown else OTHER
        shown[key] = shown.get(key, 0) + count
    return [((name,), count) for name, count in shown.items()]


def _trading(desk: Desk) -> Numbers:
    read, currency, broker = desk.access.read, desk.access.currency, desk.access.broker

    @lru_cache(maxsize=1)
    def valued(_at: int) -> Valuation | None:
        return metrics.valuation(read)

    def newest() -> Valuation | None:
        return valued(metrics.valued_at(read))

    def exposure() -> Points:
        values = [position.value for position in found.positions] if (found := newest()) else []
        long, short = (sum((side * v for v in values if side * v > 0), Decimal(0)) for side in (1, -1))
        return [((currency, "long"), float(long)), ((currency, "short"), float(short))]

    def drawdown() -> Points:
        peak, found = metrics.peak(read), newest()
        lost = 1 - float(found.value / peak) if found and peak else 0.0
        return [((currency,), max(0.0, lost))]

    def moves() -> Points:
        counts = {(str(side), str(state)): 0 for side in Side for state in OrderState}
        for (side, state, _), count in metrics.moved(read).items():
            counts[side, state] += count
        return counts.items()

    def rejects() -> Points:
        unsent = [(str(UNSENT.get(OrderState(state), reason)), count)
                  for (_, state, reason), count in metrics.moved(read).items()
                  if state == OrderState.DENIED or OrderState(state) in UNSENT]  # fmt: skip
        return _known((*DenialCode, *UNSENT.values(), OTHER), unsent)

    def states() -> Points:
        now, _ = stored.state(read, broker, desk.access.halted())
        return [((str(state),), int(state is now)) for state in TradingState]

    return {
        table.VALUE: lambda: [((currency,), float(found.value) if (found := newest()) else 0.0)],
        table.EXPOSURE: exposure,
        table.DRAWDOWN: drawdown,
        table.ORDERS: moves,
        table.ORDER_REJECTS: rejects,
        table.TRADING_STATE: states,
    }


def _histograms(desk: Desk) -> dict[Histogram, Callable[[], Tallies]]:
    read, operations, times, model = desk.access.read, desk.operations, desk.times, desk.access.asking.model

    def database() -> Tallies:
        reads = [((SQLITE, "SELECT"), each) for each in list(read.took)]
        return [((SQLITE, "SELECT"), Tally(table.DATABASE)), *reads, ((SQLITE, "BATCH"), operations.batches)]

    def waited() -> Tallies:
        return [*((kind, Tally(table.TASKS)) for kind in KINDS), *dict(times.waited).items()]

    def ran() -> Tallies:
        never = [((*kind, outcome), Tally(table.TASKS)) for kind in KINDS for outcome in ("done", "dead")]
        return [*never, *dict(times.ran).items()]

    def took(what: What, labels: Callable[[Took], tuple[str, ...]], never: Iterable[tuple[str, ...]]) -> Tallies:
        found = dict[tuple[str, ...], Tally]()
        for key in never:
            found[key] = Tally(metrics.BOUNDS)
        for key, rows in groupby(sorted(metrics.took(read, what), key=labels), key=labels):
            tally = found.setdefault(key, Tally(metrics.BOUNDS))
            for row in rows:
                tally.counts[row.bucket] += row.times
                tally.total += row.seconds
        return found.items()

    return {
        table.DB_DURATION: database,
        table.COMMIT_DURATION: lambda: [((), operations.commits)],
        table.BATCH_SIZE: lambda: [((), operations.sizes)],
        table.TASK_WAIT: waited,
        table.TASK_DURATION: ran,
        table.CLAUDE_DURATION: lambda: took(
            "seconds", attrgetter("purpose", "model", "outcome"), [(PURPOSES[0], model, "answered")]
        ),
        table.CLAUDE_WAIT: lambda: took("waited", lambda row: (row.purpose,), [(each,) for each in PURPOSES]),
        table.FIRST_CHUNK: lambda: took("first_chunk", lambda row: (row.model,), [(model,)]),
    }
