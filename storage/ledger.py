"""The ledger: double entries in units of 1e-9, append-only, and what they sum to by account and by lot.

A transaction with all its entries is one row inserted into the view `ledger_bookings`, whose trigger writes both, keeps
the sums and chains it (storage/chain.py). One that is there already, by its broker and its reference, changes nothing.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from messages.broker import Activity, Cause, Execution, Side
from messages.database import Many, Statement
from messages.lots import Lot, Matched, Realised
from messages.trading import Held, Holding
from messages.values import CorrelationId, Symbol, from_units, to_units
from storage.connections import Reader

MOVED: Final = {
    Cause.FEE: ("trade", "fees"), Cause.DIVIDEND: ("dividend", "dividends"), Cause.INTEREST: ("dividend", "dividends"),
    Cause.TRANSFER: ("deposit", "deposits"),
}  # fmt: skip
"""The kind of a booking of cash that a broker has moved by itself, and what it stands against."""
PAPER: Final = "paper"
"""The account that an import opens, unless another is named."""
Line = tuple[str, Symbol | None, int, int, str | None, str | None]
"""A line of the books: account, symbol, quantity, amount, when it was acquired, and its lot."""
Booking = tuple[Statement, Statement]
"""Whether it is new, as ((1,),) or ((0,),), and the booking, which changes nothing if it is not."""
_BOOK: Final = """INSERT INTO ledger_bookings (kind, origin, correlation_id, at, broker, reference, session, lines)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_BOOK_ALL: Final = """INSERT INTO ledger_bookings (kind, origin, correlation_id, at, broker, reference, session, lines)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM json_each(?) ORDER BY key"""
_NEW: Final = """SELECT NOT EXISTS (
    SELECT 1 FROM ledger_transactions WHERE reference = ? AND broker = ? AND kind = ?)"""


def opening(
    holdings: Sequence[Holding],
    cash: Decimal,
    origin: str,
    correlation_id: CorrelationId,
    now: int,
    broker: str = PAPER,
) -> tuple[Statement | Many, ...]:
    """Bring this account's books back to nothing, if they are open, and open them anew; the last returns its id.

    The reversal is of all there is by then, of the opening that stands and of what has happened since. Each holding is
    one line in `holdings` and its counterpart in `opening`, so that amounts and quantities sum to zero. Raises
    OutOfRange where a product of quantity and cost cannot be stored.
    """
    lines = [line for held in holdings for line in _holding(held)]
    if cash:
        lines += [_money("cash", to_units(cash)), _money("opening", -to_units(cash))]
    return (
        _reversal(correlation_id, now, broker),
        _book("opening", origin, correlation_id, now, broker, None, None, lines),
        Statement("SELECT max(id) FROM ledger_transactions WHERE kind = 'opening' AND broker = ?", (broker,)),
    )


def _reversal(correlation_id: CorrelationId, now: int, broker: str) -> Statement:
    return Statement(
        """INSERT INTO ledger_bookings (kind, origin, reverses, correlation_id, at, broker, lines)
        SELECT 'reversal', old.origin, old.id, ?, ?, old.broker, (
            SELECT json_group_array(json_array(account, nullif(symbol, ''), -quantity, -amount, acquired, lot)) FROM (
                SELECT * FROM (
                    SELECT account, symbol, quantity, amount, acquired, lot FROM ledger_lots WHERE broker = old.broker
                    UNION ALL SELECT account, symbol, quantity, amount, NULL, NULL FROM ledger_balances
                    WHERE broker = old.broker AND account NOT IN ('holdings', 'unsettled')
                    AND (quantity <> 0 OR amount <> 0)
                ) ORDER BY symbol = '', symbol, account))
        FROM ledger_transactions AS old WHERE old.kind = 'opening' AND old.broker = ?
        AND NOT EXISTS (SELECT 1 FROM ledger_transactions AS new WHERE new.reverses = old.id)""",
        (correlation_id, now, broker),
    )


def _holding(held: Holding) -> tuple[Line, Line]:
    quantity, amount = to_units(held.quantity), to_units(held.quantity * held.cost)
    acquired = held.acquired.isoformat() if held.acquired else None
    return (
        ("holdings", held.symbol, quantity, amount, acquired, ""),
        ("opening", held.symbol, -quantity, -amount, acquired, None),
    )


