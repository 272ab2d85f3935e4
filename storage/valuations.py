"""What the portfolio was worth: table `valuations`, one row for each round."""

from messages.database import Statement
from messages.trading import Valuation
from messages.values import CorrelationId
from storage.connections import Reader
from storage.payloads import decode, encode


def insert(valuation: Valuation, correlation_id: CorrelationId, now: int) -> Statement:
    """Keep it."""
    return Statement(
        "INSERT INTO valuations (correlation_id, as_of, version, payload, at) VALUES (?, ?, ?, ?, ?)",
        (correlation_id, valuation.as_of.isoformat(), *encode(valuation), now),
    )


def load(read: Reader, correlation_id: CorrelationId) -> Valuation | None:
    """The valuation of a round, if it was made. Raises Undecodable."""
    sql = "SELECT version, payload FROM valuations WHERE correlation_id = ?"
    rows = read.rows(tuple[int, str], sql, correlation_id)
    return decode(Valuation, *rows[0]) if rows else None
