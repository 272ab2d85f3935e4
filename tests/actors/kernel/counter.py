"""The actors the tests are about: a counter, someone who asks it, and a group-committing writer."""

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from actors.kernel.me import Me
from messages.addresses import Refused, ReplyTo

trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")


@dataclass(frozen=True, slots=True)
class Add:
    amount: int


@dataclass(frozen=True, slots=True)
class Total:
    reply_to: ReplyTo["int | Refused"]


@dataclass(frozen=True, slots=True)
class Hold:
    """A request that is answered by the next Release."""

    reply_to: ReplyTo["int | Refused"]


@dataclass(frozen=True, slots=True)
class Release:
    pass


@dataclass(frozen=True, slots=True)
class Crash:
    reply_to: ReplyTo["int | Refused"] | None = None
    error: type[BaseException] = ValueError


@dataclass(frozen=True, slots=True)
class Do:
    """Run this in the actor."""

    action: "Callable[[Counter], None]"


@dataclass(frozen=True, slots=True)
class Tick:
    note: str = ""


@dataclass(frozen=True, slots=True)
class Committed:
    rows: int


CounterMessage = Add | Total | Hold | Release | Crash | Do | Tick | Refused | Committed | int


class Counter:
    """Adds up; remembers what it was told back."""

    def __init__(self, me: Me[CounterMessage], log: list[object] | None = None) -> None:
        self.me, self.total, self.held = me, 0, list[ReplyTo[int | Refused]]()
        self.log = [] if log is None else log

    def on_start(self) -> None:
        self.log.append("start")

    def on_stop(self) -> None:
        self.log.append("stop")

    def on_receive(self, message: CounterMessage) -> None:
        match message:
            case Add(amount):
                self.total += amount
            case Total(reply_to):
                reply_to.tell(self.total)
            case Hold(reply_to):
                self.held.append(reply_to)
            case Release():
                held, self.held = self.held, []
                for reply_to in held:
                    reply_to.tell(self.total)
            case Crash(_, error):
                raise error(trace.get())
            case Do(action):
                action(self)
            case Tick() | Refused() | Committed() | int():
                self.log.append(message)
            case _:
                assert_never(message)


@dataclass(frozen=True, slots=True)
class Write:
    row: str | None
    reply_to: ReplyTo["Committed | Refused"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    pass


WriterMessage = Write | Checkpoint


class Writer:
    """Commits what waits in one go, and answers after it."""

    def __init__(self, me: Me[WriterMessage], disk: list[str], commits: list[int] | None = None) -> None:
        self.me, self.disk, self.commits = me, disk, [] if commits is None else commits

    def on_receive(self, message: WriterMessage) -> None:
        match message:
            case Write():
                self._commit([message, *self.me.take_waiting(Write, 99)])
            case Checkpoint():
                self.commits.append(0)
            case _:
                assert_never(message)

    def _commit(self, writes: list[Write]) -> None:
        rows = [write.row for write in writes if write.row is not None]
        if "poison" in rows:
            raise OSError("disk")
        self.disk.extend(rows)
        self.commits.append(len(writes))
        for write in writes:
            write.reply_to.tell(Committed(len(self.disk)))


@dataclass(frozen=True, slots=True)
class Divide:
    """What a crew is asked."""

    by: int
    reply_to: ReplyTo["int | Refused"]


class Gate:
    """Lets a test hold an actor inside a handler."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, _counter: Counter) -> None:
        self.entered.set()
        assert self.opened.wait(10)
