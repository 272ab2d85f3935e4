"""From decisions to orders: judged, kept, and those sent that a mandate allows."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from actors.kernel.me import Me
from actors.trading.account import Account
from actors.trading.books import Books, pass_on
from actors.trading.judging import Judge
from messages.addresses import Refused
from messages.broker import ClientId
from messages.correlation import of
from messages.tasks import Finished, Run, StageOrder
from messages.trading import Order, OrderState
from storage import orders
from storage.connections import Reader

AGAIN: Final = 10**6
"""Microseconds after which a task is tried again that waits for a split or a dividend to be booked."""


class Staging:
    """One write of new orders is on its way at a time; what comes meanwhile is judged after it, together.

    Where the database refuses a write of several, each goes alone, so that only the one is refused that cannot be kept.
    """

    def __init__(self, me: Me[Any], books: Books, judge: Judge, read: Reader, account: Account) -> None:
        self._me, self._books, self._judge, self._read, self._account = me, books, judge, read, account
        self._waiting, self._writing, self._alone = list[Run](), False, 0

    def add(self, run: Run) -> None:
        """Make an order of this decision, unless there is one."""
        self._waiting.append(run)
        self._next()

    def _next(self) -> None:
        while self._waiting and not self._writing:
            most = 1 if self._alone else len(self._waiting)
            runs, self._waiting = self._waiting[:most], self._waiting[most:]
            self._alone = max(0, self._alone - 1)
            asked = dict[str, list[Run]]()
            for run in runs:
                if not run.reply_to.told:
                    asked.setdefault(run.expect(StageOrder).decision, []).append(run)
            if asked:
                self._stage(asked)

    def _stage(self, asked: dict[str, list[Run]]) -> None:
        there = orders.staged(self._read, asked)
        busy, now = self._books.busy.values(), self._me.clock.utc()
        if (why := self._account.view.awaited()) is not None:
            self._account.view.look(None)
            for run in (run for runs in asked.values() for run in runs):
                run.reply_to.refuse("gated", why, now + AGAIN)
            return
        drafts = self._judge.drafts([decision for decision in asked if decision not in there], busy, now)
        for decision, runs in asked.items():
            for run in runs if decision not in drafts else ():
                if decision in there:
                    run.reply_to.tell(Finished(run.lease, ()))
                else:
                    run.reply_to.refuse("invalid", f"there is no decision {decision}")
        if drafts:
            self._keep([(order, asked[decision]) for decision, order in drafts.items()])

    def _keep(self, new: list[tuple[Order, list[Run]]]) -> None:
        self._writing = True
        ids = [order.id for order, _ in new]
        self._books.busy.update((order.id, order) for order, _ in new)

        def ended() -> None:
            self._writing = False
            for id_ in ids:
                self._books.busy.pop(id_, None)

        def kept() -> None:
            ended()
            for _, runs in new:
                for run in runs:
                    run.reply_to.tell(Finished(run.lease, ()))
            if approved := [order for order, _ in new if order.state is OrderState.APPROVED]:
                self._account.send(*approved)
            self._next()

        def refused(why: Refused) -> None:
            ended()
            runs = [run for _, of in new for run in of]
            if why.code == "statement" and len(new) > 1:
                self._waiting[:0], self._alone = runs, len(runs)
            else:
                for run in runs:
                    pass_on(run.reply_to, why)
            self._next()

        with of(*(order.correlation_id for order, _ in new)):
            self._books.write(orders.insert(*(order for order, _ in new)), lambda rows: kept(), refused)

    # What waits for the market

    def send_waiting(self) -> None:
        """Send what waits for the market under a mandate, if it may go now."""
        if self._account.view.awaited() is None:
            self._send_next(deque(self._parked()))

    def _parked(self) -> Iterator[ClientId]:
        return (each.id for each in orders.outstanding(self._read) if each.waits_under is not None)

    def _send_next(self, waiting: deque[ClientId]) -> None:
        """Send what waits for the market under a mandate, one after the other: the next counts the one before it."""
        while waiting:
            order, now = orders.by_id(self._read, waiting.popleft()), self._me.clock.utc()
            if order is None or order.state is not OrderState.STAGED or order.expires_at <= now:
                continue
            if order.id in self._books.busy:  # it is being seen to
                continue
            judged = self._judge.waiting(order, self._books.busy.values(), now)
            if judged.state is OrderState.APPROVED:
                self._books.keep(judged, orders.approve(judged, now), partial(self._sent_one, judged, waiting))
                return
            if judged.why != order.why:
                self._books.move(order, OrderState.STAGED, judged.why, lambda: None)

    def _sent_one(self, order: Order, waiting: deque[ClientId]) -> None:
        self._account.send(order)
        self._send_next(waiting)
