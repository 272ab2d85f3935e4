"""Who lives where, in which order they start and stop, and who is told when it cannot go on."""

from __future__ import annotations

import concurrent.futures
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final, TypeVar

from actors.kernel.cell import Cell
from actors.kernel.crew import Build, Crew
from actors.kernel.edges import Promise, refuse_to_wait
from actors.kernel.hooks import Hooks
from actors.kernel.mailbox import KERNEL, Post
from actors.kernel.me import Actor, Me
from actors.kernel.runner import Observed, Runner
from actors.kernel.scheduler import Scheduler, ThreadScheduler
from actors.kernel.supervision import Policy
from messages.addresses import Hangs, Ref, Refused, ReplyTo, request
from messages.errors import TroupeError

M = TypeVar("M")
R = TypeVar("R")
STOP_DESK: Final = Policy.STOP_DESK
SENTENCES: Final = {"full": "{} has no room for it", "down": "{} is down", "void": "{} was rebuilt"}


class StartFailed(TroupeError):
    """An actor was not ready in time, or crashed where that stops the desk; the cause is its error, if there is one."""


class System:
    """Actors are started in the order in which they are added, and stopped in reverse.

    `publish` tells an event to whoever is to know, in the caller's thread.
    `flush` sends an empty write to the writer; a rebuilt actor starts only when that is answered.
    `patience` is how many seconds a message may take before the watchdog names it.
    """

    def __init__(
        self,
        *,
        hooks: Hooks,
        publish: Callable[[object], None] = lambda _: None,
        flush: Callable[[ReplyTo[Any]], None] | None = None,
        patience: float = 10.0,
        scheduler: Scheduler | None = None,
    ) -> None:
        self.hooks, self.publish, self.flush = hooks, publish, flush
        self.scheduler: Scheduler = scheduler or ThreadScheduler()
        self.clock, self.failed = self.scheduler.clock, Future[str]()
        self.dead_letters, self.cells, self._started = Counter[tuple[str, str]](), list[Cell | Crew](), 0
        self._counting, self._patience, self._reported = threading.Lock(), patience, dict[str, object]()

    def add(
        self, ref: Ref[M], build: Callable[[Me[M]], Actor[M]], policy: Policy = Policy.REBUILD, *, capacity: int = 1_000
    ) -> None:
        """Say who lives at this address. `build` runs in the actor's own thread, for every incarnation."""
        cell = Cell(ref.name, build, policy, capacity, self)
        ref.bind(cell.deliver)
        self.cells.append(cell)

    def add_crew(self, ref: Ref[M], build: Build[M], size: int, *, capacity: int = 1_000) -> None:
        """Say that a crew of so many, all alike and without state, works at this address side by side.

        `build` gets the way to take more of what waits.
        """
        crew = Crew(ref.name, build, size, capacity, self)
        ref.bind(crew.deliver)
        self.cells.append(crew)

    @property
    def runners(self) -> list[Runner]:
        """All that run messages."""
        return [runner for cell in self.cells for runner in cell.runners]

    def start(self, *, within: float = 10.0) -> None:
        """Start each actor when the one before is ready; if one is not in time, stop and raise StartFailed."""
        self.scheduler.start(self.watch, self.fail)
        for cell in self.cells:
            self._started += 1
            for runner in cell.runners:
                self.run_runner(runner)
            self.wait(within, cell.ready, self.failed)
            if self.failed.done() or not cell.ready.done():
                crashed = next((each for each in self.cells if each.error is not None), cell)
                cause, error = crashed.cause or "its on_start has not returned", crashed.error
                self.stop(grace=within)
                raise StartFailed(f"{crashed.name} is not ready: {cause}") from error

    def stop(self, *, grace: float) -> list[str]:
        """Stop, last started first, and return the names of those that overran.

        Everyone but the first gets an equal share of what is left of half the grace, so that the
        first, the writer, has the other half whatever hangs.
        """
        begun, late_ones, started = self.clock.monotonic(), list[str](), self.cells[: self._started]
        for left, cell in zip(range(len(started) - 1, -1, -1), reversed(started), strict=True):
            rest = begun + (grace / 2 if left else grace) - self.clock.monotonic()
            if not self.stop_cell(cell, max(0.0, rest / max(left, 1))):
                late_ones.append(cell.name)
            cell.seal()
        for cell in self.cells[self._started :]:
            cell.seal()
        self.scheduler.stop()
        return late_ones

    def fail(self, reason: str) -> None:
        """Ask for the end, from any thread. Whoever waits on `failed` then calls `stop`; the first reason stays."""
        with suppress(concurrent.futures.InvalidStateError):
            self.failed.set_result(reason)

    def ask(self, ref: Ref[M], make: Callable[[ReplyTo[R | Refused]], M], *, within: float) -> R | Refused:
        """Tell `make(reply_to)` and wait, unless the desk is about to stop: then nobody may be left to answer.

        For edges: raises WouldBlock on actor, loop and scheduler threads.
        Where `make` is a lambda, write the type of the answer on the left, so that R can be inferred.
        """
        refuse_to_wait(ref.name)
        promise, spans, opened = Promise(), self.hooks.spans, list[Any]()
        post = Post(make(promise), copy_context(), self.clock.monotonic())
        if spans is not None:
            spans.begin(opened, "edge", (post,))
        post.context.run(ref.tell, post.message)
        self.wait(within, promise.future, self.failed)
        if self.failed.done():
            promise.refuse("down", f"the desk is stopping: {self.failed.result()}")
        answer: R | Refused = promise.now_or_late(ref.name, within)
        if spans is not None:
            spans.end(opened, Refused if isinstance(answer, Refused) else None)
        return answer

    def observe(self) -> list[Observed]:
        """All actors, as they are."""
        return [
            Observed(cell.name, cell.state, len(cell.mailbox), cell.cause, {each.name: each for each in cell.runners})
            for cell in self.cells
        ]

    # For the rest of the kernel

    def bury(self, name: str, message: object, why: str, retry_at: int | None = None) -> None:
        """Count a message that will not be handled, and refuse it if it is a request."""
        with self._counting:
            self.dead_letters[name, why] += 1
        if (reply_to := request(message)) is not None:
            reply_to.refuse(why, SENTENCES[why].format(name), retry_at)
        self.hooks.dead_letter(name, message, why)

    def watch(self) -> None:
        """Name whoever has been busy with one message for too long, once a message."""
        for runner in self.runners:
            post, busy = runner.inbox.current, self.clock.monotonic() - runner.began
            if post is not None and busy > self._patience and self._reported.get(runner.name) is not post:
                self._reported[runner.name] = post
                post.context.copy().run(self.hooks.hangs, runner.name, post.message, busy)
                if runner in self.cells:  # a crew's jobs may take long
                    of = "its start or stop" if post.owner is KERNEL else type(post.message).__name__
                    self.publish(Hangs(runner.name, of, busy))

    def stop_cell(self, cell: Cell | Crew, seconds: float) -> bool:
        """Have it handle what waits and stop; whether it did in time."""
        until = self.clock.monotonic() + seconds
        cell.ask_to_stop()
        for end in cell.ends:
            self.wait(max(0.0, until - self.clock.monotonic()), end)
        return all(end.done() for end in cell.ends)

    # What a test system does otherwise

    def run_runner(self, runner: Runner) -> None:
        """Give it its thread."""
        runner.run()

    def wait(self, seconds: float, *futures: Future[Any]) -> None:
        """Wait so long for one of them."""
        concurrent.futures.wait(futures, seconds, concurrent.futures.FIRST_COMPLETED)
