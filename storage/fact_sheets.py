"""Fact sheets: table `fact_sheets`, one row for each symbol of a round."""

from messages.database import Statement
from messages.research import Sheet
from messages.values import CorrelationId, Symbol
from storage.connections import Reader
from storage.payloads import decode, encode


def insert(sheet: Sheet, correlation_id: CorrelationId, now: int) -> Statement:
    """Keep it."""
    return Statement(
        "INSERT INTO fact_sheets (correlation_id, symbol, version, payload, at) VALUES (?, ?, ?, ?, ?)",
        (correlation_id, sheet.symbol, *encode(sheet), now),
    )


def load(read: Reader, correlation_id: CorrelationId, symbol: Symbol) -> Sheet | None:
    """The sheet of a symbol in a round, if it was made. Raises Undecodable."""
    sql = "SELECT version, payload FROM fact_sheets WHERE correlation_id = ? AND symbol = ?"
    rows = read.rows(tuple[int, str], sql, correlation_id, symbol)
    return decode(Sheet, *rows[0]) if rows else None


def newest(read: Reader, symbol: Symbol) -> Sheet | None:
    """The last sheet of a symbol that was made. Raises Undecodable."""
    sql = "SELECT version, payload FROM fact_sheets WHERE symbol = ? ORDER BY at DESC, rowid DESC LIMIT 1"
    rows = read.rows(tuple[int, str], sql, symbol)
    return decode(Sheet, *rows[0]) if rows else None
