"""What a message costs: ours with context, bound and histograms against pykka's own, and what the histograms cost."""

import gc
import statistics
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass

import pykka

from actors.kernel.cell import Cell
from actors.kernel.mailbox import Post
from actors.kernel.me import Me
from actors.kernel.system import System
from messages.addresses import Ref
from telemetry.hooks import CountingHooks
from tests.benchmarks.measure import Benchmark, Figures

BATCH, BATCHES = 500, 40


class Gate:
    """Holds the receiver until opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def set(self) -> None:
        self.entered.set()
        self.opened.wait()


@dataclass(frozen=True, slots=True)
class Add:
    done: "threading.Event | Gate | None" = None


class Ours:
    def __init__(self, _me: Me[Add]) -> None:
        self.total = 0

    def on_receive(self, message: Add) -> None:
        self.total += 1
        if message.done is not None:
            message.done.set()


class Theirs(pykka.ThreadingActor):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: Add) -> None:
        self.total += 1
        if message.done is not None:
            message.done.set()


def batch(ref: "Ref[Add] | pykka.ActorRef[Theirs]") -> float:
    """Seconds for one batch, sent and handled. The receiver begins when the sender has finished.

    Where they run against each other for the interpreter's lock ours gains more, but the figure is noisy.
    """
    add, done, gate = Add(), threading.Event(), Gate()
    ref.tell(Add(gate))
    gate.entered.wait()
    began = time.perf_counter()
    for _ in range(BATCH):
        ref.tell(add)
    ref.tell(Add(done))
    gate.opened.set()
    done.wait()
    return time.perf_counter() - began


class Bare:
    """What a cell does for a message, but for the clock and the histograms."""

    def handled(self, actor: Ours, post: Post) -> None:
        post.context.run(actor.on_receive, post.message)


def instrumentation(cell: Cell, actor: Ours) -> float:
    """Microseconds: a message handled in its context with measurements, less the same without."""
    post = Post(Add(), copy_context(), time.monotonic())
    measured, bare = cell.measured, Bare().handled
    began = time.perf_counter()
    for _ in range(BATCH):
        measured(actor, post)
    between = time.perf_counter()
    for _ in range(BATCH):
        bare(actor, post)
    return (2 * between - began - time.perf_counter()) / BATCH * 1e6


def rounds(repeats: int) -> Iterator[Figures]:
    system, ref = System(hooks=CountingHooks()), Ref[Add]("counter")
    system.add(ref, Ours, capacity=10 * BATCH)
    system.add(Ref[Add]("idle"), Ours)
    idle = system.cells[1]
    assert isinstance(idle, Cell)
    system.start()
    theirs = Theirs.start()
    actor = Ours(Me(idle))
    try:
        for _ in range(repeats):
            gc.collect()
            turns = [(batch(ref), batch(theirs), instrumentation(idle, actor)) for _ in range(BATCHES)]
            ours_seconds, theirs_seconds, microseconds = map(statistics.median, zip(*turns, strict=True))
            yield {"tell_vs_pykka": theirs_seconds / ours_seconds, "instrumentation_us": microseconds}
    finally:
        theirs.stop()
        system.stop(grace=5)


KERNEL = Benchmark(
    "a tell with context and measurements against pykka's own, and what measuring costs a message",
    {"tell_vs_pykka": "1 or more, times as fast as pykka's", "instrumentation_us": "0.5 or less, µs a message"},
    rounds,
    repeats=25,
)
