"""What a person orders of the queues, how queues take turns, and what is pruned."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from actors.kernel.cell import Cell
from actors.kernel.supervision import CRASHES
from actors.kernel.testing import Probe
from actors.tasks.coordinator import TaskCoordinator
from actors.tasks.line import BATCH
from actors.tasks.terms import Terms
from messages.addresses import Refused, ReplyTo
from messages.database import Statement
from messages.tasks import (
    CancelTask,
    ComputeFacts,
    Done,
    Finished,
    GiveUp,
    NewTask,
    Pause,
    Progressed,
    Queue,
    RefreshBars,
    Requeue,
    Resume,
    Run,
    Submit,
    Submitted,
    ValuePortfolio,
    Work,
)
from messages.values import Symbol
from storage import task_orders
from storage import tasks as stored
from storage.connections import Reader
from storage.home import Home
from tests.actors.queues import DAY, EPOCH, ROUND, Queues, chain, effects, note, task
from tests.desks import StagedDesk


def order(queues: Queues, make: Callable[[ReplyTo[Any]], Pause | Resume | CancelTask | Requeue]) -> str:
    """What was answered: the sentence, with the code of a refusal before it."""
    answer: Done | Refused = queues.system.ask(queues.tasks, make, within=10)
    queues.system.settle()
    return answer.sentence if isinstance(answer, Done) else f"{answer.code}: {answer.sentence}"


def pause(queues: Queues, queue: str) -> str:
    return order(queues, lambda reply_to: Pause(queue, reply_to))


def resume(queues: Queues, queue: str) -> str:
    return order(queues, lambda reply_to: Resume(queue, reply_to))


def cancel(queues: Queues, id_: int) -> str:
    return order(queues, lambda reply_to: CancelTask(id_, reply_to))


def requeue(queues: Queues, id_: int) -> str:
    return order(queues, lambda reply_to: Requeue(id_, reply_to))


def of(queue: Queue, key: str, *needs: str, priority: int = 5) -> NewTask:
    return NewTask(key, queue, RefreshBars(Symbol(key)), priority, needs=needs)


def test_of_a_paused_queue_nothing_is_leased_until_it_goes_on_and_what_is_leased_ends(home: Home) -> None:
    queues = Queues(home).start()
    queues.submit(task("a"))

    said = pause(queues, "data")
    queues.submit(task("b"), of("portfolio", "c"))
    paused = queues.running()
    queues.finish("a")

    assert said == "queue data is paused; what is leased of it goes on"
    assert (paused, queues.running()) == (["a", "c"], ["c"])
    assert resume(queues, "data") == "queue data goes on"
    assert queues.running() == ["c", "b"]
    assert queues.row("a").state == "done"


def test_for_what_is_submitted_to_a_paused_queue_nobody_looks_whether_it_is_ready(home: Home) -> None:
    queues = Queues(home).start()
    pause(queues, "data")
    before = queues.operations["update", "tasks", "done"]

    queues.submit(task("a"))

    assert queues.operations["update", "tasks", "done"] == before
    assert queues.states() == {"a": "queued"}


def test_a_queue_stays_paused_when_the_desk_starts_anew(home: Home) -> None:
    first = Queues(home).start()
    pause(first, "data")
    first.submit(task("a"))

    second = Queues(home).start()

    assert second.running() == []
    assert task_orders.paused(second.read) == {"data"}
    resume(second, "data")
    assert second.running() == ["a"]


def test_pausing_twice_and_resuming_what_goes_on_change_nothing(home: Home) -> None:
    queues = Queues(home).start()

    assert pause(queues, "data") == pause(queues, "data")
    assert resume(queues, "data") == resume(queues, "data")
    assert task_orders.paused(queues.read) == set()


def test_a_queue_that_is_none_is_named_with_those_there_are(home: Home) -> None:
    queues = Queues(home).start()

    assert pause(queues, "date") == "invalid: queue date: is none; there are portfolio, data, analysis"
    assert resume(queues, "") == "invalid: queue : is none; there are portfolio, data, analysis"


def test_a_queued_task_is_cancelled_and_what_needs_it_is_dead(home: Home) -> None:
    queues = Queues(home, hands=(1, 1)).start()
    queues.submit(task("first"), *chain("a", "b", "c"))

    said = cancel(queues, queues.row("a").id)

    assert said == f"task {queues.row('a').id} is cancelled"
    assert queues.states() == {"first": "leased", "a": "cancelled", "b": "dead", "c": "dead"}
    assert queues.errors()["a"] == "a person has cancelled it"
    assert queues.errors()["c"] == "what it needs was cancelled"
    assert queues.row("a").ended_at == EPOCH
    queues.finish("first")
    assert queues.running() == []


def test_a_leased_task_is_cancelled_its_hand_is_free_and_its_runner_can_see_it(home: Home) -> None:
    given_up = Probe[GiveUp]("research")
    hand = Probe[Run]("hand")
    queues = Queues(home, hands=(1, 1), terms={RefreshBars: Terms(hand.ref, 60, gives_up=given_up.ref)}).start()
    queues.submit(*chain("a", "b"), task("next"))
    [run] = hand.received
    assert isinstance(run, Run)

    said = cancel(queues, 1)
    run.reply_to.tell(Finished(run.lease, (note("a"),)))
    queues.system.settle()

    assert said == "task 1 is cancelled"
    assert run.reply_to.told
    assert given_up.received == [GiveUp(run.lease)]
    assert queues.states() == {"a": "cancelled", "b": "dead", "next": "leased"}
    assert effects(queues.read) == []
    assert not queues.system.failed.done()


@pytest.mark.parametrize("seed", range(30))
def test_an_end_and_a_cancellation_at_the_same_time_come_out_as_one_of_them(home: Home, seed: int) -> None:
    queues, probe = Queues(home, seed=seed, hands=(1, 1)).start(), Probe[Done | Refused]()
    queues.submit(task("a"), task("b"))
    [run] = queues.taken()

    queues.system.turn()
    for act in [0, 1] if seed % 2 else [1, 0]:
        if act:
            queues.tasks.tell(CancelTask(1, probe))
        else:
            run.reply_to.tell(Finished(run.lease, (note("a"),)))
        for _ in range(seed // 4):
            queues.system.turn()
    queues.system.settle()

    [answer] = probe.received
    done = isinstance(answer, Refused)
    assert queues.states() == {"a": "done" if done else "cancelled", "b": "leased"}, f"seed {seed}"
    assert effects(queues.read) == (["a"] if done else [])
    if done:
        assert answer.sentence == "task 1: is done; only what is queued or leased can be cancelled"


def test_each_state_that_does_not_allow_an_order_says_so(home: Home) -> None:
    queues = Queues(home, hands=(3, 1)).start()
    queues.submit(task("done"), task("dead"), *chain("leased", "blocked"))
    queues.finish("done")
    queues.refuse("dead", "invalid")

    assert cancel(queues, queues.row("done").id).endswith("is done; only what is queued or leased can be cancelled")
    assert cancel(queues, queues.row("dead").id).endswith("is dead; only what is queued or leased can be cancelled")
    assert cancel(queues, 4) == (
        "invalid: task 4: is blocked and cannot be cancelled; cancel what it waits for: task 3 (leased)"
    )
    assert cancel(queues, 9) == "invalid: task 9: there is none; `run.py tasks` lists the newest"
    assert requeue(queues, 1) == "invalid: task 1: is done; only what is dead can be requeued"
    assert requeue(queues, 3) == "invalid: task 3: is leased; only what is dead can be requeued"
    assert requeue(queues, 4) == "invalid: task 4: is blocked; only what is dead can be requeued"
    cancel(queues, 3)
    assert requeue(queues, 3) == "invalid: task 3: is cancelled; only what is dead can be requeued"
    assert requeue(queues, 4) == "invalid: task 4: needs task 3, which was cancelled; begin anew"


def test_a_dead_task_that_is_requeued_has_its_attempts_anew(home: Home) -> None:
    queues = Queues(home).start()
    queues.submit(*chain("a", "b"))
    for wait in (2, 4, 8, 0):
        queues.refuse("a")
        queues.system.advance(wait)

    first = requeue(queues, 2)
    said = requeue(queues, 1)
    requeue(queues, 2)

    assert (first, said) == (
        "invalid: task 2: needs task 1, which is dead; requeue that one first",
        "task 1 is queued again",
    )
    assert (queues.row("a").state, queues.row("a").attempts, queues.row("a").error) == ("leased", 1, None)
    assert queues.row("b").state == "blocked"
    queues.finish("a")
    queues.finish("b")
    assert set(queues.states().values()) == {"done"}


def test_an_order_is_kept_though_the_writers_mailbox_is_full(home: Home) -> None:
    for seed in range(6):
        place = Home(home.path / str(seed))
        place.path.mkdir()
        queues, probe = Queues(place, seed=seed, capacity=1).start(), Probe[Any]()
        queues.submit(task("a"))
        queues.database.tell(_write())
        queues.tasks.tell(CancelTask(1, probe))
        queues.system.advance(1)

        assert probe.received == [Done("task 1 is cancelled")]
        assert queues.states() == {"a": "cancelled"}


def _write() -> Any:
    from messages.database import Write

    return Write((), Probe[Any]())


# Fairness


def test_queues_take_turns_and_within_a_queue_the_urgent_and_then_the_old_comes_first(home: Home) -> None:
    queues, order_ = Queues(home, hands=(1, 1)).start(), list[str]()
    queues.submit(task("first"))
    queues.submit(
        *(of("data", f"d{n}") for n in range(5)), of("data", "urgent", priority=9),
        *(of("portfolio", f"p{n}") for n in range(3)), *(of("analysis", f"a{n}", priority=1) for n in range(2)),
    )  # fmt: skip
    queues.finish("first")

    while queues.running():
        order_ += queues.running()
        queues.finish(order_[-1])

    by_queue = [name[0].replace("u", "d") for name in order_]
    for n in range(1, len(by_queue) + 1):  # each queue's n-th before any queue's n + 1st, but for the first one's
        had = {queue: by_queue[:n].count(queue) for queue in "dpa"}
        left = {queue for queue in "dpa" if queue in by_queue[n:]}
        assert all(had[one] - had[other] <= 1 for one in "dpa" for other in left - {one}), order_
    assert [name for name in order_ if name[0] in "du"] == ["urgent", "d0", "d1", "d2", "d3", "d4"]


@pytest.mark.parametrize("limit", [1, 2, 4, 7])
def test_a_queue_with_very_many_tasks_does_not_hold_up_another(home: Home, limit: int) -> None:
    queues = Queues(home, hands=(limit, 1)).start()
    queues.submit(*(of("data", f"d{n}") for n in range(100)))
    for _ in range(20):
        queues.finish(queues.running()[0])

    queues.submit(*(of("portfolio", f"p{n}") for n in range(10)))
    ends = 0
    while any(queues.row(f"p{n}").state != "done" for n in range(10)):
        queues.finish(queues.running()[0])
        ends += 1

    assert ends <= limit + 2 * 10 + 2


# Progress


def test_progress_is_kept_once_a_second_at_most_and_only_of_what_is_leased(home: Home) -> None:
    queues, kept = Queues(home).start(), list[float | None]()
    queues.submit(task("a"))
    [run] = queues.taken()

    for share in (0.1, 0.2, 0.3, 7.0):
        queues.tasks.tell(Progressed(run.lease, share))
        queues.system.advance(0.6)
        kept.append(queues.row("a").progress)
    queues.tasks.tell(Progressed(run.lease, float("nan")))
    queues.finish("a")
    queues.tasks.tell(Progressed(run.lease, 0.5))
    queues.system.settle()

    assert kept == [0.1, 0.1, 0.3, 0.3]
    assert queues.row("a").progress == 0.3
    assert not queues.system.failed.done()


def test_a_new_attempt_begins_without_progress(home: Home) -> None:
    queues = Queues(home).start()
    queues.submit(task("a"))
    queues.tasks.tell(Progressed(queues.taken()[0].lease, 0.5))
    queues.refuse("a")
    queues.system.advance(3)

    assert (queues.row("a").state, queues.row("a").progress) == ("leased", None)


# Terms, by type


def test_each_type_has_its_own_limit_attempts_and_back_off(home: Home) -> None:
    facts = Probe[Run]("facts")
    queues = Queues(home, terms={ComputeFacts: Terms(facts.ref, 5, attempts=2, back_off=10)}).start()
    queues.submit(task("a", work=ComputeFacts(Symbol("a"), DAY)), task("b"))

    queues.system.advance(5)
    late = queues.row("a")
    queues.system.advance(14.9)
    before = len(facts.received)
    queues.system.advance(0.2)
    again = len(facts.received)
    queues.system.advance(5)

    assert (late.state, late.error) == ("queued", "late: facts has not answered within 5 s")
    assert (before, again) == (1, 2)
    assert (queues.row("a").state, queues.row("a").attempts) == ("dead", 2)
    assert queues.row("b").state == "leased"


def test_a_type_that_may_be_tried_once_is_dead_when_the_desk_ended_while_it_ran(home: Home) -> None:
    terms: dict[type[Work], Terms] = {RefreshBars: Terms(Probe[Run]("hand").ref, 60, attempts=1)}
    Queues(home, terms=terms).start().submit(task("a"))

    queues = Queues(home, terms=terms).start()

    assert queues.errors() == {"a": "the desk ended 1 times while it ran"}


# Bad input


@dataclass(frozen=True, slots=True)
class Odd:
    """A type of work that there is not."""


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (NewTask("b", "data", RefreshBars(Symbol("\ud800"))), "task type refresh_bars: cannot be encoded"),
        (NewTask("b", "data", ValuePortfolio(object())), "task type value_portfolio: cannot be encoded"),  # type: ignore[arg-type]
        (NewTask("b", "data", Odd()), "Odd: is not a type of task"),  # type: ignore[arg-type]
        (NewTask("\udfff", "data", RefreshBars(Symbol("b"))), "cannot be encoded"),
        (NewTask("b", "date", RefreshBars(Symbol("b"))), "these tasks cannot be kept"),  # type: ignore[arg-type]
        (NewTask("b", "data", RefreshBars(Symbol("b")), priority=11), "these tasks cannot be kept"),
        (NewTask("b", "data", RefreshBars(Symbol("b")), needs=("x",)), "what they need must exist, and x does not"),
        (NewTask("b", "data", RefreshBars(Symbol("b")), needs=("b",)), "they would need one another in a circle"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_and_others_are_kept(home: Home, bad: NewTask, why: str) -> None:
    queues, probes = Queues(home).start(), [Probe[Submitted | Refused]() for _ in range(3)]
    for new, probe in zip((task("a"), bad, task("c")), probes, strict=True):
        queues.tasks.tell(Submit((new,), ROUND, probe))
    queues.system.settle()

    refused = probes[1].received[0]
    assert isinstance(refused, Refused)
    assert (refused.code, why in refused.sentence) == ("invalid", True), refused.sentence
    assert probes[0].received == probes[2].received == [Submitted(ROUND)]
    assert queues.states() == {"a": "leased", "c": "leased"}


def test_a_circle_is_refused_among_new_tasks_and_where_a_dead_one_is_revived(home: Home) -> None:
    queues = Queues(home).start()
    new = queues.submit(task("x", "y"), task("y", "x"))
    queues.submit(*chain("a", "b", "c"))
    queues.refuse("a", "invalid")

    revived = queues.submit(task("a", "c"), task("b", "a"), task("c", "b"))

    for answer in (new, revived):
        assert isinstance(answer, Refused)
        assert answer.sentence == "these tasks cannot be kept: they would need one another in a circle"
    assert queues.states() == {"a": "dead", "b": "dead", "c": "dead"}
    queues.submit(*chain("a", "b", "c"))
    assert queues.states() == {"a": "leased", "b": "blocked", "c": "blocked"}


def test_a_task_that_exists_gets_no_other_needs_by_being_submitted_again(home: Home) -> None:
    queues = Queues(home).start()
    queues.submit(task("a"), task("b", "a"), task("c", "b"))

    queues.submit(task("b", "c"))
    queues.finish("a")

    assert queues.running() == ["b"]


def test_what_is_submitted_onto_a_dead_task_is_dead_with_all_that_needs_it(home: Home) -> None:
    queues = Queues(home).start()
    queues.submit(task("a"))
    queues.refuse("a", "invalid")

    queues.submit(task("b", "a"), task("c", "b"), task("d"))

    assert queues.states() == {"a": "dead", "b": "dead", "c": "dead", "d": "leased"}


def test_of_many_ends_in_one_write_the_one_whose_effects_cannot_be_kept_is_dead_alone(home: Home) -> None:
    queues = Queues(home, hands=(20, 1)).start()
    queues.submit(*(task(f"t{n:02}") for n in range(20)))

    for run in queues.taken():
        spoilt = (Statement("bogus"),) if run.lease.task == 7 else ()
        run.reply_to.tell(Finished(run.lease, (note(f"e{run.lease.task:02}"), *spoilt)))
    queues.system.settle()

    assert [name for name, state in queues.states().items() if state != "done"] == ["t06"]
    assert len(effects(queues.read)) == 19
    assert BATCH > 20


def test_more_submissions_than_may_wait_are_refused_and_none_is_lost(home: Home) -> None:
    queues, probes = Queues(home, seed=3).start(), [Probe[Submitted | Refused]() for _ in range(3_000)]

    for n, probe in enumerate(probes):
        queues.tasks.tell(Submit((task(f"t{n}"),), ROUND, probe))
        if n % 2:
            queues.system.turn()
    queues.system.settle()

    kept = {f"t{n}" for n, probe in enumerate(probes) if isinstance(probe.received[0], Submitted)}
    assert all(len(probe.received) == 1 for probe in probes)
    assert kept == queues.states().keys()


# Pruning


def test_what_has_ended_long_ago_is_pruned_with_its_needs_and_what_is_still_needed_stays(home: Home) -> None:
    first = Queues(home, keep_days=2).start()
    first.submit(*chain("a", "b"), task("needed"), task("waits", "needed", "hangs"), task("hangs"), task("dead"))
    first.submit(task("after", "dead"))
    for name in ("a", "b", "needed"):
        first.finish(name)
    first.refuse("dead", "invalid")
    pause(first, "data")
    first.submit(task("new"))

    queues = Queues(home, keep_days=2, at=2 * 86_400.0 + 1).start()
    queues.system.advance(5)
    early = queues.states()

    assert early == {"needed": "done", "waits": "blocked", "hangs": "queued", "new": "queued"}
    assert queues.read.rows(tuple[int], "SELECT count(*) FROM task_needs") == [(2,)]
    assert stored.counts(queues.read) == {("data", "done"): 1, ("data", "blocked"): 1, ("data", "queued"): 2}
    queues.submit(task("a"))
    assert queues.row("a").state == "queued"


def test_a_desk_that_runs_on_prunes_each_day_a_little_at_a_time(home: Home) -> None:
    queues = Queues(home, keep_days=1, hands=(1_000, 1)).start()
    queues.submit(*(task(f"t{n}") for n in range(1_000)))
    for run in queues.taken():
        run.reply_to.tell(Finished(run.lease, ()))
    queues.system.advance(86_400)
    before = queues.writes()

    queues.system.advance(86_401)

    assert queues.states() == {}
    assert queues.writes() - before == 2


def test_one_whole_task_shows_all_there_is_of_it(home: Home) -> None:
    queues = Queues(home).start()
    queues.submit(*chain("a", "b", "c"))

    whole = task_orders.whole(queues.read, 2)

    assert whole.task == queues.row("b")
    assert (whole.version, whole.payload, whole.priority, whole.requires_claude) == (1, '{"symbol":"b"}', 5, False)
    assert [(need.id, need.key, need.state) for need in whole.needs] == [(1, "a", "leased")]
    assert [(each.id, each.key, each.state) for each in whole.needed_by] == [(3, "c", "blocked")]
    with pytest.raises(task_orders.NotAllowed, match="task 9: there is none"):
        task_orders.whole(queues.read, 9)


def test_a_whole_task_is_of_one_moment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    queues, original = Queues(home).start(), stored.by_id
    queues.submit(*chain("a", "b"))

    def by_id(read: Reader, id_: int) -> stored.TaskRow | None:
        found = original(read, id_)
        queues.finish("a")
        return found

    monkeypatch.setattr("storage.task_orders.by_id", by_id)
    whole = task_orders.whole(queues.read, 2)

    assert (whole.task.state, [need.state for need in whole.needs]) == ("blocked", ["leased"])
    assert queues.states() == {"a": "done", "b": "leased"}


def test_the_terms_of_every_type_end_before_an_actor_would(home: Home) -> None:
    desk = StagedDesk(home).start()
    cell = desk.system.cells[1]
    assert isinstance(cell, Cell)
    coordinator = cell._actor  # pyright: ignore[reportPrivateUsage]
    assert isinstance(coordinator, TaskCoordinator)
    work = coordinator._work  # pyright: ignore[reportPrivateUsage]

    assert all(0 < terms.attempts < CRASHES for terms in work.values())
    desk.stop()
