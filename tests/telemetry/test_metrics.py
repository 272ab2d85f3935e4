"""What a scrape says about real actors."""

import pytest

from actors.kernel.edges import Promise
from actors.kernel.hooks import BOUNDS
from actors.kernel.system import SENTENCES, STOP_DESK
from messages.addresses import Ref, Refused
from storage.tally import Tally
from telemetry.instruments import (
    COMMIT_DURATION,
    FAST,
    FIRST_CHUNK,
    INPUT_TOKENS,
    MOST,
    QUEUE_DEPTH,
    REASONS,
    STALE,
    TASK_WAIT,
)
from telemetry.sources import Points, Tallies
from tests.actors.kernel.counter import Add, CounterMessage, Crash, Divide, Do, Gate, Tick, Total
from tests.actors.kernel.counter import Counter as CounterActor
from tests.telemetry.scraping import Scrape, Watched


def total(watched: Watched) -> int | Refused:
    answer: int | Refused = watched.system.ask(watched.counter, Total, within=5)
    return answer


def test_what_is_asked_of_actors_is_there_before_anything_has_happened(watched: Watched) -> None:
    scrape = watched.scrape()

    assert {name for name in scrape.names if not name.startswith(("process_", "python_"))} == {
        "actor_dead_letters",
        "actor_failures",
        "actor_incarnations",
        "actor_mailbox_depth",
        "actor_mailbox_oldest_age_seconds",
        "actor_mailbox_time_seconds",
        "actor_processing_time_seconds",
        "actor_restarts",
        "actor_running",
        "actor_stale_replies",
        "target_info",
    }
    assert scrape("actor_failures_total", actor="counter", error_type="") == 0
    assert scrape("actor_restarts_total", actor="counter") == 0
    assert scrape("actor_incarnations_total", actor="counter") == 1
    assert scrape("actor_stale_replies_total", actor="counter") == 0
    assert [scrape("actor_dead_letters_total", actor="counter", reason=reason) for reason in REASONS] == [0, 0]
    assert scrape("actor_mailbox_time_seconds_count", actor="counter") == 0
    assert scrape("actor_mailbox_depth", actor="counter") == 0
    assert scrape("actor_mailbox_oldest_age_seconds", actor="counter") == 0
    assert scrape("actor_running", actor="counter") == 1


def test_process_and_python_are_measured_and_whose_metrics_these_are_is_said(watched: Watched) -> None:
    scrape = watched.scrape()

    assert scrape("process_resident_memory_bytes") > 1e6
    assert scrape("process_cpu_seconds_total") > 0
    assert scrape.of("python_gc_collections_total")
    assert scrape.of("python_info")
    assert scrape("target_info", service_name="troupe", service_instance_id="one") == 1


def test_messages_are_counted_by_actor_and_type_in_cumulative_buckets(watched: Watched) -> None:
    for _ in range(3):
        watched.counter.tell(Add(1))
        total(watched)
    watched.system.stop(grace=4)

    scrape = watched.scrape()

    assert scrape("actor_processing_time_seconds_count", actor="counter", message="Add", outcome="done") == 3
    assert scrape("actor_processing_time_seconds_count", actor="counter", message="Total", outcome="done") == 3
    assert scrape("actor_mailbox_time_seconds_count", actor="counter") == 6
    for name, labels in (
        ("actor_processing_time_seconds", {"actor": "counter", "message": "Add", "outcome": "done"}),
        ("actor_mailbox_time_seconds", {"actor": "counter"}),
    ):
        counts = [scrape(f"{name}_bucket", **labels, le=f"{bound}") for bound in [*FAST, "+Inf"]]
        assert counts == sorted(counts)
        assert counts[-1] == scrape(f"{name}_count", **labels)
        assert len(scrape.of(f"{name}_bucket")) % len(counts) == 0
    counter = watched.system.observe()[0].threads["counter"].meters
    assert (
        scrape("actor_processing_time_seconds_sum", actor="counter", message="Add", outcome="done")
        == counter[Add].ran_seconds
    )
    assert scrape("actor_mailbox_time_seconds_sum", actor="counter") == pytest.approx(
        counter[Add].waited_seconds + counter[Total].waited_seconds
    )


def test_a_message_counts_in_the_bucket_of_the_time_that_it_took_and_the_shortest_are_one(watched: Watched) -> None:
    for thread in watched.system.observe()[0].threads.values():
        meter = thread.meters[Add]
        meter.ran[0], meter.ran[2], meter.ran[5], meter.ran[-1], meter.ran_seconds = 2, 1, 5, 1, 100.0

    scrape = watched.scrape()

    labels = {"actor": "counter", "message": "Add", "outcome": "done"}
    bounds = [*FAST[:4], FAST[-1], "+Inf"]
    counts = [scrape("actor_processing_time_seconds_bucket", **labels, le=f"{bound}") for bound in bounds]
    assert counts == [3, 3, 8, 8, 8, 9]
    assert scrape("actor_processing_time_seconds_sum", **labels) == 100


def test_the_buckets_shown_are_the_kernels_from_a_shortest_on() -> None:
    assert list(FAST) == BOUNDS[3:]


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
    assert {*REASONS, STALE} == set(SENTENCES)


def test_the_oldest_message_ages_while_it_is_at_hand_and_whatever_waits_behind_it(watched: Watched) -> None:
    gate = Gate()
    watched.counter.tell(Do(gate))
    assert gate.entered.wait(5)
    watched.counter.tell(Tick())

    first, second = watched.scrape(), watched.scrape()
    gate.opened.set()

    ages = [scrape("actor_mailbox_oldest_age_seconds", actor="counter") for scrape in (first, second)]
    assert 0 < ages[0] < ages[1] < 10


