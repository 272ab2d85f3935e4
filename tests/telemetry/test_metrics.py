"""What a scrape says about real actors."""

from collections import Counter
from decimal import Decimal
from typing import get_args

import pytest

from actors.bus import Bus, Route
from actors.kernel.edges import Promise
from actors.kernel.hooks import BOUNDS
from actors.kernel.system import SENTENCES, STOP_DESK
from actors.kernel.testing import Probe
from messages.addresses import Ref, Refused
from messages.claude import BreakerChanged, Cause
from messages.events import EVENTS
from storage.breaker import State
from telemetry.instruments import CLAUDE_BOUNDS, OUTCOMES, REASONS, STATES
from telemetry.readings import numbers
from tests.actors.kernel.counter import Add, CounterMessage, Crash, Divide, Do, Gate, Tick, Total
from tests.actors.kernel.counter import Counter as CounterActor
from tests.telemetry.scraping import Asked, Scrape, Watched


def total(watched: Watched) -> int | Refused:
    answer: int | Refused = watched.system.ask(watched.counter, Total, within=5)
    return answer


def test_every_metric_asked_for_is_there_before_anything_has_happened(watched: Watched) -> None:
    scrape = watched.scrape()

    assert sorted(scrape.names) == [
        "actor_dead_letters",
        "actor_failures",
        "actor_mailbox_depth",
        "actor_mailbox_time_seconds",
        "actor_processing_time_seconds",
        "actor_restarts",
        "actor_running",
        "bus_events",
        "claude_abstain_ratio",
        "claude_breaker_state",
        "claude_breaker_transitions",
        "claude_cost_usd",
        "claude_grounding_false_accept_ratio",
        "claude_grounding_false_reject_ratio",
        "claude_queries",
        "claude_query_duration_seconds",
        "db_operations",
        "db_read_oldest_seconds",
        "db_wal_pages",
        "db_writes_held",
        "queue_depth",
    ]
    assert scrape.of("claude_queries_total") == {frozenset({("outcome", outcome)}): 0 for outcome in OUTCOMES}
    assert scrape("claude_cost_usd_total") == 0
    assert (scrape("db_wal_pages"), scrape("db_read_oldest_seconds"), scrape("db_writes_held")) == (17, 0.25, 0)
    assert [scrape("claude_breaker_state", state=state) for state in STATES] == [1, 0, 0]
    assert [scrape("claude_breaker_transitions_total", state=state) for state in STATES] == [0, 0, 0]
    for ratio in ("grounding_false_accept", "grounding_false_reject", "abstain"):
        assert scrape(f"claude_{ratio}_ratio") == 0
    assert scrape("claude_query_duration_seconds_count") == 0
    assert scrape("claude_query_duration_seconds_sum") == 0
    assert scrape("claude_query_duration_seconds_bucket", le="+Inf") == 0
    assert scrape("db_operations_total", operation="", table="", outcome="") == 0
    assert scrape("queue_depth", queue="data") == 0
    assert scrape("bus_events_total", event="", actor="", outcome="") == 0
    assert scrape("actor_failures_total", actor="counter", error_type="") == 0
    assert scrape("actor_restarts_total", actor="counter") == 0
    assert [scrape("actor_dead_letters_total", actor="counter", reason=reason) for reason in REASONS] == [0, 0, 0]
    assert scrape("actor_mailbox_time_seconds_count", actor="counter") == 0
    assert scrape("actor_mailbox_depth", actor="counter") == 0
    assert scrape("actor_running", actor="counter") == 1


def test_messages_are_counted_by_actor_and_type_in_cumulative_buckets(watched: Watched) -> None:
    for _ in range(3):
        watched.counter.tell(Add(1))
        total(watched)
    watched.system.stop(grace=4)

    scrape = watched.scrape()

    assert scrape("actor_processing_time_seconds_count", actor="counter", message="Add") == 3
    assert scrape("actor_processing_time_seconds_count", actor="counter", message="Total") == 3
    assert scrape("actor_mailbox_time_seconds_count", actor="counter") == 6
    for name, labels in (
        ("actor_processing_time_seconds", {"actor": "counter", "message": "Add"}),
        ("actor_mailbox_time_seconds", {"actor": "counter"}),
    ):
        counts = [scrape(f"{name}_bucket", **labels, le=f"{bound}") for bound in [*BOUNDS, "+Inf"]]
        assert counts == sorted(counts)
        assert counts[-1] == scrape(f"{name}_count", **labels)
        assert len(scrape.of(f"{name}_bucket")) % len(counts) == 0
    counter = watched.system.observe()[0].meters["counter"]
    assert scrape("actor_processing_time_seconds_sum", actor="counter", message="Add") == counter[Add].ran_seconds
    assert scrape("actor_mailbox_time_seconds_sum", actor="counter") == pytest.approx(
        counter[Add].waited_seconds + counter[Total].waited_seconds
    )


