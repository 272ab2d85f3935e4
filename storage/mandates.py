"""Mandates: table `trading_mandates`. What they say is text here; `actors.domain.mandates` reads it."""

from dataclasses import dataclass

from messages.database import Statement
from storage.connections import Reader


@dataclass(frozen=True, slots=True)
class KeptMandate:
    """A mandate as it is kept, with the hash of its text; `at` is UTC in microseconds."""

    hash: str
    text: str
    at: int


def insert(text: str, hash_: str, now: int) -> Statement:
    """From now on it counts, and no other."""
    return Statement("INSERT INTO trading_mandates (hash, text, at) VALUES (?, ?, ?)", (hash_, text, now))


def withdraw() -> Statement:
    """None counts any more."""
    return Statement("UPDATE trading_mandates SET withdrawn = 1 WHERE withdrawn = 0")


def current(read: Reader) -> KeptMandate | None:
    """The one that counts; whether it has expired, its text says."""
    sql = "SELECT hash, text, at FROM trading_mandates WHERE withdrawn = 0 ORDER BY id DESC LIMIT 1"
    return next((KeptMandate(*row) for row in read.rows(tuple[str, str, int], sql)), None)
