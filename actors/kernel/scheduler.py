"""Time: two clocks, and one thread that calls back and keeps watch."""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from actors.kernel.edges import here

TICK: Final = 0.1
"""Seconds between two looks of the watchdog."""
SWEPT: Final = 100
"""Entries of the agenda below which nothing is swept out: each keeps alive what its answer was about."""
Void = Callable[[], bool]
"""Whether it need not be called any more; `bool` is what never says so."""


class Clock(Protocol):
    """The only way to know what time it is."""

    def monotonic(self) -> float:
        """Seconds since whenever."""
        ...

    def utc(self) -> int:
        """Microseconds since 1970."""
        ...


class WallClock:
    """The machine's."""

    monotonic = staticmethod(time.monotonic)

    def utc(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000


class Agenda:
    """What is to be called when; of two at the same time the one that was added first.

    Nothing is cancelled, but what has become void is swept out now and then: nearly all return addresses have
    their answer long before their time is up.
    """

    def __init__(self) -> None:
        self.due, self._numbers = list[tuple[float, int, Callable[[], None], Void]](), count()
        self._sweep_at = SWEPT

    def add(self, due: float, action: Callable[[], None], void: Void) -> None:
        """Note it."""
        heapq.heappush(self.due, (due, next(self._numbers), action, void))
        if len(self.due) > self._sweep_at:
            self.due = [entry for entry in self.due if not entry[3]()]
            heapq.heapify(self.due)
            self._sweep_at = SWEPT + 2 * len(self.due)

    def first(self) -> float:
        """When the next one is due."""
        return self.due[0][0] if self.due else float("inf")

    def pop(self) -> Callable[[], None]:
        """Take the next one out."""
        return heapq.heappop(self.due)[2]


class Scheduler(Protocol):
    """Calls back later."""

    clock: Clock

    def later(self, seconds: float, action: Callable[[], None], void: Void = bool, /) -> None:
        """Call `action`, which only posts a message, after so many seconds, unless it is `void` by then."""
        ...

    def start(self, watch: Callable[[], None], failed: Callable[[str], None], /) -> None:
        """Begin; `watch` is called on every tick, `failed` if anything called here raises."""
        ...

    def stop(self) -> None:
        """Call nothing any more."""
        ...


class ThreadScheduler:
    """One thread. Since it wakes on every tick anyway, only what is due before the next one wakes it."""

    def __init__(self) -> None:
        self.clock: Clock = WallClock()
        self._agenda, self._new = Agenda(), deque[tuple[float, Callable[[], None], Void]]()
        self._wake = SimpleQueue[bool]()

    def later(self, seconds: float, action: Callable[[], None], void: Void = bool, /) -> None:
        """See Scheduler."""
        self._new.append((self.clock.monotonic() + seconds, action, void))
        if seconds <= TICK:
            self._wake.put(True)

    def start(self, watch: Callable[[], None], failed: Callable[[str], None], /) -> None:
        """See Scheduler."""
        threading.Thread(target=self._run, args=(watch, failed), name="scheduler", daemon=True).start()

    def stop(self) -> None:
        """See Scheduler."""
        self._wake.put(False)

    def _run(self, watch: Callable[[], None], failed: Callable[[str], None]) -> None:
        here.role, go_on, tick = "the scheduler", True, self.clock.monotonic()
        while go_on:
            try:
                tick = self._round(tick, watch)
            except BaseException as error:  # an action only posts, so the kernel itself is broken
                failed(f"kernel, in the scheduler: {error!r}")
            with suppress(Empty):
                go_on = self._wake.get(timeout=max(0.0, min(self._agenda.first(), tick) - self.clock.monotonic()))

    def _round(self, tick: float, watch: Callable[[], None]) -> float:
        while self._new:
            self._agenda.add(*self._new.popleft())
        while self._agenda.first() <= self.clock.monotonic():
            self._agenda.pop()()
        if (now := self.clock.monotonic()) < tick:
            return tick
        watch()
        return now + TICK
