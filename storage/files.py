"""Reading a person's files: whole, as text, and never more than they may have."""

import os
import stat
from pathlib import Path

from messages.errors import TroupeError


class Unreadable(TroupeError):
    """A file that is not there, not a file, too large or not text; the message names it."""


def read_text(path: Path, largest: int, what: str) -> str:
    """The text of a UTF-8 file of at most so many bytes. Raises Unreadable.

    Devices and pipes are refused: they say that they are empty, and may never end or never answer.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise Unreadable(f"{path}: is not a file")
            if about.st_size > largest:
                raise Unreadable(f"{path}: has {about.st_size / 1e6:.1f} MB; {what} may have {largest / 1e6:g}")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(largest)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
