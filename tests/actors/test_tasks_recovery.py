"""Start is recovery: whatever the last run was doing when it was killed, it is done in the end, and once."""

from itertools import count

import pytest

from messages.addresses import Ref, Refused
from messages.database import Statement
from messages.tasks import Drained, Run, Submitted
from storage import tasks
from storage.connections import Reader
from storage.home import Home
from tests.actors.queues import EPOCH, Hand, Queues, chain, effects, task

ALL = [*chain("a", "b", "c"), task("d"), task("ask", claude=True)]

ATTEMPTS = 4
"""How often a task may be tried unless its terms say otherwise."""


def test_what_was_leased_when_the_desk_was_killed_runs_again(home: Home) -> None:
    killed = Queues(home).start()
    killed.submit(*ALL)
    killed.finish("d")

    queues = Queues(home).start()

    assert sorted(queues.running()) == ["a", "ask"]
    assert (queues.row("a").attempts, queues.row("d").state) == (2, "done")
    queues.finish("a")
    assert queues.running() == ["ask", "b"]
    assert effects(queues.read) == ["a", "d"]


def test_a_task_during_which_the_desk_ends_again_and_again_is_dead_and_so_is_what_needs_it(home: Home) -> None:
    for n in range(ATTEMPTS):
        queues = Queues(home, at=float(n)).start()
        queues.submit(*chain("a", "b", "c"))
        assert queues.running() == ["a"]

    queues = Queues(home, at=100.0).start()

    assert queues.running() == []
    assert queues.states() == {"a": "dead", "b": "dead", "c": "dead"}
    assert queues.errors()["a"] == f"the desk ended {ATTEMPTS} times while it ran"
    assert queues.errors()["c"] == "what it needs is dead"
    assert queues.row("a").ended_at == EPOCH + 100_000_000


def test_tasks_that_wait_for_their_time_run_on_time_after_a_restart(home: Home) -> None:
    killed = Queues(home).start()
    killed.submit(task("soon"), task("later"))
    killed.refuse("soon", "limited", retry_at=EPOCH + 60_000_000)
    killed.refuse("later", "limited", retry_at=EPOCH + 90_000_000)

    queues, running = Queues(home, at=30.0).start(), list[list[str]]()
    for seconds in (29.9, 0.1, 29.9, 0.1):
        queues.system.advance(seconds)
        running.append(queues.running())

    assert running == [[], ["soon"], ["soon"], ["soon", "later"]]


def test_tasks_whose_time_came_while_the_desk_was_off_run_at_once(home: Home) -> None:
    killed = Queues(home).start()
    killed.submit(task("a"))
    killed.refuse("a", "limited", retry_at=EPOCH + 60_000_000)

    assert Queues(home, at=3600.0).start().running() == ["a"]


def test_what_was_leased_runs_again_even_if_the_clock_was_set_back(home: Home) -> None:
    killed = Queues(home).start()
    killed.submit(task("a"))
    killed.refuse("a", "limited", retry_at=EPOCH + 60_000_000)
    killed.system.advance(60)
    assert killed.running() == ["a"]

    assert Queues(home).start().running() == ["a"]


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_coordinator_crashes_a_task_is_done_if_and_only_if_its_effects_are_there(
    home: Home, seed: int
) -> None:
    crashes = crash_at_every_message(home, seed, of="tasks")

    assert crashes > 10


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_writer_crashes_a_task_is_done_if_and_only_if_its_effects_are_there(home: Home, seed: int) -> None:
    crashes = crash_at_every_message(home, seed, of="database")

    assert crashes > 4


def crash_at_every_message(home: Home, seed: int, *, of: str) -> int:
    """Crash an actor after its first, second, … message, each time on a new file, and start anew on that."""
    for after in count(1):
        place = Home(home.path / f"{of}-{after}")
        place.path.mkdir()
        first = Queues(place, seed=seed, worker=Hand)
        first.system.start()
        first.system.crash(first.tasks if of == "tasks" else first.database, after=after)
        answer = first.submit(*ALL)
        first.system.advance(200)
        assert_whole(Reader(place.database), kept=isinstance(answer, Submitted))
        if not first.system.failed.done():
            return after
        second = Queues(place, seed=seed + 1, worker=Hand, at=300.0).start()
        if isinstance(answer, Refused):
            second.submit(*ALL)
        second.system.advance(200)
        assert set(second.states().values()) == {"done"}, f"seed {seed}, {of} crashed after {after}"
        assert effects(second.read) == ["a", "ask", "b", "c", "d"]
    raise AssertionError


def assert_whole(read: Reader, *, kept: bool) -> None:
    """All tasks or none; done and its effect belong together; what is answered is kept."""
    rows = tasks.newest(read, 100)
    assert len(rows) in ((5,) if kept else (0, 5))
    assert sorted(row.key for row in rows if row.state == "done") == effects(read)


@pytest.mark.parametrize("seed", range(4))
def test_a_worker_that_crashes_now_and_then_does_each_task_once_in_the_end(home: Home, seed: int) -> None:
    queues = Queues(home, seed=seed, worker=Hand).start()
    queues.system.crash(Ref[Run]("hand"), after=3)

    queues.submit(*(task(f"t{n}") for n in range(10)))
    queues.system.advance(120)

    assert set(queues.states().values()) == {"done"}
    assert len(effects(queues.read)) == 10
    assert len(queues.system.recorder.crashes) == 1


def test_a_drained_desk_goes_on_where_it_was(home: Home) -> None:
    first = Queues(home, hands=(1, 1)).start()
    first.submit(*chain("a", "b"), task("c"))
    drain = first.drain()
    first.finish("a")
    first.stop()

    second = Queues(home).start()

    assert drain.received[0] == Drained()
    assert second.states() == {"a": "done", "b": "leased", "c": "leased"}
    assert {second.row(name).attempts for name in "abc"} == {1}


def test_a_row_that_a_person_has_spoilt_is_dead_after_the_start_and_the_others_run(home: Home) -> None:
    killed = Queues(home).start()
    killed.submit(task("spoilt"), task("fine"), task("also", "spoilt"))
    killed.finish("fine", Statement("UPDATE tasks SET payload = 'rubbish' WHERE key = 'spoilt'"))

    queues = Queues(home).start()
    queues.submit(task("new"))

    assert queues.states() == {"spoilt": "dead", "fine": "done", "also": "dead", "new": "leased"}
    assert not queues.system.failed.done()
