"""What a broker has paid, taken or split by itself: what of it is not in the books yet, and how it is booked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from actors.domain.lots import split
from actors.trading.actions import follow
from messages.broker import Activity, Cause, View
from messages.database import Statement
from messages.errors import TroupeError
from messages.lots import Lot
from messages.market import Action, ActionKind
from messages.values import CorrelationId, Symbol
from storage import ledger, orders
from storage.connections import Reader

UNASKED: Final = CorrelationId("0" * 32)
"""What settlements and a broker's own doings belong to, which nobody has asked for."""
Statements = tuple[Statement, ...]


class CannotBe(TroupeError):
    """A split of shares that are not held, or of more than are."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What is not booked yet, in order of session; of `splits` all rows of the first session that has any."""

    cash: tuple[Activity, ...]
    splits: tuple[Activity, ...]
    unknown: tuple[Activity, ...]


def due(read: Reader, broker: str, view: View) -> Moved:
    """What has happened since the books were opened, and is not in them. What was before, the opening has in it."""
    since = ledger.opened_at(read, broker)
    later = sorted((each for each in view.activities if each.at >= since), key=lambda each: (each.session, each.id))
    cash = (each for each in later if each.cause in ledger.MOVED)
    splits = [each for each in later if each.cause is Cause.SPLIT and not _is_split(read, broker, each)]
    return Moved(
        tuple(each for each in cash if not ledger.is_booked(read, broker, ledger.MOVED[each.cause][0], each.id)),
        tuple(each for each in splits if each.session == splits[0].session),
        tuple(each for each in later if each.cause is Cause.UNKNOWN),
    )


def _is_split(read: Reader, broker: str, row: Activity) -> bool:
    return ledger.is_booked(read, broker, "split", f"{row.symbol} {row.session}")


def book_cash(moved: Iterable[Activity], broker: str, now: int) -> Statements:
    """Each once. Raises OutOfRange."""
    return tuple(statement for each in moved for statement in ledger.moved(each, broker, UNASKED, now))


def book_splits(read: Reader, rows: Sequence[Activity], broker: str, now: int) -> Statements:
    """Those of one session, a symbol's rows together: some go and others come. Raises CannotBe."""
    statements = list[Statement]()
    for symbol in sorted({each.symbol for each in rows if each.symbol is not None}):
        own = [each for each in rows if each.symbol == symbol]
        before = ledger.lots(read, broker, symbol)
        after = _after(symbol, before, sum((each.shares for each in own), Decimal(0)), own[0].id)
        statements += ledger.split(symbol, before, after, broker, own[0].session, UNASKED, now)
        held, then = (sum((lot.quantity for lot in each), Decimal(0)) for each in (before, after))
        action = Action(symbol, own[0].session, ActionKind.SPLIT, then, held)
        for leg in orders.legs(read, {symbol}):
            statements += follow(leg, [action], now) if leg.is_here else ()
    return tuple(statements)


def _after(symbol: Symbol, before: Sequence[Lot], more: Decimal, id_: str) -> tuple[Lot, ...]:
    """The lots after a split by which so many shares have come, to the last of them."""
    held = sum((lot.quantity for lot in before), Decimal(0))
    if not held or (held + more) * held <= 0:
        raise CannotBe(f"activity {id_}: a split brings {more:f} {symbol}, of which the books hold {held:f}")
    lots = split(before, held + more, held)
    off = held + more - sum((lot.quantity for lot in lots), Decimal(0))
    return (*lots[:-1], replace(lots[-1], quantity=lots[-1].quantity + off))


def not_understood(activity: Activity) -> str:
    """What to say of one that may be why both sides differ."""
    shares = f"{activity.shares:f} {activity.symbol or 'shares'}"
    moved = f"{activity.amount:f} of cash and {shares}" if activity.shares else f"{activity.amount:f} of cash"
    return f"activity {activity.id} of type {activity.name} is not understood; it has moved {moved}"
