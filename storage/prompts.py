"""System prompts by the sha256 of their text: table `prompts`, append-only."""

import hashlib

from messages.database import Statement
from storage.connections import Reader


def keep(text: str) -> tuple[str, Statement]:
    """The hash to name it by, and what keeps it; keeping it again does nothing."""
    hash_ = hashlib.sha256(text.encode()).hexdigest()
    return hash_, Statement(
        "INSERT INTO prompts (hash, text) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", (hash_, text)
    )


def load(read: Reader, hash_: str) -> str | None:
    """The text of this hash, if it was kept."""
    rows = read.rows(tuple[str], "SELECT text FROM prompts WHERE hash = ?", hash_)
    return rows[0][0] if rows else None
