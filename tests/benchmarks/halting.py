"""Halting: from touching the file HALT to the last order that the broker of a busy desk takes."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any, Final

import numpy as np

from actors.desk import Desk
from actors.edges import Edges
from actors.kernel.system import System
from actors.settings.reading import Settings
from actors.workers.places import Places
from messages.addresses import Refused
from messages.broker import ClientId, Found, Kind, Send, Side, Ticket
from messages.database import Committed, Write
from messages.market import Bars
from messages.values import Symbol
from storage import bars
from storage.home import Home
from telemetry.hooks import CountingHooks
from tests.actors.domain import making
from tests.benchmarks.measure import Benchmark, Callback, Figures
from tests.sessions import StagedSessions

WANTED = {
    "halt_ms": "50 or less, ms from touching HALT until the last order is on disk, amid a line of them",
    "late": "0, orders that come on disk in the half second after that",
    "orders_s": "for comparison, orders a second that were taken until then",
}
ACME: Final = Symbol("ACME")
WITHIN: Final = 60.0
"""Seconds that anything may take."""
QUIET: Final = 0.5
"""Seconds after the last order in which no other may come."""


class Line:
    """Keeps so many orders waiting at the broker: each that is taken is followed by another, until one is refused."""

    def __init__(self, desk: Desk, length: int, enough: int) -> None:
        self._desk, self._length, self._enough, self._numbers = desk, length, enough, count()
        self.taken, self.refused = list[float](), list[Refused]()
        self.busy, self.over = Event(), Event()

    def begin(self) -> None:
        """From now on the broker has something to do."""
        for _ in range(self._length):
            self._send()

    def _send(self) -> None:
        ticket = Ticket(ClientId(f"{next(self._numbers):024x}"), ACME, Side.BUY, Decimal(1), Kind.LIMIT, limit=LOW)
        self._desk.broker.tell(Send(ticket, Callback(ticket.client_id, self._told)))

    def _told(self, answer: object) -> None:
        """In the broker's thread; an order that was found is on disk."""
        if isinstance(answer, Found):
            self.taken.append(time.perf_counter())
            if len(self.taken) >= self._enough:
                self.busy.set()
            self._send()
        elif isinstance(answer, Refused):
            self.refused.append(answer)
            if len(self.refused) == self._length:
                self.over.set()


LOW: Final = Decimal(50)
"""Half of the price, so that nothing is filled and trading has nothing to book."""


def _never(seconds: float, action: Callable[[], None]) -> None:
    """Nobody is asked here."""


def started(home: Home) -> Desk:
    """A desk on threads, as it serves but for its console, that knows a price."""

    def system(publish: Any, flush: Any) -> System:
        return System(hooks=CountingHooks(), publish=publish, flush=flush)

    edges = Edges(system, random.random, lambda read: StagedSessions(_never), lambda _: Places())
    desk = Desk(home, Settings(folder=home.path / "prices"), edges, serve=False)
    desk.start()
    columns = (np.array([each]) for each in (100.0, 101.0, 99.0, 100.0, 1e6, 100.0))
    last = Bars(np.array([making.LAST], "datetime64[D]"), *columns)
    written: Committed | Refused = desk.system.ask(
        desk.database, partial(Write, bars.replace(desk.access.read, ACME, last)), within=WITHIN
    )
    if isinstance(written, Refused):
        raise TypeError(f"{written.code}: {written.sentence}")
    return desk


def halted(length: int, after: int, pause: float) -> Figures:
    """Touch HALT so many seconds after so many orders were taken, at whatever the broker is then."""
    with tempfile.TemporaryDirectory(prefix="troupe-") as place:
        home = Home(Path(place))
        home.take()
        desk = started(home)
        line, begun = Line(desk, length, after), time.perf_counter()
        line.begin()
        if not line.busy.wait(WITHIN):
            raise TypeError(f"{len(line.taken)} orders in {WITHIN:g} s, and {line.refused[:1]}")
        Event().wait(pause)
        touched = time.perf_counter()
        home.halt.touch()
        if not line.over.wait(WITHIN):
            raise TypeError(f"{len(line.refused)} of {length} orders were refused since HALT is there")
        there = len(line.taken)
        Event().wait(QUIET)
        [(kept,)] = desk.access.read.rows(tuple[int], "SELECT count(*) FROM paper_orders")
        last, before = line.taken[-1], sum(at <= touched for at in line.taken)
        desk.stop()
        home.release()
    return {
        "halt_ms": max(0.0, last - touched) * 1e3, "late": kept - there, "orders_s": before / (touched - begun),
    }  # fmt: skip


def rounds(repeats: int, length: int, after: int) -> Iterator[Figures]:
    """Each in a home of its own."""
    dice = random.Random(1)
    for _ in range(repeats):
        yield halted(length, after, dice.uniform(0.0, 0.1))


ABOUT = "how long orders go out after the file HALT was touched"
HALTING = Benchmark(ABOUT, WANTED, partial(rounds, length=256, after=1_000), repeats=25)
SMALL = Benchmark(ABOUT, WANTED, partial(rounds, length=8, after=20), repeats=2)
