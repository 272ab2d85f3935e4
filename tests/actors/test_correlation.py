"""What is logged while a message is handled bears the id of what the message belongs to."""

import json
import logging
from collections.abc import Iterator

import pytest

from actors.domain import bars
from actors.kernel.testing import Probe, TestSystem
from actors.workers.jobs import Known
from actors.workers.places import Here
from actors.workers.worker import Worker
from messages.addresses import Ref, Refused
from messages.correlation import TRACE, Trace, of, shared, within
from messages.market import Bars
from messages.tasks import ComputeFacts, Finished, Lease, NewTask, RefreshBars, Run, Submit, Submitted
from messages.values import CorrelationId, Symbol
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from telemetry.hooks import CountingHooks
from telemetry.logs import Lines, Redactor
from tests.actors.domain import making
from tests.actors.kernel.counter import Committed, Counter, CounterMessage, Crash, Do, Write, Writer, WriterMessage
from tests.desks import StagedDesk

ONE, TWO = CorrelationId("1" * 32), CorrelationId("2" * 32)


class Said:
    """What is logged, as JSON."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        caplog.handler.setFormatter(Lines("json", Redactor(())))

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        """Logger and correlation id of each line."""
        for line in self._caplog.text.splitlines():
            said = json.loads(line)
            yield said["logger"], said["correlation_id"]


def test_of_jobs_that_are_done_together_each_is_logged_with_its_own_id(
    home: Home, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, system, ref = Said(caplog), TestSystem(), Ref[Run]("workers")
    open_for_writing(home, {}, 0).close()
    monkeypatch.setattr("storage.valuations.weights", lambda read, about: 1 / 0)  # pyright: ignore
    known = Known(Reader(home.database), "USD", lambda progress: None)
    system.add_crew(ref, lambda take: Worker(take, Here(), known, system.clock.utc), 1)
    system.start()

    for lease, about in enumerate((ONE, TWO), 1):
        with within(Trace(about)):
            ref.tell(Run(Lease(lease, 1), ComputeFacts(making.ACME, making.LAST), about, Probe[Finished | Refused]()))
    system.settle()

    assert list(said) == [("troupe.workers", ONE), ("troupe.workers", TWO)]


def test_a_crash_and_a_message_that_hangs_are_logged_with_the_id_of_the_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said, system, ref = Said(caplog), TestSystem(), Ref[CounterMessage]("counter")
    system.hooks = CountingHooks()
    system.add(ref, lambda me: Counter(me, []))
    system.start()

    def hang(_: Counter) -> None:
        system.manual.manual.now += 11
        system.watch()

    with within(Trace(ONE)):
        ref.tell(Do(hang))
        ref.tell(Crash())
    ref.tell(Crash())
    system.settle()
    system.advance(1)

    assert list(said) == [("troupe.kernel", ONE), ("troupe.kernel", ONE), ("troupe.kernel", None)]


def test_tasks_that_are_written_together_are_handed_out_each_under_its_own_id(
    desk: StagedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, real = list[tuple[int, str | None]](), bars.fault

    def spy(found: Bars) -> bars.Fault | None:
        seen.append((len(found), None if (trace := TRACE.get()) is None else trace.correlation_id))
        return real(found)

    monkeypatch.setattr("actors.market.coordinator.fault", spy)

    for about, symbol in ((ONE, "AAPL"), (TWO, "IBM")):
        with within(Trace(about)):
            new = NewTask(f"refresh_bars/{symbol}/1", "data", RefreshBars(Symbol(symbol)))
            desk.access.tasks.tell(Submit((new,), about, Probe[Submitted | Refused]()))
    desk.system.settle()

    assert {about for _, about in seen} == {ONE, TWO}
    assert len(seen) == 2


def test_a_batch_belongs_to_all_that_its_parts_belong_to() -> None:
    one, again, two = Trace(ONE), Trace(ONE), Trace(TWO)

    assert shared([one, again]) in (one, again)
    assert shared([one, None]) is one
    assert shared([]) is None
    both = shared([one, two])
    assert both is not None
    assert both.also == (one, two)
    again_both = shared([both, None, two])
    assert again_both is not None
    assert again_both.also == (one, two)


def test_what_is_told_for_a_request_goes_on_in_its_trace_if_that_is_at_hand() -> None:
    at_hand = Trace(ONE, 7)
    with within(shared([at_hand, Trace(TWO, 8)])), of(ONE):
        assert TRACE.get() is at_hand
    with of(ONE):
        found = TRACE.get()

    assert found is not None
    assert (found.correlation_id, found.span) == (ONE, 0)


def test_what_a_batch_of_several_requests_says_is_said_of_none_of_them() -> None:
    seen = list[Trace | None]()
    system, ref = TestSystem(), Ref[WriterMessage]("database")

    class Noting(Writer):
        def on_receive(self, message: WriterMessage) -> None:
            super().on_receive(message)
            seen.append(TRACE.get())

    system.add(ref, lambda me: Noting(me, []))
    system.start()
    for batch in ((ONE, TWO), (ONE, ONE)):
        for about in batch:
            with within(Trace(about)):
                ref.tell(Write("row", Probe[Committed | Refused]()))
        system.settle()

    both, one = seen
    assert both is not None
    assert one is not None
    assert (both.correlation_id, [each.correlation_id for each in both.also], one.correlation_id) == (
        "",
        [ONE, TWO],
        ONE,
    )


def test_a_line_of_what_serves_several_requests_names_none_of_them() -> None:
    lines = Lines("json", Redactor(()))
    with within(shared([Trace(ONE), Trace(TWO)])):
        said = json.loads(lines.format(logging.makeLogRecord({"msg": "both"})))

    assert said["correlation_id"] is None
