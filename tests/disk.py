"""What a loss of power leaves: each file as of its last sync, and of what was done to it since nothing, or any part.

A directory's entries are of its last sync, too. Of a write that was not synced each sector of 512 bytes may have
reached the disk or not; so may an entry that was made or deleted.
"""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.seams import Seam

SECTOR: Final = 512
"""Bytes that reach the disk together. SQLite takes a write to leave the bytes beside it alone."""
CHANCES: Final = {"write": 0.02, "sync": 0.1, "truncate": 0.5, "open": 0.5, "delete": 0.5, "close": 0.5}
"""How often the power fails just before each of them, and as often just after."""


@dataclass(slots=True)
class _Inode:
    synced: bytes = b""
    since: list[Seam] = field(default_factory=list[Seam])
    sync_directory: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """What was on the disk when the power failed."""

    when: str
    files: dict[str, bytes]
    noted: int
    """How many answers had been given by then."""

    def write(self, directory: Path) -> None:
        """Make it the content of a new directory."""
        directory.mkdir(mode=0o700)
        for name, content in self.files.items():
            (directory / name).write_bytes(content)


class Disk:
    """The disk under one directory of databases, seen by all who open them. It fails `often` at random.

    Readers open the log too, in threads of their own, so one after the other is let in: a loss is of one moment, and an
    answer that was given by then was preceded by a sync that is in it. All that is in the directory when this is made
    has been synced. `noted` is told nothing, only counted.
    """

    syncs = False

    def __init__(self, directory: Path, chance: random.Random, noted: Sequence[object], often: float = 1.0) -> None:
        self._directory, self._chance, self._noted, self._often = directory, chance, noted, often
        self._entries = {path.name: _Inode(path.read_bytes()) for path in directory.iterdir() if path.is_file()}
        self._synced_entries = dict(self._entries)
        self.losses, self._alone = list[Loss](), threading.Lock()

    def before(self, seam: Seam) -> None:
        """See Watcher."""
        with self._alone:
            self._fail(f"before {seam}", seam.what)

    def after(self, seam: Seam) -> None:
        """See Watcher."""
        with self._alone:
            self._done(seam)
            self._fail(f"after {seam}", seam.what)

    def _done(self, seam: Seam) -> None:
        name = seam.path.name
        match seam.what:
            case "open":
                self._entries.setdefault(name, _Inode()).sync_directory = seam.log
            case "write" | "truncate":
                self._entries[name].since.append(seam)
            case "sync":
                self._sync(self._entries[name])
            case "delete":
                del self._entries[name]
                if seam.sync_directory:
                    self._synced_entries = dict(self._entries)
            case "close":
                pass

    def _sync(self, inode: _Inode) -> None:
        inode.synced, inode.since = _done(inode.synced, inode.since), []
        if inode.sync_directory:
            self._synced_entries, inode.sync_directory = dict(self._entries), False

    def _fail(self, when: str, what: str) -> None:
        if self._chance.random() < self._often * CHANCES[what]:
            model = self._at_its_best if self._chance.random() < 0.3 else self._at_its_worst
            self.losses.append(Loss(when, model(), len(self._noted)))

    def _at_its_best(self) -> dict[str, bytes]:
        return {name: inode.synced for name, inode in self._synced_entries.items()}

    def _at_its_worst(self) -> dict[str, bytes]:
        left = dict[str, bytes]()
        for name in sorted(self._entries.keys() | self._synced_entries.keys()):
            inode = self._chance.choice((self._entries, self._synced_entries)).get(name)
            if inode is not None:
                share = self._chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
                left[name] = _done(inode.synced, inode.since, partial(self._reached, share))
        return left

    def _reached(self, share: float) -> bool:
        return self._chance.random() < share


def _done(content: bytes, seams: Sequence[Seam], reached: Callable[[], bool] = lambda: True) -> bytes:
    """The content after as much of this as `reached` the disk, sector by sector."""
    file = bytearray(content)
    for seam in seams:
        if seam.what == "truncate":
            if reached():
                del file[seam.size :]
            continue
        for at, piece in _sectors(seam):
            if reached():
                file.extend(bytes(max(0, at - len(file))))
                file[at : at + len(piece)] = piece
    return bytes(file)


def _sectors(seam: Seam) -> list[tuple[int, bytes]]:
    first = SECTOR - seam.offset % SECTOR
    cuts = [0, *range(first, seam.size, SECTOR), seam.size]
    return [(seam.offset + a, seam.data[a:b]) for a, b in pairwise(cuts)]
