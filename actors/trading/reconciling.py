"""The broker's view of the account and ours: what is adopted, what is booked by it, and whether both agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.me import Me
from actors.trading import actions, activities
from actors.trading.activities import CannotBe, Moved, Statements
from actors.trading.books import Books, Returned, pass_on
from actors.trading.judging import Judge
from messages import broker
from messages.addresses import Ref, Refused
from messages.broker import Look, LookUp, Seen, Stage, View
from messages.tasks import Finished, Run
from messages.trading import OrderState
from messages.values import OutOfRange
from storage import ledger, orders
from storage.connections import Reader
from storage.due import Due

if TYPE_CHECKING:
    from actors.trading.account import Account

VIEW_WITHIN: Final = 90.0
"""Seconds a broker may take to say all there is."""
OVERLAP: Final = 86_400 * 10**6
"""Microseconds before the newest fill from which on executions are looked at again; what is booked is booked once."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A look at the whole account, for this task if it is one.

    When it was asked for so many fills had been `booked`, the books had been `opened` then, 0 if they were not, and
    these splits and dividends were `due`. Then `then` is done, knowing whether both sides agree; where that cannot be
    told, they do not.
    """

    run: Run | None
    booked: int
    opened: int
    due: tuple[Due, ...]
    then: Callable[[bool], None]


class Reconciling:
    """Adopts what is ours and was not known, books what the broker has moved by itself, and compares."""

    def __init__(
        self, me: Me[Any], books: Books, account: Account, to: Ref[broker.Request], judge: Judge, read: Reader
    ) -> None:
        self._me, self._books, self._account, self._to, self._judge, self._read = me, books, account, to, judge, read

    def look(self, run: Run | None, then: Callable[[bool], None] = lambda agree: None) -> None:
        """Have the broker say all there is; what was executed before the books were opened is in the opening."""
        name = self._judge.broker
        opened = ledger.opened_at(self._read, name)
        since = max(opened, orders.last_fill(self._read, name) - OVERLAP)
        looked = Looked(run, self._account.booking.begun, opened, actions.due(self._read, name), then)
        self._to.tell(Look(since, self._me.reply_to(looked, of=self._to, within=VIEW_WITHIN)))

    def viewed(self, looked: Looked, view: View) -> None:
        """Adopt what is ours and was not known, look up what the broker does not mention, then compare.

        What was executed from a split's session on is in other shares, and is booked after it.
        """
        if (opened := ledger.opened_at(self._read, self._judge.broker)) != looked.opened:
            self.look(looked.run, looked.then)  # of what was said some is part of the opening, and nothing says what
            return
        if not opened:
            self._ended(looked, agree=True)
            return
        booking, moved = self._account.booking, activities.due(self._read, self._judge.broker, view)
        quiet, first = booking.begun == looked.booked, moved.splits[0].session if moved.splits else None
        booking.add(each for each in view.executions if first is None or each.session < first)
        looked = replace(looked, booked=booking.begun if quiet else -1)
        if moved.splits and booking.quiet:
            self._split(looked, view, moved)
            return
        if moved.splits:  # by then another look may have booked them
            self._when_booked(looked, partial(self.viewed, looked, view))
            return
        for seen in view.orders:
            self._account.see(seen.client_id, seen)
            self._end(seen)
        mentioned = {seen.client_id for seen in view.orders}
        for order in orders.open_orders(self._read):
            known = order.id in mentioned or order.id in self._books.busy or order.is_here
            if order.state is OrderState.WORKING and not known:
                self._account.ask(order, partial(LookUp, order.id), partial(self._account.see, order.id))
        made = partial(activities.book_cash, moved.cash, self._judge.broker, self._me.clock.utc())
        self._adopt(looked, made, lambda looked: self._compare(looked, view, moved))

    def _end(self, seen: Seen) -> None:
        """What has ended here and works there came to the broker after all: it is not wanted any more."""
        order = orders.by_id(self._read, seen.client_id)
        if order is None or seen.stage is not Stage.WORKING or order.id in self._books.busy:
            return
        if order.state in orders.ENDED and order.state is not OrderState.FILLED:
            self._account.withdraw(order)

    # What the broker has moved by itself

    def _split(self, looked: Looked, view: View, moved: Moved) -> None:
        made = partial(activities.book_splits, self._read, moved.splits, self._judge.broker, self._me.clock.utc())
        self._adopt(looked, made, lambda looked: self.viewed(looked, view))

    def _when_booked(self, looked: Looked, then: Callable[[], None]) -> None:
        """When all executions that are known are on disk, and so how the lots stand."""
        if self._account.booking.quiet:
            then()
            return
        again = partial(self._when_booked, looked, then)
        self._books.write((), lambda rows: again(), partial(self.not_viewed, looked))

    def _adopt(self, looked: Looked, make: Callable[[], Statements], then: Callable[[Looked], None]) -> None:
        """Book it, and meanwhile nothing else; what cannot be booked halts trading."""
        try:
            statements = make()
        except (CannotBe, OutOfRange) as no:
            self._account.halt(f"reconciliation: {no}")
            self._ended(looked, agree=False)
            return
        booking = self._account.booking
        if not statements:
            self._books.write((), lambda rows: then(looked), partial(self.not_viewed, looked))
            return
        quiet = booking.begun == looked.booked
        booking.hold()

        def booked(_: Returned) -> None:
            expected = booking.begun + 1  # whatever waited for it goes on now, and is more
            booking.release()
            then(replace(looked, booked=expected if quiet else -1))

        def refused(why: Refused) -> None:
            booking.release()
            if why.code == "statement":
                self._account.halt(
                    f"reconciliation: what {self._judge.broker} has moved cannot be booked: {why.sentence}"
                )
            self.not_viewed(looked, why)

        self._books.write(statements, booked, refused)

    # Splits and dividends that the prices tell of

    def _act(self, looked: Looked, view: View, due: tuple[Due, ...]) -> None:
        booking = self._account.booking
        if due != looked.due or not booking.quiet:  # what came before is not all there, or not on disk
            self.look(looked.run, looked.then)
            return

        def booked(_: Returned) -> None:
            booking.release()
            self.look(looked.run, looked.then)

        def refused(why: Refused) -> None:
            booking.release()
            if why.code == "statement":
                why = Refused(looked, "invalid", actions.cannot_be(due, why.sentence))
                self._account.halt(why.sentence)
            self.not_viewed(looked, why)

        booking.hold()
        try:
            statements = actions.book(self._read, due, view.adjusted, self._judge.broker, self._me.clock.utc())
        except OutOfRange as error:
            refused(Refused(looked, "statement", str(error)))
        else:
            self._books.write(statements, booked, refused)

    def awaited(self) -> str | None:
        """Why nothing can be judged now: prices are of after a split or a dividend, the books of before."""
        due = actions.due(self._read, self._judge.broker)
        return actions.awaited(due[0]) if due else None

    # Whether both agree

    def _compare(self, looked: Looked, view: View, moved: Moved) -> None:
        """If nothing else was booked since it was asked for, both agree to the last share and cent.

        Before that, splits and dividends are booked, and all of it is looked at again.
        """
        if due := actions.due(self._read, self._judge.broker):
            self._act(looked, view, due)
            return
        quiet = self._account.booking.begun == looked.booked and not self._account.booking
        difference = self._judge.difference(view) if quiet else None
        if difference is not None:
            self._account.halt("; ".join((difference, *map(activities.not_understood, moved.unknown[-3:]))))
        self._ended(looked, agree=quiet and difference is None)

    def _ended(self, looked: Looked, *, agree: bool) -> None:
        looked.then(agree)
        if looked.run is not None:
            looked.run.reply_to.tell(Finished(looked.run.lease, ()))

    def not_viewed(self, looked: Looked, refused: Refused) -> None:
        """It is looked again later."""
        looked.then(False)
        if looked.run is not None:
            pass_on(looked.run.reply_to, refused)
