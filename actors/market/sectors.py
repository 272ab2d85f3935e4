"""Sectors as text: `symbol,sector`, one line a symbol."""

from typing import Final

from actors.domain.rows import rows
from actors.market.prices import BadPrices
from messages.values import Symbol

FILE: Final = "symbols.csv"
HEADER: Final = ["symbol", "sector"]
LONGEST: Final = 60
"""Characters a sector's name may have."""


def parse(text: str, place: str) -> dict[Symbol, str]:
    """The sector of each symbol, in capitals. Raises BadPrices, BadRows."""
    first, *body = rows(text, place) or [list[str]()]
    if [name.strip().lower() for name in first] != HEADER:
        raise BadPrices(f"{place} line 1: the header is {','.join(first)!r}; write {','.join(HEADER)}")
    found = dict[Symbol, str]()
    for line, row in enumerate(body, 2):
        if len(row) != len(HEADER) or not all(field.strip() for field in row):
            raise BadPrices(f"{place} line {line}: {','.join(row)!r} is not a symbol and its sector; write both")
        symbol, sector = Symbol(row[0].strip().upper()), row[1].strip()
        if len(sector) > LONGEST or not sector.isprintable():
            raise BadPrices(f"{place} line {line}: {sector[:LONGEST]!r} is no name of {LONGEST} characters at most")
        if symbol in found:
            raise BadPrices(f"{place} line {line}: names {symbol} again; keep one of its lines")
        found[symbol] = sector
    return found