def fill(execution: Execution, broker: str, correlation_id: CorrelationId, now: int, lots: Matched) -> Booking:
    """Book what was executed once, `lots` being what `actors.domain.lots.matched` makes of it.

    A purchase is paid in cash; what a sale brings, less its fee, is unsettled until the next session. Refused by the
    database where a lot is not there or holds less, since then whoever has matched has not known how the lots stand.
    Raises OutOfRange.
    """
    symbol, session = execution.symbol, execution.session.isoformat()
    lines, shares = list[Line](), 0
    for each in lots.closed:
        quantity, acquired = to_units(each.quantity), each.acquired.isoformat() if each.acquired else None
        lines.append(("holdings", symbol, -quantity, -to_units(each.cost), acquired, each.lot))
        if gain := to_units(each.gain):
            lines.append(("realised", symbol, 0, -gain, acquired, each.lot))
        shares -= quantity
    if (new := lots.opened) is not None:
        quantity = to_units(new.quantity)
        lines.append(("holdings", symbol, quantity, to_units(new.cost), session, new.id))
        shares += quantity
    lines.append(("market", symbol, -shares, 0, None, None))
    if fee := to_units(execution.fee):
        lines.append(("fees", symbol, 0, fee, None, None))
    money = -sum(line[3] for line in lines)
    if money:
        sold = execution.side is Side.SELL
        lines.append(_money("unsettled", money, session) if sold else _money("cash", money))
    return _once("trade", execution.client_id, correlation_id, now, broker, execution.execution_id, session, lines)


def together(bookings: Iterable[Booking]) -> Statement:
    """Several as one statement, which does not say which of them are new."""
    return Statement(_BOOK_ALL, (msgspec.json.encode([booking.values for _, booking in bookings]).decode(),))


def dividend(
    symbol: Symbol, amount: Decimal, broker: str, session: dt.date, correlation_id: CorrelationId, now: int
) -> Booking:
    """All that a symbol has paid for a day, once for symbol and day; below zero for shares owed. Raises OutOfRange."""
    money, name = to_units(amount), f"{symbol} {session}"
    lines: list[Line] = [_money("cash", money), ("dividends", symbol, 0, -money, None, None)]
    return _once("dividend", name, correlation_id, now, broker, name, session.isoformat(), lines)


def moved(activity: Activity, broker: str, correlation_id: CorrelationId, now: int) -> Booking:
    """Cash that a broker has paid or taken by itself, once for its id: one of those in MOVED. Raises OutOfRange."""
    kind, account = MOVED[activity.cause]
    money, symbol = to_units(activity.amount), None if account == "deposits" else activity.symbol
    lines: list[Line] = [_money("cash", money), (account, symbol, 0, -money, None, None)]
    session = activity.session.isoformat()
    return _once(kind, activity.name, correlation_id, now, broker, activity.id, session, lines)


def split(
    symbol: Symbol,
    before: Sequence[Lot],
    after: Sequence[Lot],
    broker: str,
    session: dt.date,
    correlation_id: CorrelationId,
    now: int,
    gone: Collection[str] = (),
) -> Booking:
    """Other quantities for the same lots, as `actors.domain.lots.split` makes them, once for symbol and day.

    What comes to lots that are `gone` meanwhile is a lot of its own, which has cost nothing: their sale took all of it.
    """
    lines, shares, name = list[Line](), 0, f"{symbol} {session}"
    for old, new in zip(before, after, strict=True):
        if more := to_units(new.quantity) - to_units(old.quantity):
            acquired = old.acquired.isoformat() if old.acquired else None
            lines.append(("holdings", symbol, more, 0, acquired, name if old.id in gone else old.id))
            shares += more
    lines.append(("market", symbol, -shares, 0, None, None))
    return _once("split", name, correlation_id, now, broker, name, session.isoformat(), lines)


