"""Splits and dividends as text: `symbol,session,kind,value`, one line each, a split as `new:old`."""

from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from typing import Final

from actors.domain.rows import day, rows
from messages.errors import TroupeError
from messages.market import Action, ActionKind, Listed
from messages.values import OutOfRange, Symbol, to_units

FILE: Final = "actions.csv"
HEADER: Final = ("symbol", "session", "kind", "value")


class BadActions(TroupeError):
    """A file of splits and dividends that cannot be read; the message names file and line."""


def parse(text: str, place: str, symbol: Symbol, known: Collection[str]) -> tuple[Listed, ...]:
    """Those of one symbol, in order of their lines; `known` are all symbols there may be. Raises BadActions, BadRows.

    Of the lines of other symbols only the name is looked at: each symbol's are read with its prices.
    """
    first, *body = rows(text, place) or [list[str]()]
    if tuple(name.strip().lower() for name in first) != HEADER:
        raise BadActions(f"{place} line 1: the header is {','.join(first)!r}; write {','.join(HEADER)}")
    found, seen = list[Listed](), dict[object, str]()
    for number, row in enumerate(body, 2):
        here, fields = f"{place} line {number}", [field.strip() for field in row]
        if len(fields) != len(HEADER):
            raise BadActions(f"{here}: has {len(fields)} fields, the header {len(HEADER)}; write one for each")
        name = fields[0].upper()
        if name not in known:
            raise BadActions(f"{here}: {fields[0]!r} has no file of prices here; put it there, or leave the line out")
        if name == symbol:
            action = _action(here, symbol, *fields[1:])
            if (before := seen.setdefault((action.session, action.kind), here)) is not here:
                raise BadActions(f"{here}: {symbol} has a {action.kind} of {action.session} already, in {before}")
            found.append(Listed(action, here))
    return tuple(found)


def _action(here: str, symbol: Symbol, session: str, kind: str, value: str) -> Action:
    try:
        on = day(session)
    except ValueError:
        raise BadActions(f"{here}: session is {session!r}; write a date such as 2013-03-01") from None
    match kind.lower():
        case ActionKind.DIVIDEND:
            return Action(symbol, on, ActionKind.DIVIDEND, _amount(here, "a dividend", value))
        case ActionKind.SPLIT:
            new, colon, old = value.partition(":")
            if not colon:
                raise BadActions(f"{here}: a split is {value!r}; write new:old, such as 2:1")
            ratio = _amount(here, "a side of a split", new), _amount(here, "a side of a split", old)
            if ratio[0] == ratio[1]:
                raise BadActions(f"{here}: a split {value} changes nothing; leave the line out")
            return Action(symbol, on, ActionKind.SPLIT, *ratio)
        case _:
            raise BadActions(f"{here}: kind is {kind!r}; write {' or '.join(ActionKind)}")


def _amount(here: str, what: str, text: str) -> Decimal:
    try:
        amount = Decimal(text if text.isascii() and text.replace(".", "", 1).isdecimal() else "nan")
        exact = amount.is_finite() and amount > 0 and to_units(amount) * Decimal("1e-9") == amount
    except (InvalidOperation, OutOfRange):
        exact, amount = False, Decimal(0)
    if not exact:
        raise BadActions(f"{here}: {what} is {text!r}; write a number above 0 with at most nine decimals")
    return amount
