"""Trading in a storm: a person, an analyst and a market that want things of a desk, and what must be so."""

import datetime as dt
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from actors.brokers.choice import halt
from actors.console.access import Access, DeskFailed
from actors.console.rounds import ended
from actors.domain import mandates
from actors.domain.mandates import Mandate
from actors.kernel.me import Actor
from actors.kernel.system import StartFailed
from actors.kernel.testing import Probe
from actors.settings.reading import Settings
from actors.trading.account import ANSWER_WITHIN, RESOLVE_AFTER
from messages.addresses import Ref, Refused
from messages.broker import ClientId, Executed, Execution, Look, Seen, Send, Side, Stage, View, Viewed
from messages.research import Action, Decision
from messages.tasks import NewTask, Recommend, Reconcile, RefreshBars, Submit, Submitted
from messages.trading import (
    Approve,
    GiveMandate,
    Import,
    Imported,
    Instruction,
    OrderState,
    Reject,
    Said,
    SetState,
    TradingState,
    Withdraw,
)
from messages.values import CorrelationId, Symbol
from storage import audit, ledger, orders, states, tasks
from storage.connections import Reader
from storage.home import Home
from tests.actors.brokers.driving import Prices
from tests.simulation.agreement import all_orders, books_are_whole, both_sides_agree
from tests.simulation.company import GIVEN_UP, SYMBOLS, Killed, StormySystem, ToldToStop
from tests.simulation.exchange import LONG, Exchange, Speaker
from tests.simulation.floor import (
    AT_FIRST,
    CASH,
    FIRST_DAY,
    HOLDINGS,
    LIMITS,
    TERMS,
    VOLUMES,
    Analyst,
    Quotes,
    TradingFloor,
)
from tests.simulation.storm import Storm
from tests.simulation.story import DEATH, GRACE, Story

TICK: Final = TERMS.reconcile_minutes * 60.0
UNCERTAIN: Final = max(ANSWER_WITHIN + RESOLVE_AFTER, LONG, GIVEN_UP)
"""Seconds after which nothing is on its way to the broker any more."""
DEATHS: Final = re.compile(f"{DEATH.pattern}|unknown: the connection is broken$")
"""Of what a task may die; the last, where four looks at the account find it broken, one after the other."""
BY_ITSELF: Final = re.compile("reconciliation|execution|ledger")
NOTHING: Final = Seen(ClientId(""), Stage.WORKING, Decimal(0))


