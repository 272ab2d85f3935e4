"""Traces as trees: one from each click to the last thing that came of it, whoever brings it about."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from time import time_ns

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from actors.console import asking, backups, talking, trading
from actors.console.access import DeskRefused
from actors.kernel.testing import Probe, Recorder
from actors.settings.reading import Settings
from messages.addresses import Ref, Refused
from messages.broker import Stage
from messages.correlation import Trace, within
from messages.tasks import Backup, Finished, Lease, NewTask, Run, StageOrder
from messages.trading import Holding, Order, OrderState, Said, SetState, TradingState, TradingTerms
from messages.values import CorrelationId, Symbol
from storage import orders, states
from storage.home import Home
from telemetry.tracing import first
from tests.actors.trading.staged import AAPL, ROUND, Desk, Exchange
from tests.desks import StagedDesk, prices, walk
from tests.telemetry.recording import Recording, below, context

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nCASH:USD,1000,1\n"
IBM = Symbol("IBM")
ONE, TWO = CorrelationId("1" * 32), CorrelationId("2" * 32)


@pytest.fixture
def rules(home: Home) -> Settings:
    return Settings(folder=home.path / "prices", trading=TradingTerms(analysts=("rules",)))


def ran(home: Home, settings: Settings) -> StagedDesk:
    """A desk that has made a round about what it holds."""
    desk = StagedDesk(home, settings).start()
    desk.import_text(HOLDINGS)
    desk.once()
    return desk


def test_a_round_is_one_trace_from_the_click_to_the_entry_of_its_fill(
    home: Home, rules: Settings, recording: Recording
) -> None:
    desk = ran(home, rules)
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
    booked = [span for span in recording.of(about) if span.name == "database Write" and below(span, fill)]
    assert booked


def test_a_round_is_one_tree_below_the_click_that_began_it(home: Home, rules: Settings, recording: Recording) -> None:
    desk = ran(home, rules)
    about = desk.begin()
    trading.say(desk.access, "approve", orders.newest(desk.read, 1)[0].id)
    desk.system.settle()
    desk.stop()

    found = recording.of(about)
    ids = {context(span).span_id for span in found}
    [root] = [span for span in found if span.parent is None]
    top = {span.name for span in found if below(span, root)}
    assert root.name == "edge Submit"
    assert top == {"tasks Submit", "tasks waits for Finished", "edge Submit", "edge Approve"}
    assert len(ids) == len(found)
    assert all(span.parent.span_id in ids for span in found if span.parent is not None)
    assert all(span.start_time and span.end_time and span.start_time <= span.end_time for span in found)


def broken(found: list[ReadableSpan]) -> list[str]:
    """Traces that do not begin with one span, spans whose parent is not there, and ids that two have."""
    ids = Counter(context(span).span_id for span in found)
    begun = Counter(context(span).trace_id for span in found if span.parent is None)
    return [
        *(f"{about:032x} begins {begun[about]} times" for about in {context(span).trace_id for span in found}
          if begun[about] != 1),
        *(span.name for span in found if ids[context(span).span_id] > 1),
        *(span.name for span in found if span.parent is not None and span.parent.span_id not in ids),
    ]  # fmt: skip


def test_all_that_a_person_does_is_whole_trees(home: Home, recording: Recording) -> None:
    prices(home.path / "prices", "AAPL", *walk(58))
    terms = TradingTerms(analysts=("rules",), when_halted="flatten")
    desk = StagedDesk(home, Settings(source="csv", calendar="XNYS", folder=home.path / "prices", trading=terms)).start()
    desk.import_text(HOLDINGS)
    desk.once()  # whose calendar is worked out first
    desk.begin()
    backups.begin(desk.access)
    asking.agree(desk.access)
    for text in ("one", "and two"):  # of one talk
        list(talking.ask(desk.access, talking.Wanted(text, "ab" * 16)))
    new = NewTask("backup/again", "portfolio", Backup("again.sqlite3", 1))
    with pytest.raises(DeskRefused):
        replace(desk.access, tasks=Ref("tasks")).submit([new], ONE)
    desk.access.submit([new], ONE)
    trading.set_state(desk.access, TradingState.REDUCING, "all", "why")
    trading.set_state(desk.access, TradingState.ACTIVE, "all", "why")
    home.halt.touch()
    desk.system.advance(600)
    assert any(order.flattens for order in orders.newest(desk.read, 10))
    desk.stop()

    assert broken(recording.of()) == []


def test_what_closes_positions_is_in_the_trace_of_the_click_that_halted(
    home: Home, rules: Settings, recording: Recording
) -> None:
    desk = ran(home, rules)

    trading.set_state(desk.access, TradingState.HALTED, "all", "why", flatten=True)
    desk.system.settle()
    [order] = [order for order in orders.newest(desk.read, 10) if order.flattens]
    desk.stop()

    names = recording.names(order.correlation_id)
    assert order.state is OrderState.FILLED
    assert {"edge SetState", "broker Flatten", "trading Executed", "database Write"} <= {*names}


def held(home: Home, exchange: Exchange) -> Desk:
    """A desk that holds ten shares."""
    desk = Desk(home, exchange)
    desk.open(Holding(AAPL, Decimal(10), Decimal(100), None))
    return desk


def halt(desk: Desk) -> None:
    desk.ref.tell(SetState("all", TradingState.HALTED, "why", Probe[Said | Refused](), flatten=True))
    desk.system.settle()


def closing(desk: Desk) -> list[Order]:
    return [order for order in orders.newest(desk.read, 10) if order.flattens]


def test_what_is_tried_again_to_close_a_position_is_in_the_same_trace(home: Home) -> None:
    desk = held(home, Exchange())
    with within(Trace(ONE)):
        halt(desk)
    [first_try] = closing(desk)
    desk.exchange.end(first_try.id, Stage.EXPIRED)

    desk.system.advance(1_200)

    assert len(closing(desk)) > 1
    assert {order.correlation_id for order in closing(desk)} == {ONE}


def test_what_closes_positions_is_not_in_the_trace_of_a_task_that_has_the_account_compared(home: Home) -> None:
    desk = held(home, Exchange())
    desk.keep(*states.set_state("all", TradingState.HALTED, "why", 1, flatten=True))
    with within(Trace(TWO)):
        desk.reconcile()

    assert closing(desk)
    assert TWO not in {order.correlation_id for order in closing(desk)}


def test_a_round_that_is_asked_for_again_after_a_restart_begins_no_second_time(
    home: Home, rules: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = list[str]()
    for at in (0.0, 60.0):
        recording = Recording()
        monkeypatch.setattr(Recorder, "spans", recording.spans)
        desk = StagedDesk(home, rules, at=at).start()
        if not at:
            desk.import_text(HOLDINGS)
        about = desk.begin()
        desk.stop()
        begun += [span.name for span in recording.of(about) if span.parent is None]

    assert begun == ["edge Submit"]


def test_a_task_runs_below_the_waiting_for_its_end(home: Home, rules: Settings, recording: Recording) -> None:
    desk = ran(home, rules)
    about = desk.begin()
    desk.stop()

    found = recording.of(about)
    waits = {context(span).span_id: span for span in found if span.name == "tasks waits for Finished"}
    runs = [span for span in found if span.name.endswith(" Run")]
    above = [span.parent.span_id for span in runs if span.parent is not None]
    assert {*above} == waits.keys()
    assert len(above) == len(runs) == len(waits) > 3


def test_a_click_that_is_refused_can_be_found(home: Home, rules: Settings, recording: Recording) -> None:
    desk = ran(home, rules)
    order = orders.newest(desk.read, 1)[0]
    try:
        raise KeyError("of somebody else's")
    except KeyError:
        trading.say(desk.access, "approve", order.id)
    with pytest.raises(DeskRefused):
        trading.say(desk.access, "approve", order.id)
    desk.stop()

    clicks = [span.status for span in recording.of(order.correlation_id) if span.name == "edge Approve"]
    assert [(each.status_code, each.description) for each in clicks] == [
        (StatusCode.UNSET, None), (StatusCode.ERROR, "Refused"),
    ]  # fmt: skip


@pytest.mark.parametrize("by", ["an expiry", "a look-up", "a look at the account"])
def test_what_a_timer_brings_about_of_an_order_is_in_its_trace(home: Home, by: str, recording: Recording) -> None:
    exchange = Exchange()
    desk = Desk(home, exchange)
    desk.open()
    order = desk.stage(round_=ONE)
    if by != "an expiry":
        exchange.faults = ["deaf"] if by == "a look-up" else []
        desk.approve(order.id)
        desk.system.settle()
    if by == "a look at the account":
        exchange.end(order.id, Stage.CANCELLED)
    before = time_ns()

    desk.system.advance(48 * 3_600)

    assert desk.order(order.id).state is {
        "an expiry": OrderState.EXPIRED, "a look-up": OrderState.WORKING, "a look at the account": OrderState.CANCELLED,
    }[by]  # fmt: skip
    assert {"database Write", *(["broker LookUp"] if by == "a look-up" else [])} <= {*recording.names(ONE, before)}


def test_what_is_staged_together_is_written_in_the_traces_of_both(home: Home, recording: Recording) -> None:
    desk = Desk(home, Exchange())
    desk.open()
    desk.prices(100.0, IBM)
    ids = [desk.decide(round_=about, symbol=symbol) for about, symbol in ((ONE, AAPL), (TWO, IBM))]
    for number, id_ in enumerate(ids):
        desk.ref.tell(Run(Lease(number, 1), StageOrder(id_), ROUND, Probe[Finished | Refused]()))
    desk.system.settle()

    assert [recording.names(about).count("database Write") for about in (ONE, TWO)] == [1, 1]


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
        [span for span in recording.of(about, before) if span.name == "database Write"] for about in (ONE, TWO)
    )
    assert [link.context for link in one.links] == [context(two)]
    assert [link.context for link in two.links] == [context(one)]
    assert all(
        span.parent is not None and span.parent.span_id == first(about) for about, span in ((ONE, one), (TWO, two))
    )
