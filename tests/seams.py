"""Between SQLite and the disk: every write, sync, truncation, opening and deletion of a database's files can be seen.

It is SQLite's own VFS for this machine, with a watcher told before and after. The memory that a write-ahead log is
indexed by does not pass through here: after a loss of power it is made anew.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import apsw

UNIX: Final = "unix"
LOGS: Final = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


@dataclass(frozen=True, slots=True)
class Seam:
    """What is done to a file. `size` is that of the data, or what the file is truncated to."""

    what: Literal["open", "write", "sync", "truncate", "close", "delete"]
    path: Path
    offset: int = 0
    data: bytes = b""
    size: int = 0
    log: bool = False
    """A log or journal: SQLite syncs its directory at its first sync (os_unix.c, UNIXFILE_DIRSYNC)."""
    sync_directory: bool = False

    def __str__(self) -> str:
        suffix = self.path.name.rpartition("-")[2] if "-" in self.path.name else "database"
        size = f" of {self.size}" if self.what == "write" else ""
        return f"{self.what}{size}, {suffix}"


class Watcher(Protocol):
    """Told in the thread that does it."""

    syncs: bool
    """Whether a sync reaches the disk."""

    def before(self, seam: Seam) -> None:
        """It is about to be done."""
        ...

    def after(self, seam: Seam) -> None:
        """It is done."""
        ...


class _File(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename, flags: list[int], watcher: Watcher) -> None:
        super().__init__(UNIX, name, flags)
        self._path, self._watcher = Path(name if isinstance(name, str) else name.filename()), watcher
        self._log, self._reads = bool(flags[0] & LOGS), bool(flags[0] & apsw.SQLITE_OPEN_READONLY)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        seam = Seam("write", self._path, offset, bytes(data), len(data))
        self._watcher.before(seam)
        super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType]
        self._watcher.after(seam)

    def xSync(self, flags: int) -> None:  # noqa: N802
        seam = Seam("sync", self._path, log=self._log)
        self._watcher.before(seam)
        if self._watcher.syncs:
            super().xSync(flags)
        self._watcher.after(seam)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        seam = Seam("truncate", self._path, size=newsize)
        self._watcher.before(seam)
        super().xTruncate(newsize)
        self._watcher.after(seam)

    def xLock(self, level: int) -> None:  # noqa: N802
        try:
            super().xLock(level)
        except apsw.IOError:
            if not self._reads:
                raise
            # SQLite tries to lock at the end what was opened for reading, and takes the failure as it comes; busy is
            # the one that apsw hands on without raising it in whoever closes.
            raise apsw.BusyError from None


class _Vfs(apsw.VFS):
    def __init__(self, name: str, watcher: Watcher) -> None:
        super().__init__(name, UNIX, makedefault=True)
        self._watcher = watcher

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:
            return super().xOpen(name, flags)
        seam = Seam("open", Path(name if isinstance(name, str) else name.filename()), log=bool(flags[0] & LOGS))
        if flags[0] & apsw.SQLITE_OPEN_READONLY:
            return _File(name, flags, self._watcher)
        self._watcher.before(seam)
        file = _File(name, flags, self._watcher)
        self._watcher.after(seam)
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        seam = Seam("delete", Path(filename), sync_directory=bool(syncdir))
        self._watcher.before(seam)
        super().xDelete(filename, syncdir)
        self._watcher.after(seam)


@contextmanager
def watching(watcher: Watcher) -> Generator[None]:
    """Whatever SQLite opens in this process meanwhile is seen."""
    vfs = _Vfs(f"seams-{id(watcher)}", watcher)
    try:
        yield
    finally:
        apsw.set_default_vfs(UNIX)
        vfs.unregister()
