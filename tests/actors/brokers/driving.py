"""The paper broker and the writer over a real file; what trading is told goes to a probe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from actors.brokers.paper import Message, PaperBroker
from actors.database import DatabaseWriter
from actors.domain.costs import PRESETS, Costs
from actors.kernel.me import Me
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from messages import broker, database
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import Absent, ClientId, Executed, Found, Look, LookUp, Seen, Send, Ticket, View, Viewed, Withdraw
from messages.database import Write
from messages.market import Bars
from messages.values import Symbol
from storage import bars
from storage.connections import Operations, Reader
from storage.home import Home

R = TypeVar("R")
Prices = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""
OPENING = {Symbol("IBM"): Decimal(40), Symbol("ACME"): Decimal("2.5")}
CASH = Decimal(10_000)


def days(first: str, *rows: Prices) -> Bars:
    """A bar a day from there on."""
    start = np.datetime64(first, "D")
    sessions = start + np.arange(len(rows)).astype("timedelta64[D]")
    opened, high, low, close, volume = np.array(rows, np.float64).T
    return Bars(sessions, opened, high, low, close, volume, close)


def flat(price: float, volume: float = 1e6) -> Prices:
    """A session of one price."""
    return price, price, price, price, volume


@dataclass
class Desk:
    """Abandoned without `stop` it was killed; `died` then makes another on its file."""

    home: Home
    costs: Costs = PRESETS["none"]
    seed: int = 0
    at: float = 0.0
    writer: Ref[database.Message] | None = None
    halt: Callable[[], str | None] = lambda: None
    flattens: bool = False
    told: Probe[Executed] = field(default_factory=lambda: Probe[Executed]("trading"))

    def __post_init__(self) -> None:
        self.read = Reader(self.home.database)
        self.database, self.broker = Ref[database.Message]("database"), Ref[Message]("broker")
        self.system = TestSystem(self.seed, flush=lambda settled: self.database.tell(Write((), settled)))
        self.system.manual.manual.now = self.at
        self.system.add(self.database, self._writer, STOP_DESK)
        self.system.add(self.broker, self._broker)
        self.system.start()

    def _writer(self, me: Me[Any]) -> DatabaseWriter:
        return DatabaseWriter(me, self.home, {}, Operations(), pause=lambda _: None)

    def _broker(self, me: Me[Message]) -> PaperBroker:
        writer, opening = self.writer or self.database, lambda: (dict(OPENING), CASH)
        return PaperBroker(
            me,
            writer,
            self.told.ref,
            self.read,
            opening,
            self._halted,
            self.costs,
            shut=(lambda: None) if self.flattens else self._halted,
        )

    def _halted(self) -> str | None:
        return self.halt()

    def died(self) -> "Desk":
        """This one was killed at this moment, with all that waits; another is started a second later."""
        at = self.system.clock.monotonic() + 1.0
        return Desk(self.home, self.costs, self.seed, at, self.writer, self.halt, self.flattens, self.told)

    def store(self, symbol: str, found: Bars) -> None:
        """These are the symbol's bars from now on."""
        probe = Probe[Any]()
        self.database.tell(Write(bars.replace(self.read, Symbol(symbol), found), probe))
        self.system.settle()

    def commits(self) -> int:
        """How often the writer was busy with a batch."""
        [thread] = self.system.observe()[0].threads.values()
        return sum(thread.meters[Write].ran)

    # What it is told

    def ask(self, make: Callable[[ReplyTo[Any]], broker.Request]) -> Probe[Any]:
        """Tell it, and let nothing happen yet."""
        probe = Probe[Any]("asker")
        self.broker.tell(make(probe))
        return probe

    def asked(self, make: Callable[[ReplyTo[Any]], broker.Request]) -> Any:
        """The one answer."""
        probe = self.ask(make)
        self.system.settle()
        [answer] = probe.received
        return answer

    def send(self, ticket: Ticket) -> Seen:
        """Send, and be told how it stands."""
        return seen(self.asked(lambda reply_to: Send(ticket, reply_to)))

    def refused(self, ticket: Ticket) -> Refused:
        """Send, and be told why not."""
        answer = self.asked(lambda reply_to: Send(ticket, reply_to))
        assert isinstance(answer, Refused), answer
        return answer

    def look_up(self, client_id: str) -> Seen | None:
        """How it stands, None where there is none."""
        answer = self.asked(lambda reply_to: LookUp(ClientId(client_id), reply_to))
        return None if isinstance(answer, Absent) else seen(answer)

    def withdraw(self, client_id: str) -> Seen | None:
        """Cancel it."""
        answer = self.asked(lambda reply_to: Withdraw(ClientId(client_id), reply_to))
        return None if isinstance(answer, Absent) else seen(answer)

    def view(self, since: int = 0) -> View:
        """All there is."""
        answer = self.asked(lambda reply_to: Look(since, reply_to))
        assert isinstance(answer, Viewed), answer
        return answer.view

    def crash(self, after: int = 0) -> None:
        """It crashes, and is rebuilt; not often enough to be given up."""
        self.system.crash(self.broker, after=after)
        self.system.advance(8.0)


def seen(answer: object) -> Seen:
    """The order that was found."""
    assert isinstance(answer, Found), answer
    return answer.order


def stages(view: View) -> list[str]:
    """Id, stage and what was filled of each order."""
    return [f"{order.client_id} {order.stage} {order.filled}" for order in view.orders]


def fills(view: View | Sequence[Executed]) -> list[str]:
    """Session, id, quantity and price."""
    executions = view.executions if isinstance(view, View) else [each.execution for each in view]
    return [f"{each.session:%m-%d} {each.client_id} {each.quantity} {each.price:.2f}" for each in executions]


def held(view: View) -> dict[str, Decimal]:
    """What is held by symbol."""
    return {shares.symbol: shares.quantity for shares in view.positions}
