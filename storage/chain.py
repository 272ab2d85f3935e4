"""The hash chain over ledger and decisions: table `chain`, one link for each row, made by triggers inside the commit.

A link is the SHA-256 of the link before and the row's text, a transaction's with all its entries; the views
ledger_texts and decision_texts write them. What was there before there was a chain has one link for each table, at the
beginning. Whoever changes a row has to change all links after it, so a head that was written down elsewhere gives them
away.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from storage.connections import Reader
from storage.writing import chain_hash

PAGE: Final = 2_000
"""Links that are read at once."""
TAIL: Final = 200
"""Links that are looked at whenever a desk starts."""
OLD: Final = 2
"""The first links, of what was there before."""
TABLES: Final = {"old ledger": "ledger_transactions", "old decisions": "decisions", "ledger": "ledger_transactions",
                 "decision": "decisions"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Something about the books that is not as it must be: in which table, in which row, what.

    `damage` is False of what can come of honest booking, such as cash below zero.
    """

    table: str
    id: str
    what: str
    damage: bool = True

    def __str__(self) -> str:
        """A sentence."""
        return f"{self.table} {self.id}: {self.what}"


@dataclass(frozen=True, slots=True)
class Head:
    """The last link, by which everything before it can be checked; `hash` is in hexadecimal digits."""

    number: int
    hash: str


def head(read: Reader) -> Head:
    """The last link there is."""
    ((number, link),) = read.rows(tuple[int, bytes], "SELECT number, hash FROM chain ORDER BY number DESC LIMIT 1")
    return Head(number, link.hex())


def counted(read: Reader, subject: str) -> int:
    """How many rows were there of this table before the chain: `old ledger` or `old decisions`."""
    return read.rows(tuple[int], "SELECT item FROM chain WHERE subject = ? AND number <= ?", subject, OLD)[0][0]


def broken(read: Reader, after: int = 0) -> Fault | None:
    """The first link after this number that does not fit the one before or its row, None if all do. 10 µs a link."""
    previous = b""
    if after:
        found = read.rows(tuple[bytes], "SELECT hash FROM chain WHERE number = ?", after)
        if not found:
            return Fault("chain", str(after), "is missing")
        previous = found[0][0]
    number = after
    while page := read.rows(
        tuple[int, str, int | str, bytes],
        "SELECT number, subject, item, hash FROM chain WHERE number > ? ORDER BY number LIMIT ?",
        number, PAGE,
    ):  # fmt: skip
        texts = _texts(read, page)
        for found_number, subject, item, link in page:
            number += 1
            if found_number != number:
                return Fault("chain", str(number), f"is missing; the next is {found_number}")
            if subject not in TABLES or (number <= OLD) != subject.startswith("old "):
                return Fault("chain", str(number), f"is about {subject!r}, which it cannot be")
            text = _old(read, subject, item) if number <= OLD else texts.get((subject, item))
            if text is None:
                return Fault(TABLES[subject], str(item), f"is missing, but link {number} of the chain is about it")
            if chain_hash(previous, text) != link:
                return _differs(number, subject, item)
            previous = link
    return Fault("chain", "1", "is missing") if number < OLD else None


def tail(read: Reader) -> Fault | None:
    """What is wrong with the last links, or with how many there are; None if nothing. Some milliseconds."""
    last = head(read).number
    rows = sum(
        read.rows(tuple[int], f"SELECT count(*) FROM {texts}")[0][0] for texts in ("ledger_texts", "decision_texts")
    )
    if last - OLD != (wanted := rows - counted(read, "old ledger") - counted(read, "old decisions")):
        return Fault("chain", str(last), f"has {last - OLD} links for {wanted} rows")
    return broken(read, max(OLD, last - TAIL))


def unchained(read: Reader) -> Fault | None:
    """A row that has no link though it came after the chain began, None if there is none."""
    for subject, texts, old in (
        ("ledger", "ledger_texts", "old ledger"),
        ("decision", "decision_texts", "old decisions"),
    ):
        rows = read.rows(
            tuple[int | str],
            f"SELECT id FROM {texts} WHERE id NOT IN (SELECT item FROM chain WHERE subject = ?) ORDER BY id",
            subject,
        )
        if len(rows) != (were := counted(read, old)):
            what = f"has no link in the chain; {len(rows)} have none, {were} were there before it"
            return Fault(TABLES[subject], str(rows[-1][0] if rows else "any"), what)
    return None


def _differs(number: int, subject: str, item: int | str) -> Fault:
    if number <= OLD:
        what = f"one of the {item} rows from before the chain is not what was there, or link {number}"
        return Fault(TABLES[subject], "of old", what)
    entries = "it, one of its entries" if subject == "ledger" else "it"
    return Fault(TABLES[subject], str(item), f"{entries} or link {number} of the chain is not what was committed")


def _texts(read: Reader, page: list[tuple[int, str, int | str, bytes]]) -> dict[tuple[str, int | str], bytes]:
    """The texts of what these links are about."""
    transactions = [item for _, subject, item, _ in page if subject == "ledger" and isinstance(item, int)]
    decisions = [item for _, subject, item, _ in page if subject == "decision"]
    found = dict[tuple[str, int | str], bytes]()
    for subject, items, sql in (
        ("ledger", transactions, "SELECT id, text FROM ledger_texts WHERE id IN (SELECT value FROM json_each(?))"),
        ("decision", decisions, "SELECT id, text FROM decision_texts WHERE id IN (SELECT value FROM json_each(?))"),
    ):
        if items:
            rows = read.rows(tuple[int | str, bytes], sql, json.dumps(items))
            found.update(((subject, item), text) for item, text in rows)
    return found


def _old(read: Reader, subject: str, count: int | str) -> bytes:
    """The text of so many rows from before the chain, the same as its migration has written."""
    rows = islice(_unlinked(read, subject), max(count, 0) if isinstance(count, int) else 0)
    hashes = "".join(hashlib.sha256(text).hexdigest().upper() for text in rows)
    return json.dumps([subject, count, hashes], separators=(",", ":")).encode()


def _unlinked(read: Reader, subject: str) -> Iterator[bytes]:
    """The texts of what has no link, in order of id, page by page: those of decisions are long."""
    texts, kind = {"old ledger": ("ledger_texts", "ledger"), "old decisions": ("decision_texts", "decision")}[subject]
    sql = f"""SELECT id, text FROM {texts} WHERE (?1 IS NULL OR id > ?1)
        AND id NOT IN (SELECT item FROM chain WHERE subject = ?2) ORDER BY id LIMIT ?3"""
    last: int | str | None = None
    while page := read.rows(tuple[int | str, bytes], sql, last, kind, PAGE):
        yield from (text for _, text in page)
        last = page[-1][0]
