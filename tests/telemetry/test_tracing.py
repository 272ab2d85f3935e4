"""Spans of what the kernel handles: one trace from a click to the entry of a fill, and none where none is wanted."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry.sdk import _shared_internal
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from actors.kernel.mailbox import Post
from actors.kernel.testing import Probe, Recorder, TestSystem
from messages.addresses import Ref, Refused
from messages.correlation import TRACE, Trace, within
from messages.values import CorrelationId, Symbol
from storage.home import Home
from telemetry.tracing import Spans, spans
from tests.actors.kernel.counter import (
    Add,
    Committed,
    Counter,
    CounterMessage,
    Crash,
    Do,
    Tick,
    Total,
    Writer,
    WriterMessage,
)
from tests.actors.kernel.counter import Write as Row
from tests.desks import StagedDesk
from tests.telemetry.collectors import refusing, silent
from tests.telemetry.recording import Recording, below, context

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nCASH:USD,1000,1\n"
IBM = Symbol("IBM")
ONE, TWO = CorrelationId("1" * 32), CorrelationId("2" * 32)


def counting() -> tuple[TestSystem, Ref[CounterMessage], Counter]:
    system, ref, made = TestSystem(), Ref[CounterMessage]("counter"), list[Counter]()

    def build(me: Any) -> Counter:
        made.append(Counter(me))
        return made[-1]

    system.add(ref, build)
    system.start()
    return system, ref, made[0]


def test_a_question_to_claude_is_in_the_trace_of_its_round(home: Home, recording: Recording) -> None:
    asking = StagedDesk(home).start()
    asking.import_text("symbol,quantity,cost\nAAPL,10,100\n")
    asking.once(claude="on")
    about = asking.begin(claude="on")
    asking.stop()

    names = recording.names(about)

    assert {"claude Question", "claude waits for Said", "research waits for Answered", "research Answered"} <= {*names}


def test_after_a_restart_a_task_goes_on_under_the_same_trace(home: Home, recording: Recording) -> None:
    first = StagedDesk(home).start()
    first.import_text(HOLDINGS)
    about = first.begin()  # its tasks are submitted, and then it is killed
    second = StagedDesk(home, at=60.0).start()
    second.system.settle()
    second.stop()

    assert any(name.startswith("research Run") for name in recording.names(about))


def test_of_a_batch_each_trace_has_its_span_with_links_to_the_others(recording: Recording) -> None:
    system, ref = TestSystem(), Ref[WriterMessage]("database")
    disk = list[str]()
    system.add(ref, lambda me: Writer(me, disk))
    system.start()

    for about in (ONE, TWO):
        with within(Trace(about)):
            ref.tell(Row("row", Probe[Committed | Refused]()))
    ref.tell(Row("row", Probe[Committed | Refused]()))
    system.settle()

    [one], [two] = recording.of(ONE), recording.of(TWO)
    assert disk == ["row"] * 3
    assert [link.context.trace_id for link in one.links] == [int(TWO, 16)]
    assert [link.context.trace_id for link in two.links] == [int(ONE, 16)]
    assert one.end_time == two.end_time


def test_a_span_says_whose_it_is_as_the_metrics_do(home: Home) -> None:
    kept = InMemorySpanExporter()
    recording = Spans(kept, 1.0, home.identity)
    opened = list[Any]()
    context = copy_context()
    context.run(TRACE.set, Trace(ONE))
    recording.begin(opened, "counter", (Post(Tick(), context, 0.0),))
    recording.end(opened)
    recording.close()

    [span] = kept.get_finished_spans()
    assert dict(span.resource.attributes) == {"service.name": "troupe", **home.identity}


def test_what_raises_is_an_error_that_tells_the_type_and_not_the_text(recording: Recording) -> None:
    system, ref, _ = counting()

    with within(Trace(ONE)):
        ref.tell(Crash(error=LookupError))
    system.settle()

    [span] = recording.of()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "LookupError")
    assert not span.events


def test_what_belongs_to_no_trace_and_what_was_left_out_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(sample=0.5)
    monkeypatch.setattr(Recorder, "spans", recording.spans)
    system, ref, counter = counting()

    low, high, none = CorrelationId("f" * 16 + "7" * 16), CorrelationId("0" * 16 + "8" * 16), CorrelationId("0" * 32)
    for about in (low, high, none, CorrelationId("a talk's name")):
        with within(Trace(about)):
            ref.tell(Add(1))
    ref.tell(Add(1))
    system.settle()

    assert [f"{context(span).trace_id:032x}" for span in recording.of()] == [low]
    assert counter.total == 5


@pytest.mark.parametrize("sample", [0.0, 0.01, 0.5, 1.0])
def test_the_share_is_that_of_opentelemetrys_own_sampler(sample: float) -> None:
    own, recording = TraceIdRatioBased(sample), Recording(sample)
    for number in range(1, 400):
        id_ = CorrelationId(f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}")
        decided = own.should_sample(None, int(id_, 16), "").decision is Decision.RECORD_AND_SAMPLE

        assert recording.spans.takes(Trace(id_)) is decided
    recording.spans.close()


def test_nothing_is_recorded_unless_it_is_wanted() -> None:
    assert spans("none", 1.0, "http://127.0.0.1:9") is None
    assert spans("otlp", 0.0, "http://127.0.0.1:9") is None


# Where they are sent


@pytest.fixture
def sending() -> Iterator[Callable[[], list[threading.Thread]]]:
    """The threads that still send what a recording had left; there are none when the test is over."""

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "traces"]

    yield threads
    for thread in threads():
        thread.join()


@pytest.mark.parametrize("collector", [silent, refusing])
def test_an_endpoint_that_hangs_or_refuses_slows_neither_the_desk_nor_its_stop(
    collector: Callable[[], AbstractContextManager[str]],
    sending: Callable[[], list[threading.Thread]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    with collector() as endpoint:
        recording = spans("otlp", 1.0, endpoint)
        assert recording is not None
        monkeypatch.setattr(Recorder, "spans", recording)
        system, ref, counter = counting()

        for _ in range(5_000):  # more than have room
            with within(Trace(ONE)):
                ref.tell(Tick())
            system.turn()
        recording.close()
        left = sending()

    assert len(counter.log) == 5_001
    assert left or collector is refusing, "the stop has waited until the endpoint was given up"


def test_that_spans_find_no_room_is_said_once_in_ten_minutes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger(_shared_internal.__name__)
    monkeypatch.setattr(log, "filters", [])  # the SDK's own lets the same pass every twenty seconds
    for _ in range(2):
        Recording().spans.close()

    for _ in range(3):
        log.warning("Queue full, dropping %s.", "Span")

    assert len(log.filters) == 1
    assert [record.message for record in caplog.records] == ["Queue full, dropping Span."]


def test_who_is_asked_and_answers_is_seen_from_both_sides(recording: Recording) -> None:
    system, ref, counter = counting()
    other = Ref[CounterMessage]("other")
    system.add(other, Counter)
    system.run_runner(system.cells[-1].runners[0])

    def ask(_: Counter) -> None:
        other.tell(Total(counter.me.reply_to("it", of=other, within=5)))

    with within(Trace(ONE)):
        ref.tell(Do(ask))
    system.settle()

    by_name = {span.name: span for span in recording.of(ONE)}
    asked, waited = by_name["counter Do"], by_name["counter waits for int"]
    assert set(by_name) == {"counter Do", "other Total", "counter waits for int", "counter int"}
    assert below(by_name["other Total"], asked)
    assert below(waited, asked)
    assert below(by_name["counter int"], waited)
