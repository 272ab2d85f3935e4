"""Mailboxes kept full, and a stop beside actors that hang or back off: real threads, a real database file."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from actors.database import DatabaseWriter
from actors.desk import Desk, Edges
from actors.kernel.bus import Bus
from actors.kernel.edges import Promise
from actors.kernel.me import Actor, Me
from actors.kernel.supervision import Policy
from actors.kernel.system import REBUILD, STOP_DESK, System
from actors.kernel.testing import Recorder
from actors.settings import Settings
from messages import database
from messages.addresses import Ref, Refused, ReplyTo, request
from messages.database import Committed, Statement, Write
from messages.market import Fetch
from messages.tasks import NewTask, RefreshBars, Submit, Submitted
from messages.trading import Holding, Import, Imported
from messages.values import CorrelationId, Symbol
from storage import ledger, tasks
from storage.connections import Operations, Reader
from storage.home import Home
from tests.actors.kernel.counter import Add, Counter as Adder, CounterMessage, Crash, Divide, Do, Gate, Total

M = TypeVar("M")
ROOM: Final = 20
SENDERS: Final = 2
hammered = pytest.mark.parametrize(
    "seconds", [1.0, pytest.param(60.0, marks=[pytest.mark.long, pytest.mark.timeout(120)])]
)


class Watching(Recorder):
    """Remembers crashes and who hangs; of dead letters there are too many."""

    def dead_letter(self, actor: str, message: object, why: str, /) -> None:
        """See Hooks."""


class Receipts:
    """Return addresses that count what they are told, by kind; each is to be told once."""

    def __init__(self) -> None:
        self.told, self.sent, self._lock = Counter[str](), 0, threading.Lock()

    def receipt(self, about: object = None) -> "Receipt":
        """One more."""
        with self._lock:
            self.sent += 1
        return Receipt(about, self)

    def note(self, answer: object, *, first: bool) -> None:
        """Count an answer."""
        kind = answer.code if isinstance(answer, Refused) else "answered"
        with self._lock:
            self.told[kind if first else "told twice"] += 1


class Receipt(ReplyTo[Any]):
    """One return address."""

    __slots__ = ("_receipts", "answers")

    def __init__(self, about: object, receipts: Receipts) -> None:
        super().__init__(about)
        self.answers, self._receipts = 0, receipts

    def send(self, answer: object, /) -> None:
        """See ReplyTo."""
        self.answers += 1
        self._receipts.note(answer, first=self.answers == 1)


def hammer(seconds: float, send: Callable[[int, int], None], *looks: Callable[[], int]) -> int:
    """Have two threads call `send(sender, n)` for so long; the most that a look, after each thousandth, has found."""
    until, most = time.monotonic() + seconds, list[int]()

    def run(sender: int) -> None:
        for n in count():
            send(sender, n)
            if n % 1_000 == 0:
                most.append(max((look() for look in looks), default=0))
                if time.monotonic() > until:
                    return

    threads = [threading.Thread(target=run, args=(sender,)) for sender in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(most)
