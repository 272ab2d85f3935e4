"""Decision records: table `decisions`, append-only, one row for each symbol of a round."""

import hashlib
from dataclasses import dataclass

from messages.database import Statement
from messages.research import Decision
from messages.values import CorrelationId
from storage.connections import Reader
from storage.payloads import decode, encode


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision as it was kept; `at` is UTC in microseconds."""

    id: str
    correlation_id: CorrelationId
    decision: Decision
    at: int


def insert(decision: Decision, correlation_id: CorrelationId, now: int) -> Statement:
    """Keep it. Its id follows from the round and the symbol, so that whoever decides again decides the same."""
    id_ = hashlib.sha256(f"{correlation_id} {decision.symbol}".encode()).hexdigest()[:12]
    return Statement(
        "INSERT INTO decisions (id, correlation_id, symbol, version, payload, at) VALUES (?, ?, ?, ?, ?, ?)",
        (id_, correlation_id, decision.symbol, *encode(decision), now),
    )


def together(read: Reader, correlation_id: CorrelationId) -> list[DecisionRecord]:
    """All decisions of a round, in order of symbol. Raises Undecodable."""
    return _records(read, "WHERE correlation_id = ? ORDER BY symbol", correlation_id)


def starting_with(read: Reader, prefix: str) -> list[DecisionRecord]:
    """The decisions, two at most, whose id begins like this. Raises Undecodable."""
    return _records(read, "WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 2", len(prefix), prefix)


def newest(read: Reader, limit: int) -> list[DecisionRecord]:
    """The last so many, newest first. Raises Undecodable."""
    return _records(read, "ORDER BY rowid DESC LIMIT ?", limit)


def _records(read: Reader, which: str, *values: int | str) -> list[DecisionRecord]:
    sql = f"SELECT id, correlation_id, version, payload, at FROM decisions {which}"
    return [
        DecisionRecord(id_, CorrelationId(correlation_id), decode(Decision, version, payload), at)
        for id_, correlation_id, version, payload, at in read.rows(tuple[str, str, int, str, int], sql, *values)
    ]
