"""A paper account in memory: its open orders and what was traded. All of it is read from rows, and goes to rows."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from actors.domain import actions as changing
from actors.domain import costs as prices
from actors.domain import matching
from actors.domain.costs import Costs
from actors.domain.matching import Bar
from messages.broker import Adjusted, ClientId, Executed, Execution, Seen, Shares, Side, Stage, Ticket
from messages.database import Statement
from messages.market import Action
from messages.paper import Order
from messages.values import Symbol
from storage import paper
from storage.connections import Reader
from storage.paper import Known


class Account:
    """What is on disk, and what has changed since; `write` hands that out. A new one on the same file is what is kept.

    `took` says whether there are new orders among it, or other prices.
    """

    def __init__(self, read: Reader, costs: Costs) -> None:
        self._read, self._costs, self.took = read, costs, False
        self._open = dict[Symbol, dict[ClientId, Order]]()  # in order of arrival
        for order in paper.working(read):
            self._open.setdefault(order.ticket.symbol, {})[order.ticket.client_id] = order
        self._matched = paper.matched(read)
        self._used = dict[Symbol, tuple[dt.date, Decimal]]()
        self._shares, self._cash = defaultdict[Symbol, Decimal](Decimal), Decimal(0)
        for traded in paper.traded(read):
            self._book(traded.symbol, traded.side, traded.quantity, traded.amount, traded.fees)
        self._changed, self._advanced = dict[ClientId, Order](), dict[Symbol, dt.date]()
        self._executed, self._kept = list[tuple[Execution, Decimal]](), dict[ClientId, Known]()
        self._adjusted = list[Adjusted]()

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Those that have open orders."""
        return tuple(self._open)

    def recall(self, client_ids: Iterable[ClientId]) -> None:
        """Look on disk for these orders, all at once; `find` knows no others there."""
        self._kept = paper.find(self._read, client_ids)

    def find(self, client_id: ClientId) -> Known | None:
        """An order, whatever has become of it."""
        if (order := self._changed.get(client_id)) is not None:
            return Known(order.ticket.symbol, order.seen)
        return self._kept.get(client_id)

    def behind(self, symbol: Symbol, session: dt.date) -> dt.date | None:
        """Where its open orders have not met all bars up to this session: the last that they have."""
        matched = self._matched.get(symbol)
        return matched if matched is not None and matched < session and symbol in self._open else None

    def work(self, symbol: Symbol, bars: Sequence[Bar], actions: Iterable[Action], at: int) -> list[Executed]:
        """Match its open orders against these bars, which come after all that they have met.

        So do the actions, each of which is met before the bar of its session, and so once.
        """
        executed = list[Executed]()
        for bar in bars:
            for action in actions:
                if action.session == bar.session:
                    self._adjust(symbol, action)
            self._used[symbol] = bar.session, Decimal(0)
            executed += self._match(symbol, tuple(self._open.get(symbol, {}).values()), bar, at)
            self._advance(symbol, bar.session)
        return executed

    def take(self, ticket: Ticket, present: Bar, at: int) -> list[Executed]:
        """A new order, matched against the quote of that session at once."""
        self.took = True
        order = Order(ticket, present.session)
        self._change(order)
        executed = self._match(ticket.symbol, (order,), matching.quote(present), at)
        self._advance(ticket.symbol, present.session)
        return executed

    def reject(self, ticket: Ticket, why: str, session: dt.date | None) -> None:
        """It is known from now on, as one that was not taken."""
        self.took = True
        self._change(Order(ticket, session, Stage.REJECTED, why=why))

    def withdraw(self, known: Known) -> None:
        """Cancel it, unless it has ended."""
        if (order := self._open.get(known.symbol, {}).get(known.seen.client_id)) is not None:
            self._change(matching.cancelled(order, "it was withdrawn"))

    def replace(self, known: Known, number: int, limit: Decimal | None, stop: Decimal | None) -> str | None:
        """Other prices from the next bar on; it keeps its place. Why not, if not."""
        order = self._open.get(known.symbol, {}).get(known.seen.client_id)
        assert order is not None, known  # it works
        if order.triggered or order.filled:
            return "its stop was reached, or a part of it was filled already"
        self.took = True
        self._change(replace(order, ticket=replace(order.ticket, limit=limit, stop=stop), change=number))
        return None

    def write(self, now: int) -> tuple[Statement, ...]:
        """What keeps all that has changed; from now on it counts as kept."""
        changed, self._changed = self._changed, {}
        executed, self._executed = self._executed, []
        advanced, self._advanced = self._advanced, {}
        adjusted, self._adjusted = self._adjusted, []
        self.took = False
        return paper.write(changed.values(), executed, advanced, now, adjusted)

    def positions(self, opening: Mapping[Symbol, Decimal]) -> tuple[Shares, ...]:
        """What is held beside, or short of, what the account began with; in order of symbol."""
        both = {symbol: opening.get(symbol, Decimal(0)) + self._shares[symbol] for symbol in {*opening, *self._shares}}
        return tuple(Shares(symbol, held) for symbol, held in sorted(both.items()) if held)

    @property
    def cash(self) -> Decimal:
        """What trading has brought, fees taken off."""
        return self._cash

    def _adjust(self, symbol: Symbol, action: Action) -> None:
        for client_id, order in tuple(self._open.get(symbol, {}).items()):
            ticket = changing.adjusted(order.ticket, order.filled, action)
            if isinstance(ticket, str):
                self._change(matching.cancelled(order, ticket))
                continue
            best = None if order.best is None else changing.best(order.best, order.ticket.side, action)
            if (changed := replace(order, ticket=ticket, best=best)) != order:
                self._change(changed)
                self._adjusted.append(Adjusted(client_id, symbol, action.session, action.kind))

    def _match(self, symbol: Symbol, orders: Sequence[Order], bar: Bar, at: int) -> list[Executed]:
        worked = matching.work(orders, bar, self._used_of(symbol, bar.session), self._costs, at)
        for order in worked.orders:
            self._change(order)
        return self._execute(worked.executions, {order.ticket.client_id: order.seen for order in worked.orders})

    def _execute(self, executions: Iterable[Execution], seen: Mapping[ClientId, Seen]) -> list[Executed]:
        told = list[Executed]()
        for execution in executions:
            moved = prices.amount(execution.quantity, execution.price)
            self._book(execution.symbol, execution.side, execution.quantity, moved, execution.fee)
            used = self._used_of(execution.symbol, execution.session) + execution.quantity
            self._used[execution.symbol] = execution.session, used
            self._executed.append((execution, moved))
            told.append(Executed(execution, seen[execution.client_id]))
        return told

    def _used_of(self, symbol: Symbol, session: dt.date) -> Decimal:
        known = self._used.get(symbol)
        if known is None or known[0] != session:
            known = self._used[symbol] = session, paper.used(self._read, symbol, session)
        return known[1]

    def _change(self, order: Order) -> None:
        client_id, symbol = order.ticket.client_id, order.ticket.symbol
        self._changed[client_id] = order
        if order.stage is Stage.WORKING:
            self._open.setdefault(symbol, {})[client_id] = order
        elif (others := self._open.get(symbol)) is not None:
            others.pop(client_id, None)
            if not others:
                del self._open[symbol]

    def _advance(self, symbol: Symbol, session: dt.date) -> None:
        matched = self._matched.get(symbol)
        if matched is None or matched < session:
            self._matched[symbol] = self._advanced[symbol] = session

    def _book(self, symbol: Symbol, side: Side, quantity: Decimal, moved: Decimal, fees: Decimal) -> None:
        bought = side is Side.BUY
        self._shares[symbol] += quantity if bought else -quantity
        self._cash += (-moved if bought else moved) - fees