def test_a_message_counts_in_the_bucket_of_the_time_that_it_took(watched: Watched) -> None:
    for meter in watched.system.observe()[0].meters.values():
        meter[Add].ran[2], meter[Add].ran[4], meter[Add].ran[-1], meter[Add].ran_seconds = 1, 5, 1, 100.0

    scrape = watched.scrape()

    counts = [
        scrape("actor_processing_time_seconds_bucket", actor="counter", message="Add", le=f"{bound}")
        for bound in [*BOUNDS[:6], BOUNDS[-1], "+Inf"]
    ]
    assert counts == [0, 0, 1, 1, 6, 6, 6, 7]
    assert scrape("actor_processing_time_seconds_sum", actor="counter", message="Add") == 100


def test_what_waits_shows_and_events_that_found_no_room_are_dead_letters(watched: Watched) -> None:
    gate = Gate()
    watched.counter.tell(Do(gate))
    assert gate.entered.wait(5)
    for _ in range(5):
        watched.counter.tell(Tick())

    scrape = watched.scrape()
    gate.opened.set()

    assert scrape("actor_mailbox_depth", actor="counter") == 2
    assert scrape("actor_dead_letters_total", actor="counter", reason="full") == 3
    assert scrape("actor_dead_letters_total", actor="counter", reason="down") == 0


def test_the_reasons_that_are_there_from_the_start_are_the_kernels() -> None:
    assert set(REASONS) == set(SENTENCES)


def test_a_crash_is_a_failure_by_type_and_a_restart_and_the_counts_go_on_after_it(watched: Watched) -> None:
    watched.counter.tell(Add(1))
    watched.counter.tell(Crash())
    assert total(watched) == 0
    watched.counter.tell(Add(1))
    assert total(watched) == 1

    scrape = watched.scrape()

    assert scrape("actor_failures_total", actor="counter", error_type="ValueError") == 1
    assert scrape("actor_restarts_total", actor="counter") == 1
    assert scrape("actor_processing_time_seconds_count", actor="counter", message="Add") == 2
    assert scrape("actor_processing_time_seconds_count", actor="counter", message="Crash") == 1


def test_a_crash_that_stops_the_desk_is_no_restart() -> None:
    watched, vital = Watched(), Ref[CounterMessage]("vital")
    watched.system.add(vital, CounterActor, STOP_DESK)
    watched.start()
    vital.tell(Crash(error=KeyError))
    assert watched.system.failed.result(5).startswith("vital crashed")
    assert watched.system.stop_cell(watched.system.cells[1], 5)  # it has told of its crash before it has handled it

    scrape = watched.scrape()
    watched.end()

    assert scrape("actor_failures_total", actor="vital", error_type="KeyError") == 1
    assert scrape("actor_restarts_total", actor="vital") == 0
    assert scrape("actor_running", actor="vital") == 0
    assert scrape("actor_running", actor="counter") == 1


