"""Drives the real program by hand: what the gateway does with a session, step by step and waited for."""

import contextlib
import os
import tempfile
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from actors.claude.programs import Program, Programs
from actors.claude.sessions import Cleared, Fault, Heard, Opened, Said
from actors.domain.question import SCHEMA
from actors.kernel.edges import Promise
from messages.claude import Profile
from storage.connections import Reader
from tests.claude_safely import environment
from tests.end_to_end.places import until
from tests.stub.exchange import Request
from tests.stub.server import Stub

WITHIN: Final = 60.0
"""Seconds; never waited for unless something is wrong."""
STRUCTURED: Final = Profile("claude-sonnet-4-5", "You are an analyst.", SCHEMA, (), 0, 4000, 2)
PROSE: Final = Profile("claude-sonnet-4-5", "You are helpful.", None, (), 0, 4000, 4)


@dataclass
class Driven:
    """One program."""

    program: Program
    heard: list[Heard] = field(default_factory=list[Heard])

    def open(self) -> Opened | Fault:
        """Start it."""
        promise = Promise()
        self.program.open(promise)
        return promise.future.result(WITHIN)  # type: ignore[no-any-return]

    def asking(self, prompt: str, turn: str = "turn") -> "Future[Any]":
        """Ask, and do not wait."""
        promise, self.heard = Promise(), []
        self.program.ask(turn, prompt, self.heard.append, promise)
        return promise.future

    def ask(self, prompt: str) -> Any:
        """Ask: Said or Fault."""
        return self.asking(prompt).result(WITHIN)

    def said(self, prompt: str) -> Said:
        """Ask what is answered."""
        answer = self.ask(prompt)
        assert isinstance(answer, Said), answer
        return answer

    def clear(self) -> Cleared | Fault:
        """Clear its conversation."""
        promise = Promise()
        self.program.clear(promise)
        return promise.future.result(WITHIN)  # type: ignore[no-any-return]


class Staff:
    """Programs that know of the stub and nothing else; one of each profile is used again as long as it is sound."""

    def __init__(self, stub: Stub, home: Path, read: Reader) -> None:
        self.stub, self.home = stub, home
        self.scratch = home / "scratch"
        self.scratch.mkdir()
        self.programs = Programs(read)
        self._sound = dict[Profile, Driven]()

    def fresh(self, profile: Profile) -> Driven:
        """A program that was opened for this test alone."""
        driven = Driven(self.programs.new(profile))
        opened = driven.open()
        assert isinstance(opened, Opened), opened
        return driven

    def cleared(self, profile: Profile) -> Driven:
        """One whose conversation is empty. A fault of the API leaves it as good as it was, for a test."""
        driven = self._sound.pop(profile, None) or self.fresh(profile)
        cleared = driven.clear()
        assert isinstance(cleared, Cleared), cleared
        self._sound[profile] = driven
        return driven

    def spoilt(self, driven: Driven) -> None:
        """Nobody is to use it again."""
        self._sound = {profile: each for profile, each in self._sound.items() if each is not driven}
        driven.program.kill()

    @property
    def processes(self) -> list[int]:
        """All that were started with this home and still run."""
        return processes(self.home)

    @property
    def places(self) -> list[Path]:
        """The working directories that there are."""
        return list(self.scratch.iterdir())

    def close(self) -> None:
        """Reap them all; none may be left."""
        self.programs.reap()
        self.gone()

    def gone(self) -> None:
        """No process and no directory is left, two seconds later at the latest."""
        until(lambda: not self.processes, "end of all programs", 2.0)
        until(lambda: not self.places, "end of all directories", 2.0)


def processes(home: Path) -> list[int]:
    """The processes with this home in their environment."""
    mark, found = f"HOME={home}".encode(), list[int]()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def variables(pid: int) -> dict[str, str]:
    """The environment with which a process was started."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)


def texts(request: Request) -> list[str]:
    """All texts of the user's side in a request."""
    found = list[str]()
    for message in request.body["messages"]:
        content: str | list[dict[str, Any]] = message["content"]
        if message["role"] == "user":
            blocks = [{"text": content}] if isinstance(content, str) else content
            found += [str(block["text"]) for block in blocks if "text" in block]
    return found


@contextmanager
def staffed(read: Reader, more: dict[str, str] | None = None) -> Generator[Staff]:
    """A stub and programs whose world is that of `claude_safely.environment`, and `more`."""
    with (
        Stub() as stub,
        tempfile.TemporaryDirectory(prefix="troupe-staff-") as path,
        pytest.MonkeyPatch.context() as patch,
    ):
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(environment(stub.address, Path(path)) | (more or {}))
        staff = Staff(stub, Path(path), read)
        patch.setattr(tempfile, "tempdir", str(staff.scratch))
        try:
            yield staff
        finally:
            try:
                staff.close()
            finally:
                os.environ.clear()
                os.environ.update(before)


def grows(heard: list[Heard]) -> Iterator[bool]:
    """Whether each is the one before and more, or the beginning of a new start."""
    for before, after in pairwise(heard):
        anew = after.restarts == before.restarts + 1
        same = after.restarts == before.restarts and after.text.startswith(before.text)
        yield (anew or (same and after.thinking.startswith(before.thinking))) and after.streamed >= before.streamed
