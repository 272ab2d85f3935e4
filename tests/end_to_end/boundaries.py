"""Which boundaries a process passes, written down before it passes them, in a file that outlives it."""

import mmap
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from threading import Lock, current_thread
from typing import Final

import apsw

from tests.seams import Seam

SLOTS: Final = 512
SLOT: Final = Struct("<I92s")
"""How often a boundary was passed, and its name."""
LAST: Final = Struct("<I")
"""The slot of the boundary that was passed last: four bytes, which are there whole or not at all."""


@dataclass(frozen=True, slots=True)
class Aim:
    """At which passing of which boundary a process kills itself."""

    boundary: str
    passing: int


class Board:
    """What a process writes down. It is in the page cache, so a kill of the process loses nothing of it."""

    def __init__(self, path: Path, aim: Aim | None = None) -> None:
        with path.open("w+b") as file:
            file.truncate(LAST.size + SLOTS * SLOT.size)
            self._map = mmap.mmap(file.fileno(), 0)
        self._aim, self._counts, self._slots, self._lock = aim, dict[str, int](), dict[str, int](), Lock()

    def passing(self, name: str) -> None:
        """The calling thread is about to pass it."""
        thread = re.sub(r"-\d+$", "", current_thread().name)
        name = f"{thread} | {name}"[:92]
        with self._lock:
            slot = self._slots.setdefault(name, len(self._slots))
            self._counts[name] = count = self._counts.get(name, 0) + 1
            SLOT.pack_into(self._map, LAST.size + slot * SLOT.size, count, name.encode("ascii", "replace"))
            LAST.pack_into(self._map, 0, slot)
            if self._aim == Aim(name, count):
                os.kill(os.getpid(), signal.SIGKILL)


def passed(path: Path) -> tuple[str, dict[str, int]]:
    """The boundary that was passed last, and how often each was."""
    content, counts = path.read_bytes() if path.exists() else b"", dict[str, int]()
    for count, name in SLOT.iter_unpack(content[LAST.size :]):
        if count:
            counts[bytes(name).rstrip(b"\0").decode()] = int(count)
    last = int(LAST.unpack_from(content)[0]) if counts else 0
    return [*counts, "not born"][last], counts


class Seams:
    """What is done to files, as boundaries."""

    syncs = True

    def __init__(self, passing: Callable[[str], None]) -> None:
        self._passing = passing

    def before(self, seam: Seam) -> None:
        """See Watcher."""
        self._passing(f"before {seam}")

    def after(self, seam: Seam) -> None:
        """See Watcher."""
        self._passing(f"after {seam}")


def statements(passing: Callable[[str], None]) -> Callable[[apsw.Connection], None]:
    """A hook for connections: each statement is a boundary, and each commit when SQLite is about to write it.

    No hook on the log, though it would say when that is written: SQLite's own checkpoints would end with it.
    """

    def watch(connection: apsw.Connection) -> None:
        def statement(cursor: object, sql: str, bindings: object) -> bool:
            passing(f"statement {' '.join(sql.split())}")
            return True

        def before() -> bool:
            passing("before a commit")
            return False

        connection.exec_trace = statement
        connection.set_commit_hook(before)

    return watch