def test_a_crew_is_one_actor_whose_members_are_added_up() -> None:
    watched, workers, gate = Watched(), Ref[Divide]("workers"), Gate()

    class Worker:
        def on_receive(self, message: Divide) -> None:
            if message.by == 1:
                gate.entered.set()
                assert gate.opened.wait(5)
            message.reply_to.tell(1 // message.by)

    watched.system.add_crew(workers, lambda _: Worker(), 2)
    watched.start()
    workers.tell(Divide(1, Promise()))
    assert gate.entered.wait(5)
    crashed: int | Refused = watched.system.ask(workers, lambda reply_to: Divide(0, reply_to), within=5)
    gate.opened.set()
    watched.system.stop(grace=4)

    scrape = watched.scrape()
    watched.end()

    assert isinstance(crashed, Refused)
    assert scrape("actor_processing_time_seconds_count", actor="workers", message="Divide") == 2
    assert scrape("actor_failures_total", actor="workers", error_type="ZeroDivisionError") == 1
    assert scrape("actor_restarts_total", actor="workers") == 1
    assert {dict(labels)["actor"] for labels in scrape.of("actor_running")} == {"counter", "workers"}


def test_operations_of_the_database_are_counted_as_they_stand(watched: Watched) -> None:
    watched.operations["insert", "tasks", "done"] += 3

    first = watched.scrape()
    watched.operations["insert", "tasks", "done"] += 1
    second = watched.scrape()

    assert first("db_operations_total", operation="insert", table="tasks", outcome="done") == 3
    assert second("db_operations_total", operation="insert", table="tasks", outcome="done") == 4
    assert len(first.of("db_operations_total")) == len(second.of("db_operations_total")) == 1


def test_events_are_counted_by_topic_receiver_and_what_became_of_them() -> None:
    bus = Bus(EVENTS, [Route("claude.*", (Probe[object]("console").ref,), {"state": {"open"}})])
    watched = Watched(events=bus.counts)
    watched.start()
    empty = watched.scrape()
    bus.publish(BreakerChanged("open", "network", "no route", None))
    bus.publish(BreakerChanged("closed", "", "", None))
    bus.publish(BreakerChanged("half_open", "", "", None))

    scrape = watched.scrape()
    watched.end()

    labels = {"event": "claude.BreakerChanged", "actor": "console"}
    outcomes = ("told", "filtered", "full")
    assert [empty("bus_events_total", **labels, outcome=outcome) for outcome in outcomes] == [0, 0, 0]
    assert [scrape("bus_events_total", **labels, outcome=outcome) for outcome in outcomes] == [1, 2, 0]


def test_a_queue_depth_that_raises_is_logged_and_leaves_the_rest_intact(caplog: pytest.LogCaptureFixture) -> None:
    broken = list[Exception]()

    def queue_depth() -> dict[str, int]:
        if broken:
            raise broken[0]
        return {"analysis": 2}

    watched = Watched(queue_depth)
    watched.start()
    good = watched.scrape()
    broken.append(OSError("disk"))
    bad = watched.scrape()
    broken.clear()
    again = watched.scrape()
    watched.end()

    assert good("queue_depth", queue="analysis") == again("queue_depth", queue="analysis") == 2
    assert set(good.series) - set(bad.series) == {("queue_depth", frozenset({("queue", "analysis")}))}
    assert [(record.levelname, "queue.depth" in record.message) for record in caplog.records] == [("ERROR", True)]


def test_questions_count_by_outcome_and_in_the_bucket_of_the_time_that_they_took() -> None:
    asked = Asked({"answered": 3, "overloaded": 2}, Counter({0.25: 2, 3.0: 1, 301.0: 2}), Decimal("0.123456789"))
    watched = Watched(claude=asked.claude)
    watched.start()

    scrape = watched.scrape()
    watched.end()

    assert scrape("claude_queries_total", outcome="answered") == 3
    assert scrape("claude_queries_total", outcome="overloaded") == 2
    assert scrape("claude_queries_total", outcome="server") == 0
    assert scrape("claude_cost_usd_total") == pytest.approx(0.123456789)
    bounds = [*CLAUDE_BOUNDS, "+Inf"]
    counts = [scrape("claude_query_duration_seconds_bucket", le=f"{bound}") for bound in bounds]
    assert counts == [2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 5]
    assert scrape("claude_query_duration_seconds_count") == 5
    assert scrape("claude_query_duration_seconds_sum") == 605.5


def test_the_breaker_is_in_one_state_and_its_changes_are_counted() -> None:
    asked = Asked(state="half_open", transitions={"open": 2, "half_open": 1})
    watched = Watched(claude=asked.claude)
    watched.start()

    first = watched.scrape()
    asked.state = "closed"
    asked.transitions["closed"] = 1
    second = watched.scrape()
    watched.end()

    assert [first("claude_breaker_state", state=state) for state in STATES] == [0, 0, 1]
    assert [first("claude_breaker_transitions_total", state=state) for state in STATES] == [0, 2, 1]
    assert [second("claude_breaker_state", state=state) for state in STATES] == [1, 0, 0]
    assert [second("claude_breaker_transitions_total", state=state) for state in STATES] == [1, 2, 1]


def test_ratios_are_shown_as_they_are() -> None:
    watched = Watched(claude=Asked(misjudged=(0.0, 0.125), abstained=0.25).claude)
    watched.start()

    scrape = watched.scrape()
    watched.end()

    assert scrape("claude_grounding_false_accept_ratio") == 0
    assert scrape("claude_grounding_false_reject_ratio") == 0.125
    assert scrape("claude_abstain_ratio") == 0.25


def test_the_outcomes_and_states_that_are_there_from_the_start_are_all_there_are() -> None:
    assert set(OUTCOMES) == {*Cause, "answered"}
    assert set(STATES) == set(get_args(State))


def test_what_of_claude_cannot_be_read_is_logged_and_leaves_the_rest_intact(caplog: pytest.LogCaptureFixture) -> None:
    asked = Asked({"answered": 3})
    watched = Watched(claude=asked.claude)
    watched.start()
    good = watched.scrape()
    asked.broken = OSError("disk")
    bad = watched.scrape()
    asked.broken = None
    again = watched.scrape()
    watched.end()

    missing = set(good.series) - set(bad.series)
    assert missing == {series for series in good.series if series[0].startswith("claude_")}
    assert bad("queue_depth", queue="analysis") == 2
    assert set(again.series) == set(good.series)
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 8
    for instrument in numbers(watched.sources):
        if instrument.name.startswith("claude."):
            assert any(instrument.name in record.message for record in caplog.records)


def test_an_actor_that_is_added_up_twice_would_be_noticed() -> None:
    with pytest.raises(AssertionError):
        Scrape("# TYPE a counter\na_total 1\na_total 2\n")
