"""Two ways to a desk for the command line: one started in this process, or one that runs in another."""

import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

import msgspec

from actors.console import asking, backups, queues, rounds, talking, trading
from actors.console.access import Access, DeskFailed
from actors.console.asking import Terms
from actors.console.backups import Begun
from actors.console.client import call, stream
from actors.console.imports import import_holdings
from actors.console.rounds import LOOK, Asked, RoundFailed
from actors.console.talking import NotAnswered, Reply, Step, Wanted
from messages import tasks as queue
from messages.claude import Progress
from messages.trading import Said, TradingState
from messages.values import CorrelationId
from storage import tasks
from storage.connections import Reader
from storage.home import Home
from storage.tasks import TaskRow

GLANCE: Final = 0.25
"""Seconds between two looks at what Claude says."""


HELD_LOOK: Final = 10.0
"""Seconds between two looks whether the desk waits for its disk."""


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

    def reset(self) -> None:
        """Close Claude's breaker; see messages.claude.Reset."""
        ...

    def ask(self, wanted: Wanted) -> Generator[Step | Reply]:
        """See talking.ask."""
        ...

    def glance(self, of: str, after: int) -> Progress | None:
        """See talking.glance."""
        ...

    def import_holdings(self, text: str, origin: str) -> Done:
        """See imports.import_holdings."""
        ...

    def back_up(self) -> Begun:
        """See backups.begin."""
        ...

    def held(self) -> str | None:
        """Why the desk commits nothing at the moment, if so."""
        ...

    def order(self, what: queues.What, of: str) -> queue.Done:
        """See queues.order."""
        ...

    def say(self, what: trading.What, of: str, reason: str) -> Said:
        """See trading.say."""
        ...

    def amend(self, of: str, prices: trading.Prices) -> Said:
        """See trading.amend."""
        ...

    def set_state(self, state: TradingState, scope: str, why: str, *, flatten: bool | None = None) -> Said:
        """See trading.set_state."""
        ...

    def give(self, wanted: trading.Wanted | None) -> Said:
        """See trading.give, and take_back where nothing is wanted."""
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

    def reset(self) -> None:
        """See Door."""
        asking.reset(self._access)

    def ask(self, wanted: Wanted) -> Generator[Step | Reply]:
        """See Door."""
        return talking.ask(self._access, wanted)

    def glance(self, of: str, after: int) -> Progress | None:
        """See Door."""
        return talking.glance(self._access, of, after)

    def import_holdings(self, text: str, origin: str) -> Done:
        """See Door."""
        file = import_holdings(self._access, text, origin)
        return Done(len(file.lines), f"{file.cash:f}")

    def back_up(self) -> Begun:
        """See Door."""
        return backups.begin(self._access)

    def held(self) -> str | None:
        """See Door."""
        return self._access.operations.held

    def order(self, what: queues.What, of: str) -> queue.Done:
        """See Door."""
        return queues.order(self._access, what, of)

    def say(self, what: trading.What, of: str, reason: str) -> Said:
        """See Door."""
        return trading.say(self._access, what, of, reason)

    def amend(self, of: str, prices: trading.Prices) -> Said:
        """See Door."""
        return trading.amend(self._access, of, prices)

    def set_state(self, state: TradingState, scope: str, why: str, *, flatten: bool | None = None) -> Said:
        """See Door."""
        return trading.set_state(self._access, state, scope, why, flatten=flatten)

    def give(self, wanted: trading.Wanted | None) -> Said:
        """See Door."""
        return trading.take_back(self._access) if wanted is None else trading.give(self._access, wanted)


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

    def reset(self) -> None:
        """See Door."""
        call(self._home.socket, "POST", "/claude/reset", {})

    def ask(self, wanted: Wanted) -> Generator[Step | Reply]:
        """See Door."""
        for told in stream(self._home.socket, "/questions", {"text": wanted.text, "talk": wanted.talk}):
            if "error" in told:
                raise NotAnswered(told["error"])
            yield msgspec.convert(told, Reply) if "answer" in told else msgspec.convert(told, Step)

    def glance(self, of: str, after: int) -> Progress | None:
        """See Door."""
        return msgspec.convert(call(self._home.socket, "GET", f"/progress/{of}?after={after}"), Progress | None)

    def import_holdings(self, text: str, origin: str) -> Done:
        """See Door."""
        answer = call(self._home.socket, "POST", "/holdings", {"origin": origin, "text": text})
        return Done(answer["holdings"], answer["cash"])

    def back_up(self) -> Begun:
        """See Door."""
        return msgspec.convert(call(self._home.socket, "POST", "/backups", {}), Begun)

    def held(self) -> str | None:
        """See Door."""
        held: str | None = call(self._home.socket, "GET", "/status")["held"]
        return held

    def order(self, what: queues.What, of: str) -> queue.Done:
        """See Door."""
        place = "queues" if what in ("pause", "resume") else "tasks"
        return msgspec.convert(call(self._home.socket, "POST", f"/{place}/{quote(of, safe='')}/{what}", {}), queue.Done)

    def say(self, what: trading.What, of: str, reason: str) -> Said:
        """See Door."""
        path = f"/orders/{quote(of, safe='')}/{what}"
        return msgspec.convert(call(self._home.socket, "POST", path, {"reason": reason}), Said)

    def amend(self, of: str, prices: trading.Prices) -> Said:
        """See Door."""
        path = f"/orders/{quote(of, safe='')}/amend"
        return msgspec.convert(call(self._home.socket, "POST", path, msgspec.to_builtins(prices)), Said)

    def set_state(self, state: TradingState, scope: str, why: str, *, flatten: bool | None = None) -> Said:
        """See Door."""
        wanted = {"state": state, "scope": scope, "why": why, "flatten": flatten}
        return msgspec.convert(call(self._home.socket, "POST", "/trading", wanted), Said)

    def give(self, wanted: trading.Wanted | None) -> Said:
        """See Door."""
        return msgspec.convert(
            call(self._home.socket, "POST", "/mandate", {"mandate": msgspec.to_builtins(wanted)}), Said
        )

    def pause(self, seconds: float) -> None:
        """See Door."""
        time.sleep(seconds)
        if self._home.owner() is None:
            raise DeskFailed(
                f"home {self._home.path}: the desk that ran here has ended; run the command again to go on"
            )


