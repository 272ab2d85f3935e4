"""The task coordinator while the database cannot be read: it goes on, and looks again."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import pytest

from actors.tasks.ordering import LATER
from messages.addresses import Refused
from messages.tasks import CancelTask, Done, Pause, Requeue
from storage.home import Home
from tests.actors.queues import Queues, task

WHY = "/away.sqlite3: unable to open database file; look at its disk and its permissions"


@contextmanager
def unreadable(queues: Queues) -> Generator[None]:
    """Whoever reads has to open the file anew, and finds none where it should be."""
    path = queues.read.path
    queues.read.close()
    queues.read.path = path.with_name("away.sqlite3")
    yield
    queues.read.path = path


@pytest.mark.parametrize("kind", [CancelTask, Requeue])
def test_an_order_that_cannot_be_decided_on_is_refused_with_the_reason_and_others_go_on(
    home: Home, kind: type[CancelTask | Requeue]
) -> None:
    queues = Queues(home).start()
    queues.submit(task("a"))
    queues.refuse("a", "invalid")
    queues.submit(task("b"))

    with unreadable(queues):
        refused: Done | Refused = queues.system.ask(queues.tasks, partial(kind, 1), within=10)
        done: Done | Refused = queues.system.ask(queues.tasks, lambda to: Pause("data", to), within=10)
        queues.submit(task("c"))

    assert isinstance(refused, Refused)
    assert (refused.code, refused.sentence.endswith(WHY)) == ("down", True), refused.sentence
    assert isinstance(done, Done)
    assert queues.states() == {"a": "dead", "b": "leased", "c": "queued"}
    assert not queues.system.failed.done()
    answer: Done | Refused = queues.system.ask(queues.tasks, lambda to: CancelTask(2, to), within=10)
    assert answer == Done("task 2 is cancelled")


def test_what_cannot_be_kept_is_refused_though_it_cannot_be_looked_up_why(home: Home) -> None:
    queues = Queues(home).start()

    with unreadable(queues):
        refused = queues.submit(task("a", "nothing"))
        queues.submit(task("b"))

    assert isinstance(refused, Refused)
    assert refused.code == "invalid"
    assert "what they need must exist, and what of it does not cannot be read (database " in refused.sentence
    assert WHY in refused.sentence
    assert queues.states() == {"b": "leased"}


def test_a_task_that_waits_for_its_time_is_run_though_it_could_not_be_read_when_that_is(home: Home) -> None:
    queues = Queues(home).start()
    queues.submit(task("soon"), task("then"))
    now = queues.system.clock.utc()
    queues.refuse("soon", retry_at=now + 1_000_000)
    queues.refuse("then", retry_at=now + 2_000_000)

    with unreadable(queues):
        queues.system.advance(5)
        meanwhile = queues.running()
    queues.system.advance(LATER)

    assert meanwhile == ["soon"]
    assert queues.running() == ["soon", "then"]
    assert not queues.system.failed.done()


def test_what_has_ended_long_ago_is_pruned_when_it_can_be_read_again(home: Home) -> None:
    queues = Queues(home, keep_days=1).start()
    queues.submit(task("a"))
    queues.finish("a")

    with unreadable(queues):
        queues.system.advance(2 * 86_400)
    before = queues.states()
    queues.system.advance(LATER)

    assert before == {"a": "done"}
    assert queues.states() == {}
    assert not queues.system.failed.done()
