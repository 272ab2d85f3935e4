"""The desk's Unix socket: a name in the home, whatever the length of the path to it."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def _short(path: Path) -> Generator[str]:
    """A name for the path that fits into the 108 bytes an address has, where the system offers one."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        handle = f"/proc/self/fd/{folder}"
        yield f"{handle}/{path.name}" if Path(handle).exists() else str(path)
    finally:
        os.close(folder)


def listening(path: Path) -> socket.socket:
    """A socket that only the owner can reach, in place of what a killed run has left. Raises OSError."""
    path.unlink(missing_ok=True)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _short(path) as name:
            unix.bind(name)
    except OSError:
        unix.close()
        raise
    finally:
        os.umask(before)
    unix.listen()
    return unix


def connected(path: Path, seconds: float) -> socket.socket:
    """A connection to whoever listens there. Raises OSError."""
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unix.settimeout(seconds)
    try:
        with _short(path) as name:
            unix.connect(name)
    except OSError:
        unix.close()
        raise
    return unix
