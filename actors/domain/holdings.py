"""A person's holdings as a CSV file: `symbol,quantity,cost[,acquired]`, cost per unit."""

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from actors.domain.rows import day, rows
from messages.errors import TroupeError
from messages.values import OutOfRange, to_units

HEADERS: Final = (["symbol", "quantity", "cost"], ["symbol", "quantity", "cost", "acquired"])
LARGEST: Final = 1_000_000
"""Characters a file may have; that is some 30,000 holdings."""
CASH: Final = "CASH:"
NUMBER: Final = re.compile(r"[0-9]*\.?[0-9]*", re.ASCII)
"""Digits and a point; Python would also take 1_000, 1e3 and digits of other scripts."""


class BadHoldings(TroupeError):
    """A file of holdings that cannot be taken; the message names file and line. Nothing of it is."""


@dataclass(frozen=True, slots=True)
class Line:
    """One holding as written; `name` is not known to be a symbol yet, `cost` is for one unit."""

    number: int
    name: str
    quantity: Decimal
    cost: Decimal
    acquired: dt.date | None


@dataclass(frozen=True, slots=True)
class HoldingsFile:
    """What a file says."""

    origin: str
    lines: tuple[Line, ...]
    cash: Decimal

    def refuse(self, line: Line, why: str) -> BadHoldings:
        """What to raise if a line turns out to be wrong later."""
        return BadHoldings(f"{self.origin} line {line.number}: {why}")


def parse(text: str, origin: str, currency: str) -> HoldingsFile:
    """Read a whole file. A row `CASH:USD,10000,1` is cash. Raises BadHoldings, BadRows."""
    if len(text) > LARGEST:
        raise BadHoldings(f"{origin}: has {len(text) / 1e6:.1f} MB; holdings may have {LARGEST / 1e6:.0f}")
    first, *body = rows(text, origin) or [list[str]()]
    header = [name.strip().lower() for name in first]
    if header not in HEADERS:
        raise BadHoldings(f"{origin} line 1: the header is {','.join(header)!r}; write symbol,quantity,cost[,acquired]")
    lines, cash, seen = list[Line](), Decimal(0), dict[str, int]()
    for number, row in enumerate(body, 2):
        if not any(field.strip() for field in row):
            continue
        line = _line(origin, number, [field.strip() for field in row], len(header))
        if (before := seen.setdefault(line.name, number)) != number:
            raise BadHoldings(f"{origin} line {number}: {line.name} stands in line {before} already; add them up")
        if line.name.startswith(CASH):
            cash = _cash(origin, line, currency)
        else:
            lines.append(line)
    if not seen:
        raise BadHoldings(f"{origin}: holds nothing; write a line for each holding, or CASH:{currency},amount,1")
    return HoldingsFile(origin, tuple(lines), cash)


def _line(origin: str, number: int, row: list[str], width: int) -> Line:
    where = f"{origin} line {number}"
    if len(row) not in (3, width):
        raise BadHoldings(f"{where}: has {len(row)} fields, the header {width}; write one for each")
    name = row[0].upper()
    if not name:
        raise BadHoldings(f"{where}: has no symbol")
    quantity = _amount(where, "quantity", row[1])
    cost = _amount(where, "cost", row[2])
    try:
        to_units(quantity * cost)
    except OutOfRange as error:
        raise BadHoldings(f"{where}: {name} has cost {row[1]} times {row[2]}, and {error}") from None
    if not quantity and not name.startswith(CASH):
        raise BadHoldings(f"{where}: the quantity of {name} is 0; leave the line out")
    acquired = None
    if len(row) > 3 and row[3]:
        try:
            acquired = day(row[3])
        except ValueError:
            raise BadHoldings(f"{where}: acquired is {row[3]!r}; write a date such as 2013-03-01") from None
    return Line(number, name, quantity, cost, acquired)


def _amount(where: str, column: str, text: str) -> Decimal:
    try:
        amount = Decimal(text if NUMBER.fullmatch(text) else "nan")
        exact = amount.is_finite() and amount >= 0 and to_units(amount) * Decimal("1e-9") == amount
    except (InvalidOperation, OutOfRange):
        exact, amount = False, Decimal(0)
    if not exact:
        raise BadHoldings(f"{where}: {column} is {text!r}; write a number from 0 to 9.2e9 with at most nine decimals")
    return amount


def _cash(origin: str, line: Line, currency: str) -> Decimal:
    if (code := line.name.removeprefix(CASH)) != currency:
        raise BadHoldings(f"{origin} line {line.number}: cash in {code}; this desk keeps its books in {currency}")
    if line.cost != 1:
        raise BadHoldings(f"{origin} line {line.number}: the cost of cash is {line.cost}; write 1")
    return line.quantity