class Venture(Story):
    """What becomes of one account in one storm, at the staged exchange or on paper; it always ends in peace."""

    def __init__(self, seed: int, place: Path, template: Path, storm: Storm, *, on_paper: bool) -> None:
        self.chance, self.on_paper = random.Random(seed), on_paper
        chance = self.chance
        rooms = {"database": chance.choice((1, 2, 3))} if chance.random() < 0.3 else {}
        super().__init__(seed, place, template, (), storm, rooms, threads=1, mild=False)
        self.hits = storm.hits
        self.exchange = Exchange(CASH, {held.symbol: held.quantity for held in HOLDINGS})
        self.rows: dict[Symbol, list[Prices]] = {
            symbol: [(price, price, price, price, 1e5)] * 5 for symbol, price in AT_FIRST.items()
        }
        self.quoted, self.rounds, self.rubbish = dict[ClientId, Decimal](), 100, 0  # the template's were before
        self.answers = list[Probe[Said | Refused]]()
        self.halted = False
        self.racing: set[str] | None = None
        """While trading is halted, what there may be on paper: what there was, and what was being written."""
        self.home = Home(place / "0")
        shutil.copytree(template, self.home.path)

    # What it is made of

    def _settings(self) -> Settings:
        return Settings(threads=1, processes=1, grace=GRACE, trading=TERMS, risk=LIMITS)

    def _staged(self) -> Mapping[str, Callable[[Ref[Any]], Actor[Any]]]:
        world: dict[str, Callable[[Ref[Any]], Actor[Any]]] = {
            "source": lambda ref: Quotes(self.rows),
            "research": lambda ref: Analyst(self.view),
        }
        if not self.on_paper:
            world["broker"] = lambda ref: Speaker(
                self.exchange, partial(halt, TERMS, self.home, self._read, lambda: 0), self.storm, self._clock
            )
        return world

    def _new_system(self, *args: Any) -> StormySystem:
        floor = TradingFloor(*args)
        floor.seen = self._about_to_be_sent
        return floor

    def _clock(self) -> float:
        return self._system.clock.monotonic()

    # The story

    def begin(self) -> Path:
        """Open the books in an empty home and bring prices; where that is."""
        self.rounds = 0
        make = partial(Import, HOLDINGS, CASH, "mine.csv", CorrelationId("c" * 32))
        self._open().ask(Imported, self._open().trading, make)
        self._through(self._refresh)
        self._through(self._until_all_have_ended)
        self._stop()
        return self.home.path

    def tell(self) -> Counter[str]:
        """Live through it; what was hit."""
        for _ in range(self.chance.randrange(10, 22)):
            try:
                self._something(self._open())
            except Killed:
                self._kill()
            except (ToldToStop, DeskFailed, StartFailed):
                self._stop()
        self._peace()
        return self.hits

    def _something(self, access: Access) -> None:
        acts: dict[Callable[[Access], None], float] = {
            self._ask: 12, self._approve: 18, self._reject: 1, self._cancel: 2, self._fill: 18, self._session: 4,
            self._halt: 1, self._touch: 1, self._resume: 4, self._mandate: 3, self._reconcile: 3, self._tell_again: 2,
            self._say_rubbish: 0.3, self._fall: 0.2, self._wait: 2,
        }  # fmt: skip
        [act] = self.chance.choices(list(acts), list(acts.values()))
        if self.halted and self.chance.random() < 0.4:  # not for ever
            act = self._resume
        act(access)
        for _ in range(self.chance.choice((0, 1, 3, 9, 27, 1_000))):
            if not self._system.turn():
                break
            self._nothing_after_halt(access)
        if self.chance.random() < 0.3:
            access.pause(self.chance.choice((0.5, 3.0, 10.0, 100.0, 250.0)))
            self._nothing_after_halt(access)
        if self._system.failed.done():
            raise DeskFailed(self._system.failed.result())
        self._arrivals()

    def _arrivals(self) -> None:
        exchange, now = self.exchange, self._clock()
        due = [arrive for at, arrive in exchange.line if at <= now]
        exchange.line = [(at, arrive) for at, arrive in exchange.line if at > now]
        for arrive in due:
            self.hits["a request arrives late"] += 1
            arrive()

    # What the person does

    def _order(self, access: Access, make: Callable[[Probe[Said | Refused]], Instruction]) -> None:
        probe = Probe[Said | Refused]()
        access.trading.tell(make(probe))
        self.answers.append(probe)

    def _submit(self, access: Access, *new: NewTask) -> None:
        self.rounds += 1
        probe, round_ = Probe[Submitted | Refused](), CorrelationId(f"{self.rounds:032x}")
        access.tasks.tell(Submit(new, round_, probe))
        self._system.submitted += [(task.key, probe) for task in new]

    def _ask(self, access: Access) -> None:
        for symbol in self.chance.sample(SYMBOLS, self.chance.choice((1, 1, 2, 3))):
            work, name = Recommend(symbol, dt.date(2013, 3, 1), use_claude=False), f"recommendation/{symbol}"
            self._submit(access, NewTask(f"{name}/{self.rounds}", "analysis", work))

    def view(self, symbol: Symbol, round_: CorrelationId) -> Decision:
        chance = random.Random(f"{self.seed} {symbol} {round_}")
        held = symbol in {held.symbol for held in ledger.held(self._read)}
        action = Action.SELL if chance.random() < (0.6 if held else 0.05) else Action.BUY
        price = Decimal(repr(round(self.rows[symbol][-1][3], 2)))
        target, stop = None, None
        if chance.random() < 0.7:
            target, stop = (Decimal("1.1"), Decimal("0.93")) if action is Action.BUY else (Decimal("0.9"), None)
            target, stop = round(price * target, 2), None if stop is None else round(price * stop, 2)
        conviction = chance.choice((0.5, *[0.7] * 9, *[0.9] * 9))
        return Decision(
            symbol, dt.date(2013, 3, 1), "rules", action, conviction, 21, target, stop, "so", (), None, Decimal(0)
        )

    def _approve(self, access: Access) -> None:
        for order in orders.open_orders(access.read):
            if order.state is OrderState.STAGED and self.chance.random() < 0.8:
                for _ in range(self.chance.choice((1, 1, 1, 2))):
                    self._order(access, partial(Approve, order.id))
        if self.chance.random() < 0.1:  # before it is sent, or just after
            self.chance.choice((self._touch, self._halt))(access)

    def _reject(self, access: Access) -> None:
        for order in orders.open_orders(access.read)[:1]:
            self._order(access, partial(Reject, order.id, "no"))

    def _cancel(self, access: Access) -> None:
        for order in orders.open_orders(access.read)[-1:]:
            self._order(access, partial(Withdraw, order.id))

    def _halt(self, access: Access) -> None:
        state = self.chance.choice((TradingState.HALTED, TradingState.HALTED, TradingState.REDUCING))
        scope = self.chance.choice((states.ALL, "paper"))
        self.hits[f"{state}"] += 1
        self.halted = True
        self._order(access, partial(SetState, scope, state, "enough"))

    def _resume(self, access: Access) -> None:
        self.home.halt.unlink(missing_ok=True)
        self.halted = False
        for scope in (states.ALL, "paper"):
            self._order(access, partial(SetState, scope, TradingState.ACTIVE, "go on"))

    def _touch(self, access: Access) -> None:
        if not self.home.halt.exists():
            self.hits["HALT"] += 1
            self.halted = True
            self.home.halt.touch()
            self._nothing_after_halt(access)

    def _on_paper(self, read: Reader) -> set[str]:
        return {id_ for (id_,) in read.rows(tuple[str], "SELECT client_id FROM paper_orders WHERE parent IS NULL")}

    def _nothing_after_halt(self, access: Access) -> None:
        """On paper no order comes to be, but for what was being written when trading was halted."""
        halted = self.home.halt.exists() or states.state(access.read, "paper")[0] is TradingState.HALTED
        if not (self.on_paper and halted):
            self.racing = None
        elif self.racing is None:
            being_written = getattr(self._system.living.get("broker"), "_busy", False)
            self.racing = set(self.quoted) if being_written else self._on_paper(access.read)
        else:
            assert self._on_paper(access.read) <= self.racing, "sent after HALT"

    def _mandate(self, access: Access) -> None:
        if self.chance.random() < 0.3:
            self._order(access, partial(GiveMandate, None, ""))
            return
        expires = self._system.clock.utc() + self.chance.choice((60, 3_600, 86_400)) * 10**6
        value = self.chance.choice((Decimal(5_000), Decimal(50_000)))
        mandate = Mandate(value, 10, None, frozenset(Side), 0.6, expires)
        self._order(access, partial(GiveMandate, mandates.text(mandate), mandates.digest(mandate)))

    def _reconcile(self, access: Access) -> None:
        self._submit(access, NewTask(f"reconcile/{self.rounds}", "portfolio", Reconcile()))

    def _wait(self, access: Access) -> None:
        access.pause(self.chance.choice((TICK, 2 * TICK, 3_700.0)))

    # What the market does

    def _session(self, access: Access) -> None:
        """What did not find its price by then has lapsed, or was good for longer."""
        for id_ in self.exchange.working:
            if self.exchange.orders[id_].parent is None and self.chance.random() < 0.5:
                self.exchange.orders[id_].end(Stage.EXPIRED, "the session is over")
        self._move(lambda: self.chance.gauss(0.0, 0.02), access)

    def _fall(self, access: Access) -> None:
        self._move(lambda: -0.3, access)

    def _move(self, by: Callable[[], float], access: Access, volumes: Sequence[float] = VOLUMES) -> None:
        if len(self.rows[SYMBOLS[0]]) >= 18:  # up to the day that the clock shows
            return
        for rows in self.rows.values():
            first = round(rows[-1][3] * (1 + by() / 2), 2)
            last = round(first * (1 + by()), 2)
            high, low = round(max(first, last) * 1.03, 2), round(min(first, last) * 0.97, 2)
            rows.append((first, high, low, last, self.chance.choice(volumes)))
        self._refresh(access)

    def _refresh(self, access: Access) -> None:
        for symbol in SYMBOLS:
            self._submit(access, NewTask(f"refresh_bars/{symbol}/{self.rounds}", "data", RefreshBars(symbol)))

    def _fill(self, access: Access) -> None:
        """Some of what works at the exchange, and perhaps the desk is told."""
        for _ in range(0 if self.on_paper else self.chance.choice((1, 2, 4))):
            if not (working := self.exchange.working):
                return
            id_ = self.chance.choice(working)
            left = self.exchange.left(id_)
            part = left if self.chance.random() < 0.5 else Decimal(self.chance.randrange(1, int(left) + 1))
            executed = self._execute(id_, part)
            if self.chance.random() < 0.8:
                self._hear(executed)

    def _hear(self, executed: Executed) -> None:
        assert self._desk is not None
        self._desk.trading.tell(executed)

    def _execute(self, id_: ClientId, quantity: Decimal) -> Executed:
        self.hits["fill of a leg" if "-" in id_ else "fill"] += 1
        return self.exchange.fill(id_, quantity, self._price(id_), self._day, self._system.clock.utc())

    @property
    def _day(self) -> dt.date:
        return dt.date.fromisoformat(FIRST_DAY) + dt.timedelta(days=len(self.rows[SYMBOLS[0]]) - 1)

    def _price(self, id_: ClientId) -> Decimal:
        """What an order fills at: a little better or worse than the quote it was sized at, or than the leg's price."""
        ticket = self.exchange.orders[id_].ticket
        price = ticket.limit or ticket.stop or self.quoted[id_]
        return round(price * Decimal(repr(round(1 + self.chance.uniform(-0.01, 0.004), 4))), 4)

    def _tell_again(self, access: Access) -> None:
        for execution in self.exchange.executions[-3:]:
            seen = self.exchange.look_up(execution.client_id)
            assert seen is not None
            self._hear(Executed(execution, seen))

    def _say_rubbish(self, access: Access) -> None:
        """Of no order of this desk, or more than was ordered."""
        self.rubbish += 1
        self.hits["rubbish"] += 1
        id_ = self.chance.choice([ClientId("f" * 24), *self.quoted])
        ticket = self.exchange.orders[id_].ticket if id_ in self.exchange.orders else None
        symbol, side = (SYMBOLS[0], Side.BUY) if ticket is None else (ticket.symbol, ticket.side)
        execution = Execution(
            id_, f"x{self.rubbish}", symbol, side, Decimal(10**6), Decimal(1), Decimal(0), self._day, 1
        )
        self._hear(Executed(execution, replace(NOTHING, client_id=id_)))

    # What must be so, at each moment

    def _about_to_be_sent(self, send: Send) -> None:
        """The intent is on disk, word for word, and trading goes on as far as is on disk."""
        self.hits["send"] += 1
        read, ticket = self._read, send.ticket
        order = orders.by_id(read, ticket.client_id)
        assert order is not None, f"{ticket.client_id} is sent and not on disk"
        assert order.ticket == ticket, f"{ticket} is sent, {order.ticket} is on disk"
        assert order.state is not OrderState.STAGED, order
        state = states.state(read, "paper")[0]
        assert state is not TradingState.HALTED, "sent after HALT"
        assert state is TradingState.ACTIVE or ticket.side is Side.SELL, "raised while REDUCING"
        guards = [
            each
            for each in orders.open_orders(read)
            if each.is_leg and not each.is_here and each.ticket.symbol == ticket.symbol
        ]
        assert ticket.side is Side.BUY or not guards, f"sold while it is protected: {guards}"
        reserved = sum(each.cash for each in orders.outstanding(read))
        assert self.on_paper or self.hits["delay line"] or reserved <= ledger.cash(read), (
            "more than there is is reserved"
        )
        self.hits["sent again"] += ticket.client_id in self.quoted
        self.quoted[ticket.client_id] = order.price

    @property
    def _read(self) -> Reader:
        assert self._desk is not None
        return self._desk.access.read

    # Whenever a desk has ended

    def _kill(self) -> None:
        """See Story; the file HALT is there after it as before."""
        halted = self.home.halt.exists()
        super()._kill()
        if halted:
            self.home.halt.touch()

    def _count(self) -> None:
        """See Story; what is lost is an answer, and nothing that was written is ever wrong."""
        super()._count()
        for _, error, _ in self._system.recorder.crashes:
            assert not str(error).startswith("statement"), error

    def _nothing_acknowledged_is_lost(self, read: Reader) -> None:
        """See Story; what an order has come to on disk is what was executed of it, and each execution is there once."""
        rows = tasks.newest(read, 10_000)
        assert not self._kept - {row.key for row in rows}
        books_are_whole(read)
        for probe in self.answers:
            self.hits.update(type(answer).__name__ for answer in probe.received[:1])
        self.answers.clear()

    # In the end

    def _peace(self) -> None:
        """Nothing goes wrong any more, and perhaps trading is halted for good."""
        self.storm.calm()
        self.rooms = {}
        if self._desk is not None and self.chance.random() < 0.5:
            self._kill()
        elif self._desk is not None:
            self._stop()
        self._finish(halted=self.chance.random() < 0.3)

    def _finish(self, *, halted: bool) -> None:
        """All comes to its end."""
        self.storm.calm()
        self._through(self._halt_for_good if halted else self._resume)
        self._through(lambda access: access.pause(UNCERTAIN + TICK if halted else UNCERTAIN))
        self._arrivals()
        for _ in range(2):
            self._through(self._reconcile)
            self._through(self._until_all_have_ended)
        read, view = self._read, self._look()
        self._all_agree(read, view)
        if halted:
            self.hits["halted in the end"] += 1
            assert not [seen for seen in view.orders if seen.stage is Stage.WORKING], "HALTED, and it works"
        assert audit.audit(read) is None
        self._every_task_has_ended(read)
        self._stop()
        self._final = Reader(self.home.database)

    def _halt_for_good(self, access: Access) -> None:
        if self.chance.random() < 0.5:
            self.home.halt.touch()
        else:
            self._order(access, partial(SetState, states.ALL, TradingState.HALTED, "for good"))

    def _look(self) -> View:
        assert self._desk is not None
        probe = Probe[Viewed | Refused]()
        self._desk.broker.tell(Look(0, probe))
        self._system.settle()
        [viewed] = probe.received
        assert isinstance(viewed, Viewed)
        return viewed.view

    def _all_agree(self, read: Reader, view: View) -> None:
        both_sides_agree(read, view)
        self.hits["executions"] += len(view.executions)
        self.hits.update(f"order {order.state}" for order in all_orders(read))
        assert self.on_paper or view.cash >= 0 or self.hits["delay line"], "spent what was not there"
        if not self.rubbish:
            noted = [note for note in orders.journal(read, "") if BY_ITSELF.search(note.sentence)]
            assert not noted, noted

    def _every_task_has_ended(self, read: Reader) -> None:
        rows = tasks.newest(read, 10_000)
        assert ended(rows)
        for row in rows:
            assert row.state == "done" or DEATHS.match(row.error or ""), row


def open_books(place: Path, empty: Path) -> Path:
    """A home in which the books are open and prices are there."""
    return Venture(0, place, empty, Storm(()), on_paper=True).begin()
