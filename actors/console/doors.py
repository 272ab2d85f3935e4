"""Two ways to a desk for the command line: one started in this process, or one that runs in another."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from actors.console import asking, rounds
from actors.console.access import Access, DeskFailed
from actors.console.asking import Terms
from actors.console.client import call
from actors.console.imports import import_holdings
from actors.console.rounds import LOOK, Asked, RoundFailed
from messages.values import CorrelationId
from storage import tasks
from storage.connections import Reader
from storage.home import Home


@dataclass(frozen=True, slots=True)
class Done:
    """What an import has taken over."""

    holdings: int
    cash: str


class Door(Protocol):
    """What the command line wants of a desk, wherever it runs; reading is the same for both."""

    @property
    def read(self) -> Reader:
        """The desk's database."""
        ...

    @property
    def source(self) -> str:
        """Where its prices are from."""
        ...

    def begin(self, asked: Asked) -> CorrelationId:
        """See rounds.begin."""
        ...

    def terms(self) -> Terms:
        """See asking.terms."""
        ...

    def agree(self) -> None:
        """See asking.agree."""
        ...

    def import_holdings(self, text: str, origin: str) -> Done:
        """See imports.import_holdings."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait a little."""
        ...


class Here:
    """A desk in this process."""

    def __init__(self, access: Access) -> None:
        self._access, self.read, self.source = access, access.read, access.prices
        self.pause = access.pause

    def begin(self, asked: Asked) -> CorrelationId:
        """See Door."""
        return rounds.begin(self._access, asked)

    def terms(self) -> Terms:
        """See Door."""
        return asking.terms(self._access, len(rounds.concerned(self._access)))

    def agree(self) -> None:
        """See Door."""
        asking.agree(self._access)

    def import_holdings(self, text: str, origin: str) -> Done:
        """See Door."""
        file = import_holdings(self._access, text, origin)
        return Done(len(file.lines), f"{file.cash:f}")


class There:
    """A desk in another process, spoken to over its socket."""

    def __init__(self, home: Home, read: Reader, source: str) -> None:
        self._home, self.read, self.source = home, read, source

    def begin(self, asked: Asked) -> CorrelationId:
        """See Door."""
        answer = call(self._home.socket, "POST", "/rounds", {"again": asked.again, "claude": asked.claude})
        return CorrelationId(answer["correlation_id"])

    def terms(self) -> Terms:
        """See Door."""
        return msgspec.convert(call(self._home.socket, "GET", "/terms"), Terms)

    def agree(self) -> None:
        """See Door."""
        call(self._home.socket, "POST", "/consent", {})

    def import_holdings(self, text: str, origin: str) -> Done:
        """See Door."""
        answer = call(self._home.socket, "POST", "/holdings", {"origin": origin, "text": text})
        return Done(answer["holdings"], answer["cash"])

    def pause(self, seconds: float) -> None:
        """See Door."""
        time.sleep(seconds)
        if self._home.owner() is None:
            raise DeskFailed(
                f"home {self._home.path}: the desk that ran here has ended; run the command again to go on"
            )


def follow(door: Door, correlation_id: CorrelationId, show: Callable[[int, int], None]) -> None:
    """Wait until a round has ended, showing how many of its tasks have. Raises RoundFailed if one is dead."""
    while not rounds.ended(rows := tasks.together(door.read, correlation_id)):
        show(sum(row.state in rounds.ENDED for row in rows), len(rows))
        door.pause(LOOK)
    for row in rows:
        if row.state != "done":
            raise RoundFailed(f"task {row.id} ({row.type}) is {row.state}: {row.error}; see `run.py tasks`")