def settle(broker: str, session: dt.date, correlation_id: CorrelationId, now: int) -> Statement:
    """What was sold in the sessions before this one becomes cash: T+1. Nothing is booked where there is nothing."""
    return Statement(
        """INSERT INTO ledger_bookings (kind, origin, correlation_id, at, broker, session, lines)
        WITH due AS (SELECT lot, amount FROM ledger_lots
            WHERE broker = ?3 AND account = 'unsettled' AND symbol = '' AND lot < ?4)
        SELECT 'settlement', 'sales before ' || ?4, ?1, ?2, ?3, ?4,
            json_group_array(json_array(account, NULL, 0, amount, NULL, lot))
        FROM (SELECT 'unsettled' AS account, -amount AS amount, lot FROM due
            UNION ALL SELECT 'cash', sum(amount), NULL FROM due)
        WHERE EXISTS (SELECT 1 FROM due) HAVING count(*) > 0""",
        (correlation_id, now, broker, session.isoformat()),
    )


def _money(account: str, amount: int, lot: str | None = None) -> Line:
    return (account, None, 0, amount, None, lot)


def _once(
    kind: str,
    origin: str,
    correlation_id: CorrelationId,
    now: int,
    broker: str,
    reference: str,
    session: str,
    lines: Sequence[Line],
) -> Booking:
    is_new = Statement(_NEW, (reference, broker, kind))
    return is_new, _book(kind, origin, correlation_id, now, broker, reference, session, lines)


def _book(
    kind: str,
    origin: str,
    correlation_id: CorrelationId,
    now: int,
    broker: str,
    reference: str | None,
    session: str | None,
    lines: Sequence[Line],
) -> Statement:
    text = msgspec.json.encode(lines).decode()
    return Statement(_BOOK, (kind, origin, correlation_id, now, broker, reference, session, text))


@dataclass(frozen=True, slots=True)
class Funds:
    """The cash of an account: settled, and what sales have brought that settles with the next session."""

    settled: Decimal
    unsettled: Decimal

    @property
    def buying_power(self) -> Decimal:
        """What may be spent: all of it, as in a cash account; nothing is lent. Below zero nothing may."""
        return self.settled + self.unsettled


def held(read: Reader, broker: str | None = None) -> list[Held]:
    """What is held now, in order of symbol, each with its whole cost; in one account or in all. Some milliseconds."""
    rows = read.rows(
        tuple[str, int, int],
        """SELECT symbol, sum(quantity) AS quantities, sum(amount) FROM ledger_balances
        WHERE account = 'holdings' AND broker = coalesce(?, broker)
        GROUP BY symbol HAVING quantities <> 0 ORDER BY symbol""",
        broker,
    )
    return [Held(Symbol(symbol), from_units(quantity), from_units(amount)) for symbol, quantity, amount in rows]


def funds(read: Reader, broker: str | None = None) -> Funds:
    """The cash of one account, or of all."""
    sql = """SELECT account, sum(amount) FROM ledger_balances WHERE symbol = '' AND account IN ('cash', 'unsettled')
        AND broker = coalesce(?, broker) GROUP BY account"""
    have = dict(read.rows(tuple[str, int], sql, broker))
    return Funds(from_units(have.get("cash", 0)), from_units(have.get("unsettled", 0)))


def cash(read: Reader) -> Decimal:
    """The cash there is, settled or not."""
    return funds(read).buying_power


def lots(read: Reader, broker: str, symbol: Symbol) -> list[Lot]:
    """What is held of a symbol in an account, lot by lot: the oldest first, at the very first what has no date."""
    return lots_of(read, broker, [symbol])[symbol]


def lots_of(read: Reader, broker: str, symbols: Iterable[Symbol]) -> dict[Symbol, list[Lot]]:
    """The same of each of these symbols."""
    found: dict[Symbol, list[Lot]] = {symbol: [] for symbol in symbols}
    rows = read.rows(
        tuple[str, str, str | None, int, int],
        """SELECT symbol, lot, acquired, quantity, amount FROM ledger_lots WHERE broker = ? AND account = 'holdings'
        AND symbol IN (SELECT value FROM json_each(?)) ORDER BY acquired, opened""",
        broker, msgspec.json.encode(list(found)).decode(),
    )  # fmt: skip
    for symbol, *lot in rows:
        found[Symbol(symbol)].append(_lot(*lot))  # type: ignore[arg-type]
    return found


