"""Splits and dividends of what is held on paper: booked once each, before anything that was executed in new shares."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final

from actors.domain import lots
from actors.domain.actions import adjusted
from messages.broker import Adjusted, ClientId
from messages.database import Statement
from messages.market import Action, ActionKind
from messages.trading import Order, OrderState
from messages.values import UNIT, CorrelationId, Symbol
from storage import due as dues
from storage import ledger, orders
from storage.connections import Reader
from storage.due import Due

UNASKED: Final = CorrelationId("0" * 32)
"""What splits and dividends belong to, which nobody has asked for."""
_WIDE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def due(read: Reader, broker: str) -> tuple[Due, ...]:
    """Those of the first session that has any."""
    found = dues.due(read, broker)
    return tuple(each for each in found if each.action.session == found[0].action.session)


def sessions(read: Reader, broker: str) -> dict[Symbol, dt.date]:
    """Of each symbol that has one to be booked, from which session on executions are in other shares than the books."""
    return {each.action.symbol: each.action.session for each in reversed(dues.due(read, broker))}


def awaited(each: Due) -> str:
    """What to say to whoever has to wait for it."""
    action = each.action
    return f"the {action.kind} of {action.symbol} on {action.session} is being booked; try again in a moment"


def cannot_be(due: Collection[Due], why: str) -> str:
    """What to say where they cannot be booked."""
    those = ", ".join(f"{each.action.kind} of {each.action.symbol} on {each.action.session}" for each in due)
    return f"{those}: cannot be booked: {why}; correct it where prices come from, and refresh them"


def book(
    read: Reader, due: Collection[Due], changed: Iterable[Adjusted], broker: str, now: int
) -> tuple[Statement, ...]:
    """What was held before that session gets its shares or its money, and orders that the broker has changed follow it.

    All that was executed before is on disk, and nothing that was executed since. Raises OutOfRange.
    """
    statements = list[Statement]()
    for each in due:
        action = each.action
        statements.append(dues.done(action, broker, now))
        if each.counts:
            statements += _booked(read, action, broker, now)
    known, changes = dict[ClientId, Order](), defaultdict[ClientId, list[Action]](list)
    for change in changed:
        if (order := orders.by_id(read, change.client_id)) is not None:
            known[order.id] = order
            changes[order.id] += [each.action for each in due if _is_of(change, each.action)]
    for leg in orders.legs(read, {each.action.symbol for each in due}):
        if leg.is_here:
            known[leg.id] = leg
            changes[leg.id] += [each.action for each in due if each.action.symbol == leg.ticket.symbol]
    return (*statements, *(each for id_, of in changes.items() for each in follow(known[id_], of, now)))


def _booked(read: Reader, action: Action, broker: str, now: int) -> Iterable[Statement]:
    """Of what is known late: shares that came by it were split by later splits, too."""
    held = dues.lots_before(read, broker, action.symbol, action.session)
    if not held:
        return ()
    about = broker, action.session, UNASKED, now
    if action.kind is ActionKind.DIVIDEND:
        with localcontext(_WIDE):
            amount = (sum((lot.quantity for lot in held), Decimal(0)) * action.value).quantize(UNIT)
        return ledger.dividend(action.symbol, amount, *about) if amount else ()
    before, after = tuple(held), lots.split(held, action.value, action.per)
    for each in dues.later(read, broker, action):
        if each.kind is ActionKind.SPLIT:
            before, after = (lots.split(both, each.value, each.per) for both in (before, after))
    there = {lot.id for lot in ledger.lots(read, broker, action.symbol)}
    return ledger.split(action.symbol, before, after, *about, gone={lot.id for lot in held} - there)


def _is_of(change: Adjusted, action: Action) -> bool:
    return (change.symbol, change.session, change.kind) == (action.symbol, action.session, action.kind)


def follow(order: Order, made: Iterable[Action], now: int) -> tuple[Statement, ...]:
    """The same that the broker has made of it, by the same function. It knows nothing of what is watched here."""
    ticket, why = order.ticket, list[str]()
    for action in made:
        if isinstance(changed := adjusted(ticket, order.filled, action), str):
            return orders.move(order.id, OrderState.CANCELLED, changed, now) if order.is_here else ()
        what = f"{action.value:f}:{action.per:f}" if action.kind is ActionKind.SPLIT else f"of {action.value:f} a share"
        ticket = changed
        why.append(f"{action.kind} {what} on {action.session}")
    return orders.adjust(order, ticket, "; ".join(why), now) if why else ()
