"""The one directory in which all of a desk's state lies, and the lock that makes it ours."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final

from messages.errors import TroupeError

OPEN: Final = b"open\n"
"""What stands last in the lock's file while the database is open."""


class HomeUnusable(TroupeError):
    """The directory cannot be made, written or read."""


class HomeTaken(TroupeError):
    """Another process writes in this home."""

    def __init__(self, home: Path, pid: str) -> None:
        self.pid = pid
        super().__init__(f"home {home}: process {pid or 'unknown'} is already running this desk; stop it or use it")


class Home:
    """Where things lie. `path` need not exist yet; `take` makes it, with mode 700."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.settings = self.path / "desk.toml"
        self.database = self.path / "desk.sqlite3"
        self.backups = self.path / "backups"
        self.socket = self.path / "control.sock"
        self.log = self.path / "desk.log"
        self.halt = self.path / "HALT"
        self._lock = self.path / "lock"
        self._descriptor: int | None = None

    @property
    def identity(self) -> dict[str, str]:
        """Which desk it is, for metrics and traces: the same after a restart, and no path that says who lives here."""
        return {"service.instance.id": hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:16]}

    def take(self) -> None:
        """Make this home ours until `release` or the end of the process. Raises HomeTaken, HomeUnusable."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self.unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left_open = os.pread(descriptor, 64, 0).endswith(OPEN)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode() + (OPEN if left_open else b""), 0)
        except BlockingIOError:
            pid = os.pread(descriptor, 32, 0).decode(errors="replace").partition("\n")[0].strip()
            os.close(descriptor)
            raise HomeTaken(self.path, pid) from None
        except OSError as error:
            os.close(descriptor)
            raise self.unusable(error) from error
        self._descriptor = descriptor

    def left_open(self) -> bool:
        """Whether the last to open the database here has not closed it: then its log is there, or somebody took it."""
        try:
            return self._lock.read_bytes().endswith(OPEN)
        except OSError:
            return False

    def note(self, *, opened: bool) -> None:
        """Note that the database was opened, log and all, or that it was closed; only the home's owner does."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode() + (OPEN if opened else b""), 0)
            os.fsync(self._descriptor)

    def unusable(self, error: OSError) -> HomeUnusable:
        """What to raise where something in the home cannot be written or read."""
        return HomeUnusable(f"home {self.path}: cannot be used ({error.strerror}); choose another with --home")

    def holds_a_desk(self) -> bool:
        """Whether a desk has run here. Raises HomeUnusable."""
        try:
            self.database.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self.unusable(error) from error
        return True

    def halted(self) -> str | None:
        """Why nothing may be sent, if the file HALT is there; where it cannot be looked for, that, too."""
        try:
            self.halt.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{self.halt} cannot be looked for ({error.strerror})"
        return f"{self.halt} is there; remove it to trade again"

    def owner(self) -> int | None:
        """The process that has this home, as far as it is alive."""
        try:
            pid = int(self._lock.read_text().partition("\n")[0])
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            left_open = self.left_open()
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, b"\n" + OPEN if left_open else b"", 0)
            os.close(self._descriptor)
            self._descriptor = None