def follow(door: Door, correlation_id: CorrelationId, show: Callable[[str], None]) -> None:
    """Wait until a round has ended, showing how far it is. Raises RoundFailed if a task is dead."""
    said, glanced, after, looked = "", 0.0, 0, 0.0
    while not rounds.ended(rows := tasks.together(door.read, correlation_id)):
        if any(row.state == "leased" for row in rows) and (now := time.monotonic()) > glanced + GLANCE:
            glanced = now
            if (progress := door.glance(correlation_id, after)) is not None:
                after, length = progress.number, len(progress.thinking) + sum(len(each) for _, each in progress.values)
                said = f"; Claude on {progress.symbol}: {length} characters"
        if (now := time.monotonic()) > looked + HELD_LOOK:
            if looked and (why := door.held() or _gated(rows)) is not None:
                print(f"waiting: {why}", file=sys.stderr)
            looked = now
        show(f"{sum(row.state in rounds.ENDED for row in rows)} of {len(rows)} tasks done{said}")
        door.pause(LOOK)
    for row in rows:
        if row.state != "done":
            todo = "`run.py once --again` begins anew" if row.state == "cancelled" else "see `run.py tasks`"
            raise RoundFailed(f"task {row.id} ({row.type}) is {row.state}: {row.error}; {todo}")


def _gated(rows: Sequence[TaskRow]) -> str | None:
    """Why one of them, through no fault of its own, is tried again and again."""
    for row in rows:
        if row.state not in rounds.ENDED and row.error is not None and row.error.startswith("down: "):
            return f"task {row.id}: {row.error.removeprefix('down: ')}"
    return None
