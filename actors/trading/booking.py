"""What was executed, into the books: each fill with its ledger lines, once."""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, Final

from actors.domain.lots import BadExecution, matched
from actors.kernel.me import Me
from actors.trading import actions
from actors.trading.books import Books
from actors.trading.judging import Judge
from messages.addresses import Refused
from messages.broker import ClientId, Execution
from messages.correlation import of
from messages.database import Statement
from messages.trading import Order
from messages.values import OutOfRange, Symbol
from storage import ledger, orders
from storage.connections import Reader

NEVER: Final = dt.date.max


class Booking:
    """One write of fills is on its way at a time, of each symbol one at most; what comes meanwhile goes after it.

    So the lots that a fill takes from are those on disk. Where the database refuses a write of several, each goes
    alone, and the one that cannot be booked halts trading. `begun` counts what was ever sent to the disk.
    """

    def __init__(self, me: Me[Any], books: Books, judge: Judge, read: Reader, halt: Callable[[str], None]) -> None:
        self._me, self._books, self._judge, self._read, self._halt = me, books, judge, read, halt
        self._waiting, self._writing, self._alone, self._holds, self.begun = list[Execution](), False, 0, 0, 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def quiet(self) -> bool:
        """Whether all that it was told is on disk."""
        return not (self._writing or self._holds or self._waiting)

    def hold(self) -> None:
        """Book nothing until `release`: what is written now comes before it."""
        self._holds += 1
        self.begun += 1

    def release(self) -> None:
        """Go on. A look that was asked for meanwhile has not seen what was written."""
        self._holds -= 1
        self.begun += 1
        self._next()

    def add(self, executions: Iterable[Execution]) -> None:
        """Book those that are not in the books."""
        self._waiting += executions
        self._next()

    def _next(self) -> None:
        while self._waiting and not (self._writing or self._holds):
            self._book(self._take())

    def _take(self) -> dict[Symbol, Execution]:
        booked = orders.booked(self._read, self._judge.broker, (each.execution_id for each in self._waiting))
        taken, rest = dict[Symbol, Execution](), list[Execution]()
        due = actions.sessions(self._read, self._judge.broker)
        for execution in self._waiting:
            if execution.execution_id in booked:
                continue
            if execution.session >= due.get(execution.symbol, NEVER):  # the next look at the account finds it again
                continue
            if execution.symbol in taken or (taken and self._alone):
                rest.append(execution)
            else:
                taken[execution.symbol] = execution
        self._waiting, self._alone = rest, max(0, self._alone - 1)
        return taken

    def _book(self, taken: dict[Symbol, Execution]) -> None:
        known = orders.by_ids(self._read, (execution.client_id for execution in taken.values()))
        lots, now, name = (
            ledger.lots_of(self._read, self._judge.broker, taken),
            self._me.clock.utc(),
            self._judge.broker,
        )
        parts, lines = list[tuple[Order, Execution]](), list[ledger.Booking]()
        for symbol, execution in taken.items():
            if (order := self._order(known, execution)) is not None:
                try:
                    done = matched(lots[symbol], execution)
                    lines.append(ledger.fill(execution, name, order.correlation_id, now, done))
                except (BadExecution, OutOfRange) as no:
                    self._halt(f"execution {execution.execution_id} of order {order.id} cannot be booked: {no}")
                else:
                    parts.append((order, execution))
        if parts:
            statements = (*orders.fill(parts, now), ledger.together(lines))
            with of(*(order.correlation_id for order, _ in parts)):
                self._write([execution for _, execution in parts], statements)

    def misfit(self, execution: Execution) -> str | None:
        """Why it cannot be one of its order, as far as that is on disk."""
        return self._misfit(orders.by_id(self._read, execution.client_id), execution)

    def _misfit(self, order: Order | None, execution: Execution) -> str | None:
        return "its order is none of this desk" if order is None else self._judge.wrong(order, execution)

    def _order(self, known: dict[ClientId, Order], execution: Execution) -> Order | None:
        """The order that it is one of; where it cannot be, trading halts."""
        order = known.get(execution.client_id)
        if (misfit := self._misfit(order, execution)) is None:
            return order
        self._halt(f"execution {execution.execution_id}: {misfit}")
        return None

    def _write(self, booking: list[Execution], statements: tuple[Statement, ...]) -> None:
        self._writing = True
        self.begun += len(booking)

        def booked() -> None:
            self._writing = False
            self._next()

        def refused(why: Refused) -> None:
            """What there is no room for is seen again with the next look, and so is what may rest on it."""
            self.begun += 1  # what was to be compared with it is not compared
            if why.code == "statement" and len(booking) > 1:
                self._waiting[:0], self._alone = booking, len(booking)
            else:
                lost = {execution.symbol for execution in booking}
                self._waiting = [each for each in self._waiting if each.symbol not in lost]
            if why.code == "statement" and len(booking) == 1:
                [execution] = booking
                of = f"{execution.execution_id} of order {execution.client_id}"
                self._halt(f"execution {of} cannot be booked: {why.sentence}")
            booked()

        self._books.write(statements, lambda rows: booked(), refused)
