"""Decision records: table `decisions`, append-only, one row for each symbol of a round."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

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


def id_of(decision: Decision, correlation_id: CorrelationId) -> str:
    """Its id follows from the round and the symbol, so that whoever decides again decides the same."""
    return hashlib.sha256(f"{correlation_id} {decision.symbol}".encode()).hexdigest()[:12]


def insert(decision: Decision, correlation_id: CorrelationId, now: int) -> Statement:
    """Keep it."""
    id_ = id_of(decision, correlation_id)
    return Statement(
        "INSERT INTO decisions (id, correlation_id, symbol, version, payload, at) VALUES (?, ?, ?, ?, ?, ?)",
        (id_, correlation_id, decision.symbol, *encode(decision), now),
    )


def together(read: Reader, correlation_id: CorrelationId) -> list[DecisionRecord]:
    """All decisions of a round, in order of symbol. Raises Undecodable."""
    return _records(read, "WHERE correlation_id = ? ORDER BY symbol", correlation_id)


def by_id(read: Reader, id_: str) -> DecisionRecord | None:
    """The decision of this id. Raises Undecodable."""
    return next(iter(_records(read, "WHERE id = ?", id_)), None)


def by_ids(read: Reader, ids: Iterable[str]) -> dict[str, DecisionRecord]:
    """The decisions of these ids, as far as there are any. Raises Undecodable."""
    records = _records(read, "WHERE id IN (SELECT value FROM json_each(?))", msgspec.json.encode(list(ids)).decode())
    return {record.id: record for record in records}


def starting_with(read: Reader, prefix: str) -> list[DecisionRecord]:
    """The decisions, two at most, whose id begins like this. Raises Undecodable."""
    return _records(read, "WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 2", len(prefix), prefix)


def newest(read: Reader, limit: int) -> list[DecisionRecord]:
    """The last so many, newest first. Raises Undecodable."""
    return _records(read, "ORDER BY rowid DESC LIMIT ?", limit)


@dataclass(frozen=True, slots=True)
class Views:
    """Claude's decisions: how many there are, and those that are ABSTAIN by the code of their cause, most first."""

    made: int
    abstained: dict[str, int]

    @property
    def abstain_rate(self) -> float | None:
        """Of all of them, 0 to 1; None where there are none."""
        return sum(self.abstained.values()) / self.made if self.made else None


def views(read: Reader) -> Views:
    """How Claude's decisions came out, all there ever were; 0.2 s for 10,000."""
    rows = read.rows(
        tuple[str | None, int],
        """SELECT CASE WHEN payload ->> 'action' = 'ABSTAIN' THEN payload ->> 'cause' END AS cause, count(*)
        FROM decisions WHERE payload ->> 'analyst' = 'claude' GROUP BY cause""",
    )
    abstained = Counter[str]()
    for cause, count in rows:
        if cause is not None:
            abstained[cause.partition(":")[0]] += count
    return Views(sum(count for _, count in rows), dict(abstained.most_common()))


def _records(read: Reader, which: str, *values: int | str) -> list[DecisionRecord]:
    sql = f"SELECT id, correlation_id, version, payload, at FROM decisions {which}"
    return [
        DecisionRecord(id_, CorrelationId(correlation_id), decode(Decision, version, payload), at)
        for id_, correlation_id, version, payload, at in read.rows(tuple[str, str, int, str, int], sql, *values)
    ]
