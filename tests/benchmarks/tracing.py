"""What traces cost where most are left out: tasks through the real queue and writer, with traces and without."""

import random
import secrets
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from actors.kernel.hooks import Hooks
from actors.kernel.testing import Probe, TestSystem
from actors.tasks.hands import FREE
from messages.addresses import ReplyTo
from messages.correlation import Trace, within
from messages.tasks import Submit
from messages.values import CorrelationId
from storage import tasks
from telemetry.hooks import CountingHooks
from telemetry.tracing import Spans
from tests.benchmarks.queue import Desk, new

TASKS: Final = 200
"""Tasks of a piece of work."""
A_ROUND: Final = 2
"""Tasks of a request; of the hundred requests of a piece one is recorded."""
AT_ONCE: Final = 50
"""Tasks that are submitted before any is looked at."""


class Nowhere(SpanExporter):
    """Takes everything, at once."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class OneThread(TestSystem):
    """Actors take turns, each until it has nothing left: two threads would measure how they meet."""

    def settle(self, limit: int = 0) -> None:
        while any(self._emptied(runner) for runner in self.runners):
            pass

    @staticmethod
    def _emptied(runner: Any) -> bool:
        found = False
        while runner.able():
            runner.step()
            found = True
        return found


class Lot:
    """A queue, a writer and a worker that does nothing, on one thread, and this share of traces sent."""

    def __init__(self, place: Path, sample: float) -> None:
        self._spans = Spans(Nowhere(), sample) if sample else None

        def system(*, hooks: Hooks, flush: Callable[[ReplyTo[Any]], None]) -> OneThread:
            made = OneThread(flush=flush)
            made.hooks = hooks
            return made

        self._desk, self._done = Desk(place, (FREE[0], 0), hooks=CountingHooks(self._spans), system=system), 0
        self.work()  # the first statements are prepared

    def work(self) -> float:
        """The processor's seconds, until all spans are sent."""
        among = random.sample([*range(3, 102), 0], TASKS // A_ROUND)  # 0 begins one that is recorded
        ids = [CorrelationId(f"{secrets.token_hex(8)}{number:02x}{secrets.token_hex(7)}") for number in among]
        answers, began = Probe[Any](), time.process_time()
        for number in range(TASKS):
            about = ids[number // A_ROUND]
            with within(Trace(about)):
                self._desk.tasks.tell(Submit((new(self._done + number),), about, answers))
            if number % AT_ONCE == AT_ONCE - 1:
                self._desk.settle()
        if self._spans is not None:
            self._spans._processor.force_flush()  # pyright: ignore[reportPrivateUsage]
        took = time.process_time() - began
        self._done += TASKS
        assert tasks.counts(self._desk.read) == {("data", "done"): self._done}
        return took

    def stop(self) -> None:
        self._desk.stop()
        if self._spans is not None:
            self._spans.close()


def in_turn(untraced: Lot, traced: Lot, pieces: int) -> float:
    """How many percent more the processor has to do for the one than for the other, in the median of many pieces."""
    took = dict[Lot, list[float]]({untraced: [], traced: []})
    for number in range(pieces):
        for lot in (untraced, traced) if number % 2 else (traced, untraced):
            took[lot].append(lot.work())
    return (statistics.median(took[traced]) / statistics.median(took[untraced]) - 1) * 100
