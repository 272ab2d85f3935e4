"""What the metrics of a desk are read from: all of the table is there, and says what has happened."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import get_args

import pytest

from actors import measures, process
from actors.console.health import STUCK, health
from actors.console.imports import import_sample
from actors.console.trading import trading
from actors.kernel.testing import Probe
from actors.settings.reading import Settings
from messages.claude import BreakerChanged, Cause
from messages.database import Write
from messages.trading import TradingState, TradingTerms
from storage import bars, breaker, states, tasks
from storage.connections import DatabaseUnusable
from storage.home import Home
from storage.payloads import NAMES
from telemetry import instruments as table
from telemetry.exporter import Exporter, PortTaken
from telemetry.hooks import CountingHooks
from telemetry.instruments import Counter, Histogram, Instrument
from telemetry.logs import Redactor
from tests.desks import StagedDesk, prices, walk
from tests.telemetry.scraping import Scrape

TABLE = {each for each in vars(table).values() if isinstance(each, Instrument)}


def scrape_of(exporter: Exporter) -> Scrape:
    answer = exporter.page("/metrics")
    assert answer is not None
    assert answer[0] == 200
    return Scrape(answer[2].decode())


@dataclass
class Measured:
    staged: StagedDesk
    exporter: Exporter

    def scrape(self) -> Scrape:
        return scrape_of(self.exporter)


@pytest.fixture
def measured(home: Home) -> Iterator[Measured]:
    staged = StagedDesk(home).start()
    import_sample(staged.access)
    exporter = Exporter(measures.sources(staged.desk, CountingHooks()), home.identity)
    yield Measured(staged, exporter)
    exporter.close()
    staged.stop()


def prometheus(instrument: Instrument) -> str:
    """The name that a sample has."""
    unit = {"s": "_seconds", "By": "_bytes"}.get(instrument.unit, "")
    kind = "_total" if isinstance(instrument, Counter) else "_count" if isinstance(instrument, Histogram) else ""
    return instrument.name.replace(".", "_") + unit + kind


def test_all_of_the_table_is_there_with_its_attributes_before_anything_was_asked_or_ordered(measured: Measured) -> None:
    measured.staged.once()

    scrape = measured.scrape()

    for instrument in TABLE:
        series = scrape.of(prometheus(instrument))
        assert series, instrument.name
        wanted = {attribute.replace(".", "_") for attribute in instrument.attributes}
        assert all({name for name, _ in labels} == wanted for labels in series), instrument.name
        if isinstance(instrument, Histogram):
            assert instrument.buckets
    assert scrape("claude_queries_total", purpose="recommendation", model="claude-sonnet-5", outcome="answered") == 0
    assert scrape("claude_circuit_state", state="closed") == 1
    assert scrape("claude_budget_remaining_usd", period="day") == 5
    assert scrape("trading_orders_total", side="buy", status="filled") == 0
    assert scrape("trading_order_rejects_total", reason="cash") == 0
    assert scrape("trading_state", state="ACTIVE") == 1
    assert scrape("research_abstentions_total", cause="timeout") == 0


def test_the_names_of_the_document_come_out_exactly(measured: Measured) -> None:
    scrape = measured.scrape()

    for name in ("claude_queries", "claude_query_duration_seconds", "db_operations", "queue_depth"):
        assert name in scrape.names


def test_a_round_with_claude_is_seen_in_queues_database_portfolio_and_cost(measured: Measured) -> None:
    staged = measured.staged
    staged.once(claude="on")

    scrape = measured.scrape()

    labels = {"purpose": "recommendation", "model": "claude-sonnet-5"}
    asked = scrape("claude_queries_total", **labels, outcome="answered")
    assert asked == 5
    assert scrape("claude_query_duration_seconds_count", **labels, outcome="answered") == asked
    assert scrape("claude_query_wait_seconds_count", purpose="recommendation") == asked
    assert scrape("claude_cost_usd_total", **labels) == pytest.approx(0.05)
    assert scrape("claude_budget_remaining_usd", period="day") == pytest.approx(4.95)
    assert scrape("claude_clients_active", kind="structured") == 1
    assert scrape("claude_clients_active", kind="prose") == 0
    for queue, kind, count in (
        ("analysis", "facts", 5),
        ("data", "refresh_bars", 5),
        ("portfolio", "value_portfolio", 1),
    ):
        assert scrape("queue_task_duration_seconds_count", queue=queue, task=kind, outcome="done") == count
        assert scrape("queue_task_wait_seconds_count", queue=queue, task=kind) == count
    assert scrape("portfolio_value", currency="USD") > 0
    long = scrape("portfolio_exposure", currency="USD", side="long")
    assert 0 < long <= scrape("portfolio_value", currency="USD")
    commits = scrape("db_commit_duration_seconds_count")
    assert commits == scrape("db_commit_batch_size_count") > 0
    assert scrape("db_commit_batch_size_sum") == sum(scrape.of("db_operations_total").values())
    operations = {"db_system_name": "sqlite", "db_operation_name": "SELECT"}
    assert scrape("db_client_operation_duration_seconds_count", **operations) > 0
    assert scrape("db_wal_size_bytes") % 4_120 == 0


def test_the_kinds_of_tasks_that_are_there_from_the_start_are_all_there_are() -> None:
    assert sorted(kind for _, kind in measures.KINDS) == sorted({name for name, _ in NAMES.values()})
    assert {queue for queue, _ in measures.KINDS} == set(tasks.QUEUES)


def test_the_outcomes_and_states_that_are_there_from_the_start_are_all_there_are() -> None:
    assert set(table.OUTCOMES) == {*Cause, "answered"}
    assert set(table.STATES) == set(get_args(breaker.State))


def test_events_are_counted_as_published_delivered_and_filtered(home: Home) -> None:
    staged = StagedDesk(home, serve=False).start()
    exporter = Exporter(measures.sources(staged.desk, CountingHooks()))
    staged.desk.bus.publish(BreakerChanged("half_open", "", "", None))

    scrape = scrape_of(exporter)
    exporter.close()
    staged.stop()

    assert scrape("event_bus_published_total", event="claude.BreakerChanged") == 1
    assert scrape("event_bus_delivered_total", event="database.WritesHeld", subscriber="trading") == 0


def test_no_series_has_a_symbol_and_there_are_few_after_a_round(measured: Measured) -> None:
    measured.staged.once(claude="on")

    scrape = measured.scrape()

    symbols = bars.symbols(measured.staged.read)
    assert symbols
    assert not {value for _, labels in scrape.series for _, value in labels} & set(map(str, symbols))
    assert len(scrape.series) < 1_500


@pytest.mark.long
def test_five_hundred_symbols_make_no_more_series_than_five(home: Home) -> None:
    names, folder = [f"SYM{number}" for number in range(500)], home.path / "prices"
    for name in names:
        prices(folder, name, *walk(3))
    settings = Settings(source="csv", folder=folder, watch=tuple(names))
    staged = StagedDesk(home, settings).start()
    staged.import_text("symbol,quantity,cost\nSYM1,1,1\nCASH:USD,500,1\n")
    staged.once()
    exporter = Exporter(measures.sources(staged.desk, CountingHooks()))

    scrape = scrape_of(exporter)
    exporter.close()
    staged.stop()

    assert scrape("queue_task_duration_seconds_count", queue="analysis", task="facts", outcome="done") == 500
    assert len(scrape.series) < 1_500


def test_whose_metrics_these_are_stays_the_same_and_names_no_path(home: Home) -> None:
    identity = home.identity

    assert identity == Home(home.path).identity
    assert str(home.path) not in str(identity)
    assert identity != Home(home.path.with_name("another")).identity


def test_a_scrape_never_waits_for_an_actor(measured: Measured) -> None:
    measured.staged.desk.database.tell(Write((), Probe[object]()))  # nobody takes a message now

    scrape = measured.scrape()

    assert scrape("actor_mailbox_depth", actor="database") == 1


def test_a_port_that_is_taken_is_an_error_unless_the_settings_say_that_metrics_are_not_required(
    measured: Measured,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        required = replace(measured.staged.settings, metrics_port=port)
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}: .*required = false"), metrics_of(measured, required):
            raise AssertionError("it goes on")
        with metrics_of(measured, replace(required, metrics_required=False)) as said:
            assert said.startswith(f"no metrics (127.0.0.1:{port}: metrics cannot be served there")


def metrics_of(measured: Measured, settings: Settings) -> AbstractContextManager[str]:
    return process.metrics_of(measured.staged.desk, measured.staged.home, CountingHooks(), settings)


# Health


def test_a_desk_that_works_is_alive_and_ready_without_a_note(measured: Measured) -> None:
    measured.staged.once()

    found = health(measured.staged.access)

    assert (found.alive, found.ready, found.reasons, found.notes) == (True, True, (), ())
    assert found.stored is not None
    assert (found.stored.breaker, found.stored.trading, found.stored.valued_as_of) == ("closed", "ACTIVE", "2013-03-01")
    assert [(each.queue, each.waiting) for each in found.stored.queues] == [(each, 0) for each in tasks.QUEUES]


def test_an_actor_that_is_not_ready_or_does_not_get_on_is_a_reason_that_names_it(measured: Measured) -> None:
    system = measured.staged.system
    system.crash(measured.staged.desk.market)
    rebuilding = health(measured.staged.access)
    system.advance(1)
    again = health(measured.staged.access)

    (reason,) = rebuilding.reasons
    assert not rebuilding.ready
    assert reason.startswith("market is rebuilding: ")
    assert (again.ready, again.restarts) == (True, 1)


def test_a_message_that_is_not_done_for_long_is_a_reason(measured: Measured) -> None:
    system = measured.staged.system
    runner = next(each for each in system.runners if each.name == "market")
    runner.began = system.clock.monotonic()

    system.manual.manual.now += STUCK + 5

    assert health(measured.staged.access).reasons == ("market has not done a message for 65 s; 0 wait",)
    runner.began = float("inf")


def test_a_desk_that_stops_is_neither_alive_nor_ready(measured: Measured) -> None:
    measured.staged.system.fail("it was told to stop")

    found = health(measured.staged.access)

    assert (found.alive, found.ready) == (False, False)
    assert found.reasons == ("the desk is stopping: it was told to stop",)


def test_writes_that_are_held_are_a_reason(measured: Measured) -> None:
    measured.staged.desk.operations.held = "the disk is full"

    found = health(measured.staged.access)
    measured.staged.desk.operations.held = None

    assert (found.ready, found.held, found.reasons) == (
        False,
        "the disk is full",
        ("nothing is committed: the disk is full",),
    )


def test_a_database_that_cannot_be_read_is_a_reason_and_the_rest_is_said(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise DatabaseUnusable("database x: disk I/O error")

    monkeypatch.setattr(breaker, "latest", broken)

    found = health(measured.staged.access)

    assert (found.alive, found.stored) == (True, None)
    assert found.reasons == ("the database cannot be read: database x: disk I/O error",)


def test_what_a_person_may_want_to_look_at_is_a_note_and_no_reason(measured: Measured) -> None:
    staged, probe = measured.staged, Probe[object]()
    opened = breaker.insert("open", 3, "network", "no route", 5, 5)
    reducing = states.set_state("all", TradingState.REDUCING, "a person said so", 1)
    staged.desk.database.tell(Write((*reducing, opened), probe))
    staged.system.settle()

    found = health(staged.access)
    staged.home.path.joinpath("HALT").touch()
    halted = health(staged.access)

    assert (found.ready, found.reasons) == (True, ())
    claude = "Claude is not asked for now (network): no route"
    assert found.notes == (claude, "trading is REDUCING: a person said so")
    assert halted.notes == (claude, f"trading is HALTED: {staged.home.halted()}")


def test_what_a_crash_has_said_is_served_without_secrets(home: Home) -> None:
    desk = StagedDesk(home).start().desk
    desk.system.fail("trading crashed: RuntimeError('401 for APCA-API-SECRET-KEY: abcdefgh and ijklmnop')")

    code, _, body = measures.pages(desk, Redactor(["ijklmnop"]))["/readyz"]()
    desk.stop()

    assert code == 503
    assert b"trading crashed: RuntimeError('401 for APCA-API-SECRET-KEY: [secret]" in body
    assert b"ijklmnop" not in body


@pytest.mark.parametrize("cause", ["the file HALT", "real money that nobody has confirmed", "a disk that is full"])
def test_what_stops_trading_whatever_is_stored_is_told_by_orders_health_and_metrics_alike(
    home: Home, cause: str
) -> None:
    terms = TradingTerms(money="real" if cause.startswith("real money") else "paper", account="12345")
    staged = StagedDesk(home, Settings(folder=home.path / "prices", trading=terms)).start()
    if cause == "the file HALT":
        home.halt.touch()
    elif cause == "a disk that is full":
        staged.desk.operations.held = cause
    exporter = Exporter(measures.sources(staged.desk, CountingHooks()))

    found, scrape = health(staged.access), scrape_of(exporter)
    shown = trading(staged.read, "paper", 1, staged.access.halted(), terms.real_money)
    staged.desk.operations.held = None
    exporter.close()
    staged.stop()

    assert found.stored is not None
    assert shown.why
    assert f"trading is HALTED: {shown.why}" in found.notes
    assert found.stored.trading == shown.state == TradingState.HALTED
    assert [scrape("trading_state", state=str(state)) for state in TradingState] == [
        int(state is TradingState.HALTED) for state in TradingState
    ]
