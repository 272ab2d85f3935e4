"""Spans of what the kernel handles: one trace from a click to the entry of a fill, and none where none is wanted."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from time import time_ns
from typing import Any

import pytest
from opentelemetry.sdk import _shared_internal
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from actors.console import trading
from actors.console.access import DeskRefused
from actors.kernel.testing import Probe, Recorder, TestSystem
from actors.settings.reading import Settings
from messages.addresses import Ref, Refused
from messages.correlation import Trace, within
from messages.tasks import StageOrder
from messages.trading import OrderState, TradingTerms
from messages.values import CorrelationId, Symbol
from storage import orders
from storage.home import Home
from telemetry.tracing import Spans, first, spans
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
from tests.actors.trading.staged import AAPL, Desk, Exchange
from tests.desks import StagedDesk
from tests.telemetry.collectors import refusing, silent

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nCASH:USD,1000,1\n"
IBM = Symbol("IBM")
ONE, TWO = CorrelationId("1" * 32), CorrelationId("2" * 32)


class Recording:
    """What was recorded, once it is closed."""

    def __init__(self, sample: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.spans = Spans(self._exporter, sample)

    def of(self, about: str = "") -> list[ReadableSpan]:
        """All spans, or those of a trace."""
        self.spans.close()
        found = self._exporter.get_finished_spans()
        return [span for span in found if not about or f"{_context(span).trace_id:032x}" == about]

    def names(self, about: str = "") -> list[str]:
        return [span.name for span in self.of(about)]


def _context(span: ReadableSpan) -> Any:
    return span.get_span_context()


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """What every system of the test records."""
    recording = Recording()
    monkeypatch.setattr(Recorder, "spans", recording.spans)
    return recording


@pytest.fixture
def rules(home: Home) -> Settings:
    return Settings(folder=home.path / "prices", trading=TradingTerms(analysts=("rules",)))


def counting() -> tuple[TestSystem, Ref[CounterMessage], Counter]:
    system, ref, made = TestSystem(), Ref[CounterMessage]("counter"), list[Counter]()

    def build(me: Any) -> Counter:
        made.append(Counter(me))
        return made[-1]

    system.add(ref, build)
    system.start()
    return system, ref, made[0]


def test_a_round_is_one_trace_from_the_click_to_the_entry_of_its_fill(
    home: Home, rules: Settings, recording: Recording
) -> None:
    desk = StagedDesk(home, rules).start()
    desk.import_text(HOLDINGS)
    desk.once()
    about = desk.begin()

    order = orders.newest(desk.read, 1)[0]
    trading.say(desk.access, "approve", order.id)
    desk.system.settle()
    with pytest.raises(DeskRefused):
        trading.amend(desk.access, order.id, trading.Prices())
    desk.stop()

    names = recording.names(about)
    for name in (
        "tasks Submit", "database Write", "processes-1 Run", "workers-1 Run", "research Run", "tasks Finished",
        "tasks waits for Finished", "trading Run", "trading Approve", "broker Send", "trading Executed",
        "trading Amend",
    ):  # fmt: skip
        alike = name.replace("-1", "-2")
        assert name in names or alike in names, name
    fill = next(span for span in recording.of(about) if span.name == "trading Executed")
    booked = [span for span in recording.of(about) if span.name == "database Write" and _below(span, fill)]
    assert booked


def _below(span: ReadableSpan, other: ReadableSpan) -> bool:
    return span.parent is not None and span.parent.span_id == _context(other).span_id


def test_a_round_is_one_tree_below_the_click_that_began_it(home: Home, rules: Settings, recording: Recording) -> None:
    desk = StagedDesk(home, rules).start()
    desk.import_text(HOLDINGS)
    desk.once()
    about = desk.begin()
    trading.say(desk.access, "approve", orders.newest(desk.read, 1)[0].id)
    desk.system.settle()
    desk.stop()

    found = recording.of(about)
    ids = {_context(span).span_id for span in found}
    [root] = [span for span in found if span.parent is None]
    below = {span.name for span in found if _below(span, root)}
    assert root.name == "edge Submit"
    assert {"tasks Submit", "tasks waits for Finished", "research Run", "trading Run", "edge Approve"} <= below
    assert len(ids) == len(found)
    assert all(span.parent.span_id in ids for span in found if span.parent is not None)
    assert all(span.start_time and span.end_time and span.start_time <= span.end_time for span in found)


def test_what_is_filled_later_is_booked_in_the_traces_of_its_orders(home: Home, recording: Recording) -> None:
    """The account is compared when a timer says so, which belongs to no trace."""
    exchange = Exchange()
    desk = Desk(home, exchange)
    desk.open()
    desk.prices(100.0, IBM)
    for about, symbol in ((ONE, AAPL), (TWO, IBM)):
        desk.run(StageOrder(desk.decide(round_=about, symbol=symbol)))
    staged = orders.open_orders(desk.read)
    for order in staged:
        desk.approve(order.id)
    desk.system.settle()
    for order in staged:
        exchange.fill(order.id)
    before = time_ns()

    desk.reconcile()

    assert {desk.order(order.id).state for order in staged} == {OrderState.FILLED}
    [one], [two] = (
        [span for span in recording.of(about) if span.name == "database Write" and (span.start_time or 0) > before]
        for about in (ONE, TWO)
    )
    assert [link.context for link in one.links] == [_context(two)]
    assert [link.context for link in two.links] == [_context(one)]
    assert all(
        span.parent is not None and span.parent.span_id == first(about) for about, span in ((ONE, one), (TWO, two))
    )


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

    assert [f"{_context(span).trace_id:032x}" for span in recording.of()] == [low]
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
    assert _below(by_name["other Total"], asked)
    assert _below(waited, asked)
    assert _below(by_name["counter int"], waited)
