"""What a person has typed about real money, in a file of the home; `actors.domain.real_money` reads its text.

A file, and not a table: it is given before a desk may start, and looked at right before each send, so that it can be
taken back at once.
"""

import json
import os
from pathlib import Path
from typing import Final

from storage.files import Unreadable, read_text
from storage.home import Home

NAME: Final = "real-money.json"
LARGEST: Final = 10_000
"""Bytes it may have."""


def path(home: Home) -> Path:
    """Where it is kept."""
    return home.path / NAME


def keep(home: Home, text: str, hash_: str) -> None:
    """In the place of what was there, whole or not at all; its owner's alone. Raises OSError."""
    part = path(home).with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump({"text": text, "hash": hash_}, file)
        file.flush()
        os.fsync(descriptor)
    os.replace(part, path(home))


def current(home: Home) -> tuple[str, str] | None:
    """Its text and the hash that was kept with it, both empty where it cannot be read; None where there is none."""
    if not path(home).exists():
        return None
    try:
        kept = json.loads(read_text(path(home), LARGEST, "a confirmation"))
        return str(kept["text"]), str(kept["hash"])
    except (Unreadable, ValueError, TypeError, KeyError):
        return "", ""
