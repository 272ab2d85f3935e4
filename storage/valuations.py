"""What the portfolio was worth: table `valuations`, one row for each round."""

import datetime as dt

from messages.database import Statement
from messages.trading import Valuation, Weights
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
    row = _row(read, correlation_id)
    return None if row is None else decode(Valuation, *row)


def weights(read: Reader, correlation_id: CorrelationId) -> Weights | None:
    """Of that valuation what facts need. Raises Undecodable."""
    row = _row(read, correlation_id)
    return None if row is None else decode(Weights, *row)


def first_session(read: Reader) -> dt.date | None:
    """The first session for which there ever was one."""
    ((session,),) = read.rows(tuple[str | None], "SELECT min(as_of) FROM valuations")
    return None if session is None else dt.date.fromisoformat(session)


def _row(read: Reader, correlation_id: CorrelationId) -> tuple[int, str] | None:
    sql = "SELECT version, payload FROM valuations WHERE correlation_id = ?"
    return next(iter(read.rows(tuple[int, str], sql, correlation_id)), None)