def all_lots(read: Reader) -> list[tuple[str, Symbol, Lot]]:
    """Everything that is held, each with its account and its symbol, in their order and then as `lots`."""
    rows = read.rows(
        tuple[str, str, str, str | None, int, int],
        """SELECT broker, symbol, lot, acquired, quantity, amount FROM ledger_lots
        WHERE account = 'holdings' ORDER BY broker, symbol, acquired, opened""",
    )
    return [(broker, Symbol(symbol), _lot(*lot)) for broker, symbol, *lot in rows]  # type: ignore[arg-type]


def _lot(id_: str, acquired: str | None, quantity: int, amount: int) -> Lot:
    day = None if acquired is None else dt.date.fromisoformat(acquired)
    return Lot(id_, day, from_units(quantity), from_units(amount))


def realised(read: Reader) -> list[Realised]:
    """What was taken from lots since each account was opened last, in order of booking. It reads all entries."""
    rows = read.rows(
        tuple[int, str, str, str, str | None, str, int, int, int, int, int],
        """SELECT of.id, of.broker, line.symbol, line.lot, line.acquired, of.session, -line.quantity, -line.amount,
            -coalesce((SELECT amount FROM ledger_entries
                WHERE transaction_id = of.id AND account = 'realised' AND lot = line.lot), 0),
            coalesce((SELECT amount FROM ledger_entries WHERE transaction_id = of.id AND account = 'fees'), 0),
            (SELECT quantity FROM ledger_entries WHERE transaction_id = of.id AND account = 'market')
        FROM ledger_entries AS line JOIN ledger_transactions AS of ON of.id = line.transaction_id
        WHERE line.account = 'holdings' AND of.kind = 'trade' AND line.lot <> of.reference
        AND of.id > coalesce((SELECT max(id) FROM ledger_transactions AS new
            WHERE new.kind = 'opening' AND new.broker = of.broker), 0) ORDER BY line.id""",
    )
    found, taken, last = list[Realised](), 0, 0
    for id_, broker, symbol, lot, acquired, session, quantity, cost, gain, fee, executed in rows:
        taken, last = (0 if id_ != last else taken), id_
        share = -(fee * taken // executed)  # rounded as a running sum, so that the parts are the whole fee
        taken += quantity
        share += fee * taken // executed
        sold, since = dt.date.fromisoformat(session), None if acquired is None else dt.date.fromisoformat(acquired)
        found.append(
            Realised(
                id_, broker, symbol, lot, since, sold, None if since is None else (sold - since).days,
                *map(from_units, (quantity, gain + cost, cost, gain, share)),
            )
        )  # fmt: skip
    return found


def began_with(read: Reader, broker: str = PAPER) -> tuple[dict[Symbol, Decimal], Decimal]:
    """Shares and cash of an account but for what its orders have done: what its broker knows without us."""
    sql = """SELECT coalesce(line.symbol, ''), sum(line.quantity), sum(line.amount) FROM ledger_transactions AS of
        JOIN ledger_entries AS line ON line.transaction_id = of.id
        WHERE of.broker = ? AND of.kind <> 'trade' AND line.account IN (?, ?) GROUP BY 1"""
    shares = read.rows(tuple[str, int, int], sql, broker, "holdings", "holdings")
    cash = read.rows(tuple[str, int, int], sql, broker, "cash", "unsettled")
    held = {Symbol(symbol): from_units(quantity) for symbol, quantity, _ in shares if quantity}
    return held, from_units(sum(amount for _, _, amount in cash))


def opened_at(read: Reader, broker: str) -> int:
    """When an account was opened last, UTC in microseconds; 0 if it never was. What was before is part of that."""
    sql = "SELECT coalesce(max(at), 0) FROM ledger_transactions WHERE kind = 'opening' AND broker = ?"
    return read.rows(tuple[int], sql, broker)[0][0]


def is_booked(read: Reader, broker: str, kind: str, reference: str) -> bool:
    """Whether there is a booking of this kind with this reference."""
    sql = "SELECT 1 FROM ledger_transactions WHERE reference = ? AND broker = ? AND kind = ?"
    return bool(read.rows(tuple[int], sql, reference, broker, kind))


def is_open(read: Reader) -> bool:
    """Whether anything was ever imported."""
    return bool(read.rows(tuple[int], "SELECT 1 FROM ledger_transactions LIMIT 1"))


def digest(read: Reader) -> str:
    """What tells whether the holdings or the cash have changed."""
    return hashlib.sha256(repr((held(read), cash(read))).encode()).hexdigest()
