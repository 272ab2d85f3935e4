"""What is held lot by lot, what that would realise at the last closes, and what was realised."""

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from io import StringIO
from pathlib import Path
from typing import Final

from actors.console.terminal import grid, line, out
from messages.lots import Realised
from messages.values import Symbol
from storage import bars, ledger
from storage.connections import Reader

NOTE: Final = "Computed from this desk's books; no tax advice."
_EXACT: Final = Context(prec=100, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True, slots=True)
class OpenLot:
    """A lot that is held; `close`, of the session `as_of`, and what follows from it are None without a price."""

    broker: str
    symbol: Symbol
    lot: str
    acquired: dt.date | None
    quantity: Decimal
    cost: Decimal
    as_of: dt.date | None
    close: Decimal | None
    value: Decimal | None
    unrealised: Decimal | None


@dataclass(frozen=True, slots=True)
class Lots:
    """All lots of all accounts: those held in order of account, symbol and age, those realised in order of booking."""

    open: tuple[OpenLot, ...]
    realised: tuple[Realised, ...]
    note: str = NOTE


def lots(read: Reader) -> Lots:
    """What the books hold and have realised, by the newest close there is of each symbol. Raises DatabaseUnusable."""
    with read.snapshot() as at:
        held = ledger.all_lots(at)
        closes = {symbol: _close(at, symbol) for symbol in {symbol for _, symbol, _ in held}}
        realised = tuple(ledger.realised(at))
    found = list[OpenLot]()
    with localcontext(_EXACT):
        for broker, symbol, lot in held:
            as_of, close = closes[symbol] or (None, None)
            value = None if close is None else lot.quantity * close
            gain = None if value is None else value - lot.cost
            found.append(
                OpenLot(broker, symbol, lot.id, lot.acquired, lot.quantity, lot.cost, as_of, close, value, gain)
            )
    return Lots(tuple(found), realised)


def _close(read: Reader, symbol: Symbol) -> tuple[dt.date, Decimal] | None:
    last = bars.last_session(read, symbol)
    found = None if last is None else bars.load(read, symbol, last, 0)
    return None if last is None or found is None else (last, Decimal(repr(float(found.close[-1]))))


def as_csv(realised: Sequence[Realised]) -> str:
    """A header and a row for each; exact amounts, dates as YYYY-MM-DD, empty where nobody knows."""
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ("broker", "symbol", "lot", "acquired", "sold", "days", "quantity", "proceeds", "cost", "gain", "fee")
    )
    for each in realised:
        amounts = (each.quantity, each.proceeds, each.cost, each.gain, each.fee)
        days = "" if each.days is None else each.days
        rows.writerow(
            (each.broker, each.symbol, each.lot, each.acquired or "", each.sold, days, *(f"{one:f}" for one in amounts))
        )
    return text.getvalue()


def write(file: Path, realised: Sequence[Realised]) -> None:
    """Write them to a file, in the place of what was there. Raises OSError."""
    file.write_text(as_csv(realised), "utf-8")


def print_lots(found: Lots) -> None:
    """Two tables."""
    rows = grid(
        "Lots held", "broker", "symbol", "lot", "acquired", ">quantity", ">cost", "as of", ">close", ">unrealised"
    )
    for each in found.open:
        rows.add_row(
            each.broker, each.symbol, each.lot, _day(each.acquired), f"{each.quantity:f}", _money(each.cost),
            _day(each.as_of), "none" if each.close is None else _money(each.close), _money(each.unrealised),
        )  # fmt: skip
    out.print(rows)
    if found.realised:
        rows = grid(
            "Realised", "broker", "symbol", "lot", "acquired", "sold", ">days", ">quantity", ">proceeds", ">cost",
            ">gain", ">fee",
        )  # fmt: skip
        for one in found.realised:
            rows.add_row(
                one.broker, one.symbol, one.lot, _day(one.acquired), _day(one.sold),
                "" if one.days is None else str(one.days), f"{one.quantity:f}",
                *map(_money, (one.proceeds, one.cost, one.gain, one.fee)),
            )  # fmt: skip
        out.print(rows)
    line(NOTE)


def _day(day: dt.date | None) -> str:
    return "" if day is None else day.isoformat()


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"{round(amount, 2) + 0:,.2f}"
