"""Other prices for an order at work: wanted by a person, checked, committed, and made once, whatever comes back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from actors.kernel.me import Me
from actors.trading.account import RESOLVE_AFTER, Account
from actors.trading.books import Books, pass_on
from actors.trading.judging import Judge
from messages.addresses import Refused, ReplyTo
from messages.broker import LookUp, Replace, Seen, Stage, Ticket
from messages.trading import Amend, Order, OrderState, Said
from storage import amendments, orders
from storage.amendments import Amendment
from storage.connections import Reader

MADE_NOT: Final = frozenset({"halted", "declined", "absent"})
"""Codes by which a broker says that the prices are what they were."""


@dataclass(frozen=True, slots=True)
class ResolveAmendment:
    """Find out what became of it, if that is still not known."""

    amendment: Amendment


class Amending:
    """A change is asked for under its number, as often as it takes; the order keeps its id, and its place on paper."""

    def __init__(self, me: Me[Any], books: Books, account: Account, judge: Judge, read: Reader) -> None:
        self._me, self._books, self._account, self._judge, self._read = me, books, account, judge, read

    def begin(self) -> None:
        """What was wanted when the last run ended may have been made or not."""
        for amendment in amendments.open_ones(self._read):
            self._me.after(0.0, ResolveAmendment(amendment))

    def intend(self, order: Order, asked: Amend) -> None:
        """A person wants it; the order works, and nothing else is under way with it."""
        ticket = replace(order.ticket, limit=asked.limit or order.ticket.limit, stop=asked.stop or order.ticket.stop)
        refuse = asked.reply_to.refuse
        if (why := _unfit(order, asked, ticket)) is not None:
            refuse("invalid", f"order {order.id}: {why}")
            return
        if any(each.order == order.id for each in amendments.open_ones(self._read)):
            refuse("invalid", f"order {order.id}: another change is under way; look again with `run.py orders`")
            return
        now = self._me.clock.utc()
        if (why := self._judge.amended(order, ticket, self._books.busy.values(), now)) is not None:
            refuse("denied", f"order {order.id} stays as it is: {why}")
            return
        if order.is_here:
            self._watch_at(order, ticket, now, asked)
            return
        number = amendments.last(self._read, order.id) + 1
        amendment = Amendment(order.id, number, ticket.limit, ticket.stop)
        wanted = f"{_prices(ticket)} is wanted in the place of {_prices(order.ticket)}"
        statements = (amendments.intend(amendment, wanted, now), orders.note(order.id, "amending", wanted, now))
        self._books.keep(order, statements, lambda: self._send(order, amendment, asked.reply_to), asked.reply_to)

    def _watch_at(self, order: Order, ticket: Ticket, now: int, asked: Amend) -> None:
        """Its broker knows nothing of it."""
        why = f"it is watched at {_prices(ticket)}"
        said = partial(asked.reply_to.tell, Said(f"order {order.id} is amended: {why}"))
        self._books.keep(order, orders.amend(order, ticket, why, now), said, asked.reply_to)

    def _send(self, order: Order, amendment: Amendment, reply_to: ReplyTo[Any] | None) -> None:
        make = partial(Replace, order.id, amendment.number, amendment.limit, amendment.stop)
        self._account.ask(
            order,
            make,
            lambda seen: self._seen(order, amendment, seen, reply_to, self._not_yet),
            lambda refused: self._refused(order, amendment, refused, reply_to),
        )

    def _refused(self, order: Order, amendment: Amendment, refused: Refused, reply_to: ReplyTo[Any] | None) -> None:
        if refused.code in MADE_NOT:
            self._end(order, amendment, None, refused.sentence, reply_to)
            return
        if reply_to is not None:
            reply_to.refuse("unknown", f"order {order.id}: nobody knows yet whether it was changed: {refused.sentence}")
        self._me.after(RESOLVE_AFTER, ResolveAmendment(amendment))

    def _seen(
        self,
        order: Order,
        amendment: Amendment,
        seen: Seen,
        reply_to: ReplyTo[Any] | None,
        not_made: Callable[[Order, Amendment], None],
    ) -> None:
        if seen.change >= amendment.number:
            ticket = replace(order.ticket, limit=amendment.limit, stop=amendment.stop)
            self._end(order, amendment, ticket, f"it works at {_prices(ticket)}", reply_to)
        elif seen.stage is Stage.WORKING:
            not_made(order, amendment)
        else:
            self._end(order, amendment, None, f"it was {seen.stage} before that", reply_to)
        if seen.stage is not Stage.WORKING:
            self._account.see(order.id, seen)

    def _not_yet(self, order: Order, amendment: Amendment) -> None:
        self._me.after(RESOLVE_AFTER, ResolveAmendment(amendment))

    def resolve(self, amendment: Amendment) -> None:
        """Look it up, unless that is known by now."""
        if amendment not in amendments.open_ones(self._read):
            return
        order = orders.by_id(self._read, amendment.order)
        assert order is not None, amendment
        if order.id in self._books.busy:
            self._me.after(RESOLVE_AFTER, ResolveAmendment(amendment))
        elif order.state is not OrderState.WORKING:
            self._end(order, amendment, None, f"it was {order.state} before that", None)
        else:
            self._account.ask(
                order,
                partial(LookUp, order.id),
                lambda seen: self._seen(order, amendment, seen, None, self._again),
                lambda refused: self._refused(order, amendment, refused, None),
            )

    def _again(self, order: Order, amendment: Amendment) -> None:
        """It was looked up, and not made: what held when it was wanted must hold now."""
        ticket = replace(order.ticket, limit=amendment.limit, stop=amendment.stop)
        why = self._judge.amended(order, ticket, self._books.busy.values(), self._me.clock.utc())
        if why is None:
            self._send(order, amendment, None)
        else:
            self._end(order, amendment, None, why, None)

    def _end(
        self, order: Order, amendment: Amendment, ticket: Ticket | None, why: str, reply_to: ReplyTo[Any] | None
    ) -> None:
        """It holds, with this ticket, or never will; then it is cancelled if trading was halted meanwhile."""
        now = self._me.clock.utc()
        ended = amendments.end(amendment, why, done=ticket is not None)
        not_made = (orders.note(order.id, "not amended", why, now),)
        kept = not_made if ticket is None else orders.amend(order, ticket, why, now)

        def told() -> None:
            if reply_to is not None and ticket is not None:
                reply_to.tell(Said(f"order {order.id} is amended: {why}"))
            elif reply_to is not None:
                reply_to.refuse("invalid", f"order {order.id} is not amended: {why}")
            self._account.pursue()

        def lost(refused: Refused) -> None:
            if reply_to is not None:
                pass_on(reply_to, refused)
            self._me.after(RESOLVE_AFTER, ResolveAmendment(amendment))

        self._books.write((ended, *kept), lambda rows: told(), lost)


def _unfit(order: Order, asked: Amend, ticket: Ticket) -> str | None:
    """Why a change cannot be meant, before any price is looked at."""
    for name, wanted, has in (("limit", asked.limit, order.ticket.limit), ("stop", asked.stop, order.ticket.stop)):
        if wanted is not None and has is None:
            return f"a {ticket.kind} order has no {name} to be changed"
        if wanted is not None and not (wanted.is_finite() and wanted > 0):
            return f"the {name} {wanted:.12g} is no price above 0"
    if asked.limit is None and asked.stop is None:
        return "say which price is to change, --limit or --stop"
    if order.filled:
        return f"{order.filled:f} of it are filled already; cancel the rest of it instead"
    if ticket.take_profit is not None or ticket.stop_loss is not None:
        return "its stop and its target hang on it; cancel it instead"
    return "it works at that price already" if ticket == order.ticket else None


def _prices(ticket: Ticket) -> str:
    """Its prices, as a person reads them."""
    named = (("limit", ticket.limit), ("stop", ticket.stop))
    return " and ".join(f"{name} {price:f}" for name, price in named if price is not None)
