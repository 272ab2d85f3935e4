"""A desk starts where there are 100,000 orders and a million ledger entries, and looks at its broker.

They are made up by the statements that trading and the paper broker themselves write, a session in a commit: of each
pair of orders one buys in two fills and one sells in two, the first of which takes a lot and a half. Those of the last
session that would sell work instead. So chain, balances and lots are those of a desk that has traded for years.
"""

import datetime as dt
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

from actors import desk as composed
from actors import process
from actors.domain import costs
from actors.domain.lots import left, matched
from actors.trading.sight import ENTRY
from messages.addresses import Refused
from messages.broker import Execution, InForce, Kind, Side, Stage, Ticket
from messages.database import Many, Statement
from messages.lots import Lot
from messages.paper import Order as Taken
from messages.tasks import Finished, Lease, Reconcile, Run
from messages.trading import Order, OrderState, TradingState
from messages.values import CorrelationId, Symbol
from storage import bars, ledger, orders, paper, states
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import StatementFailed, WriteConnection
from tests.benchmarks.measure import Figures
from tests.benchmarks.sync import Plan
from tests.benchmarks.trading_orders import LAST, decide, prices
from tests.claude_safely import forget_claude

SYMBOLS: Final = [Symbol(f"S{number}") for number in range(50)]
CASH: Final = Decimal(1_000_000)
QUANTITY: Final = Decimal(100)
FILLS: Final = {Side.BUY: (Decimal(60), Decimal(40)), Side.SELL: (Decimal(80), Decimal(20))}
ROUND: Final = CorrelationId("c" * 32)
BEGAN: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Past:
    """What was traded, session by session, two orders for each symbol."""

    def __init__(self, connection: WriteConnection) -> None:
        self._connection = connection
        self._lots = {symbol: list[Lot]() for symbol in SYMBOLS}
        self._closes = {symbol: Decimal(repr(float(each.close[-1]))) for symbol, each in prices(SYMBOLS).items()}
        self._orders = 0

    def session(self, session: dt.date, *, last: bool) -> None:
        """All of one. In the last nothing is sold."""
        at = (dt.datetime.combine(session, dt.time(15), dt.UTC) - BEGAN) // dt.timedelta(microseconds=1)
        made, sold = [self._order(symbol, Side.BUY, at, works=False) for symbol in SYMBOLS], list[Order]()
        sold = [self._order(symbol, Side.BUY if last else Side.SELL, at, works=last) for symbol in SYMBOLS]
        rounds = [
            [(order, self._part(order, session, part, at)) for order in some]
            for some, side in ((made, Side.BUY), ([] if last else sold, Side.SELL))
            for part in FILLS[side]
        ]
        booked = [
            (*orders.fill(parts, at), ledger.together([self._booked(execution, at) for _, execution in parts]))
            for parts in rounds
            if parts
        ]
        ends = Stage.WORKING if last else Stage.FILLED
        taken = [Taken(order.ticket, session, Stage.FILLED, QUANTITY) for order in made]
        taken += [Taken(order.ticket, session, ends, Decimal(0) if last else QUANTITY) for order in sold]
        moved = [(each, costs.amount(each.quantity, each.price)) for parts in rounds for _, each in parts]
        commit(
            self._connection,
            ledger.settle(ledger.PAPER, session, ROUND, at),
            *(decide(order.ticket.symbol, int(order.correlation_id, 16))[1] for order in (*made, *sold)),
            *orders.insert(*made, *sold),
            *(statement for each in booked for statement in each),
            *paper.write(taken, moved, dict.fromkeys(SYMBOLS, session), at),
        )

    def _order(self, symbol: Symbol, side: Side, at: int, *, works: bool) -> Order:
        id_, _ = decide(symbol, self._orders)
        about, price, of = CorrelationId(f"{self._orders:032x}"), self._closes[symbol], orders.client_id(id_, ENTRY)
        self._orders += 1
        state, ticket = OrderState.APPROVED, Ticket(of, symbol, side, QUANTITY)
        if works:
            state, ticket = OrderState.WORKING, Ticket(of, symbol, side, QUANTITY, Kind.LIMIT, InForce.GTC, price / 2)
        return Order(ticket, id_, about, ledger.PAPER, state, Decimal(0), price, "made up", at, at, "person")

    def _part(self, order: Order, session: dt.date, quantity: Decimal, at: int) -> Execution:
        symbol, side = order.ticket.symbol, order.ticket.side
        price = order.price if side is Side.BUY else order.price + Decimal("0.1")
        name = f"{order.id}@{session}-{quantity}"
        return Execution(order.id, name, symbol, side, quantity, price, Decimal(1), session, at)

    def _booked(self, execution: Execution, at: int) -> ledger.Booking:
        done = matched(lots := self._lots[execution.symbol], execution)
        self._lots[execution.symbol] = list(left(lots, done))
        return ledger.fill(execution, ledger.PAPER, ROUND, at, done)


def fill(home: Home, count: int) -> None:
    """So many orders, a multiple of a hundred, and ten times as many entries."""
    connection = open_for_writing(home, {"price_source": "sample", "currency": "USD"}, 0)
    read, sessions = Reader(home.database), count // (2 * len(SYMBOLS))
    commit(connection, *ledger.opening((), CASH, "made up", ROUND, 0))
    for symbol, each in prices(SYMBOLS).items():
        commit(connection, *bars.replace(read, symbol, each))
    past = Past(connection)
    for number in range(sessions):
        past.session(LAST - dt.timedelta(days=sessions - 1 - number), last=number == sessions - 1)
        if number % 20 == 0:
            connection.restart_log()
    read.close()
    connection.close()


def commit(connection: WriteConnection, *statements: Statement | Many) -> None:
    [result] = connection.commit([statements])
    assert not isinstance(result, StatementFailed), result


def look(desk: composed.Desk) -> float:
    """Seconds that it takes to compare the accounts."""
    began = time.perf_counter()
    looked: Finished | Refused = desk.system.ask(
        desk.trading, lambda reply_to: Run(Lease(0, 1), Reconcile(), ROUND, reply_to), within=120
    )
    assert isinstance(looked, Finished), looked
    return time.perf_counter() - began


def start(home: Home) -> Figures:
    """How long it takes to compose a desk there and start it, and to look at the broker, at first and then again."""
    began = time.perf_counter()
    with process.desk_in(home, serve=False) as (desk, _, _):
        ready = time.perf_counter() - began
        first, again = look(desk), look(desk)
        if (state := states.state(desk.access.read, ledger.PAPER)) != (TradingState.ACTIVE, ""):
            raise SystemExit(f"the made up desk does not trade: {state}")
    return {"start_100k_s": ready, "first_look_100k_ms": first * 1e3, "look_100k_ms": again * 1e3}


def in_child(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    """One round before them warms up."""
    forget_claude(os.environ)
    home = Home(place / "desk")
    home.take()
    fill(home, int(plan["orders"]))
    home.release()
    for repeat in range(-1, repeats):
        figures = start(home)
        if repeat >= 0:
            yield figures