def test_an_answer_that_comes_after_its_owner_was_rebuilt_is_a_stale_reply_and_no_dead_letter(
    watched: Watched,
) -> None:
    watched.system.bury("counter", Tick(), STALE)

    scrape = watched.scrape()

    assert scrape("actor_stale_replies_total", actor="counter") == 1
    assert sum(scrape.of("actor_dead_letters_total").values()) == 0


def test_a_crash_is_a_failure_by_type_and_a_restart_and_the_counts_go_on_after_it(watched: Watched) -> None:
    watched.counter.tell(Add(1))
    watched.counter.tell(Crash())
    assert total(watched) == 0
    watched.counter.tell(Add(1))
    assert total(watched) == 1

    scrape = watched.scrape()

    assert scrape("actor_failures_total", actor="counter", error_type="ValueError") == 1
    assert scrape("actor_restarts_total", actor="counter") == 1
    assert scrape("actor_processing_time_seconds_count", actor="counter", message="Add", outcome="done") == 2
    crashed = {"actor": "counter", "message": "Crash", "outcome": "crashed"}
    assert scrape("actor_processing_time_seconds_count", **crashed) == 1
    assert scrape("actor_mailbox_time_seconds_count", actor="counter") == 5
    assert scrape("actor_incarnations_total", actor="counter") == 2


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
    busy = watched.scrape()
    gate.opened.set()
    watched.system.stop(grace=4)

    scrape = watched.scrape()
    watched.end()

    assert isinstance(crashed, Refused)
    for outcome in ("done", "crashed"):
        labels = {"actor": "workers", "message": "Divide", "outcome": outcome}
        assert scrape("actor_processing_time_seconds_count", **labels) == 1
    assert scrape("actor_incarnations_total", actor="workers") == 3
    assert scrape.of("worker_pool_size") == {frozenset({("kind", "workers")}): 2}
    assert (busy("worker_pool_busy", kind="workers"), scrape("worker_pool_busy", kind="workers")) == (1, 0)
    assert scrape("actor_failures_total", actor="workers", error_type="ZeroDivisionError") == 1
    assert scrape("actor_restarts_total", actor="workers") == 1
    assert {dict(labels)["actor"] for labels in scrape.of("actor_running")} == {"counter", "workers"}


def test_an_instrument_that_cannot_be_read_is_logged_and_leaves_the_rest_intact(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = list[Exception]()

    def depth() -> Points:
        if broken:
            raise broken[0]
        return [(("analysis",), 2)]

    def took() -> Tallies:
        depth()
        return [((), Tally(COMMIT_DURATION.buckets))]

    watched = Watched({QUEUE_DEPTH: depth}, {COMMIT_DURATION: took})
    watched.start()
    good = watched.scrape()
    broken.append(OSError("disk"))
    bad = watched.scrape()
    broken.clear()
    again = watched.scrape()
    watched.end()

    assert good("queue_depth", queue="analysis") == again("queue_depth", queue="analysis") == 2
    missing = {name for name, _ in set(good.series) - set(bad.series)}
    assert missing == {"queue_depth", *(f"db_commit_duration_seconds_{end}" for end in ("bucket", "sum", "count"))}
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 2
    assert any("queue.depth" in record.message for record in caplog.records)
    assert any("db.commit.duration" in record.message for record in caplog.records)


def test_a_histogram_that_was_counted_in_several_places_is_added_up() -> None:
    one, other = Tally(TASK_WAIT.buckets), Tally(TASK_WAIT.buckets)
    for tally, seconds in ((one, 0.01), (one, 4.0), (other, 0.02), (other, 10_000.0)):
        tally.add(seconds)
    watched = Watched(None, {TASK_WAIT: lambda: [(("data", "x"), one), (("data", "x"), other)]})
    watched.start()

    scrape = watched.scrape()
    watched.end()

    bounds = [*TASK_WAIT.buckets[:5], TASK_WAIT.buckets[-1], "+Inf"]
    labels = {"queue": "data", "task": "x"}
    counts = [scrape("queue_task_wait_seconds_bucket", **labels, le=f"{bound}") for bound in bounds]
    assert counts == [1, 2, 2, 2, 3, 3, 4]
    assert scrape("queue_task_wait_seconds_sum", **labels) == pytest.approx(10_004.03)


def test_attributes_that_explode_are_added_up_as_other_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    models = [f"model {number}" for number in range(MOST - 1)]
    watched = Watched(
        {INPUT_TOKENS: lambda: [((model,), 1) for model in models]},
        {FIRST_CHUNK: lambda: [((model,), Tally(FIRST_CHUNK.buckets)) for model in models]},
    )
    watched.start()
    before = watched.scrape()
    models.extend(f"another {number}" for number in range(2_000))
    after, again = watched.scrape(), watched.scrape()
    watched.end()

    name = "gen_ai_client_inference_usage_input_tokens_total"
    assert len(before.of(name)) == MOST - 1
    assert len(after.of(name)) == len(again.of(name)) == MOST + 1
    assert after(name, gen_ai_request_model="other") == 1_999
    assert sum(after.of(name).values()) == MOST - 1 + 2_000
    assert len(after.of("gen_ai_client_operation_time_to_first_chunk_seconds_count")) == MOST + 1
    assert sum("more than 500 sets" in record.message for record in caplog.records) == 2


def test_an_actor_that_is_added_up_twice_would_be_noticed() -> None:
    with pytest.raises(AssertionError):
        Scrape("# TYPE a counter\na_total 1\na_total 2\n")
