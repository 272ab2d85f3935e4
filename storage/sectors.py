"""Which sector a symbol belongs to, as its source says: table `symbol_sectors`."""

from messages.database import Statement
from messages.values import Symbol
from storage.connections import Reader


def replace(read: Reader, symbol: Symbol, sector: str | None) -> tuple[Statement, ...]:
    """What makes this the sector of a symbol, None for not known; nothing where it is that already."""
    if sector == _of(read, symbol):
        return ()
    if sector is None:
        return (Statement("DELETE FROM symbol_sectors WHERE symbol = ?", (symbol,)),)
    sql = """INSERT INTO symbol_sectors (symbol, sector) VALUES (?, ?)
        ON CONFLICT (symbol) DO UPDATE SET sector = excluded.sector"""
    return (Statement(sql, (symbol, sector)),)


def known(read: Reader) -> dict[Symbol, str]:
    """The sector of each symbol of which it is known."""
    rows = read.rows(tuple[str, str], "SELECT symbol, sector FROM symbol_sectors")
    return {Symbol(symbol): sector for symbol, sector in rows}


def _of(read: Reader, symbol: Symbol) -> str | None:
    rows = read.rows(tuple[str], "SELECT sector FROM symbol_sectors WHERE symbol = ?", symbol)
    return rows[0][0] if rows else None
