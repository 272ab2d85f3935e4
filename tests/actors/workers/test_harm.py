"""Jobs that behave badly in a crew with real processes, threads and coordinator: each harms itself alone."""

from collections.abc import Iterator

import pytest

from actors.database import DatabaseWriter
from actors.kernel.system import STOP_DESK, System
from actors.kernel.testing import Recorder
from actors.tasks.coordinator import Message, TaskCoordinator
from actors.tasks.terms import Terms
from actors.workers import processes
from actors.workers.jobs import JOBS, Job, Known
from actors.workers.processes import Process
from actors.workers.worker import Worker
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.database import Statement, Write
from messages.tasks import RefreshBars, Run, Submit, Submitted, Work
from messages.values import CorrelationId, Symbol
from storage import tasks
from storage.connections import Operations, Reader
from storage.home import Home
from storage.tasks import TaskRow
from tests.actors.queues import ROUND, note, task
from tests.actors.workers.harm import behave
from tests.end_to_end.places import ENDED, until


def load(_known: Known, run: Run) -> tuple[str, object]:
    """The task's symbol says how it behaves: `double 4`."""
    how, _, what = run.expect(RefreshBars).symbol.partition(" ")
    return how, int(what) if what.isdigit() else what


def effect(value: object, _round: CorrelationId, _now: int) -> tuple[Statement, ...]:
    return (note(f"{value}"),)


class Company:
    """A writer, a coordinator and a crew of processes, on threads."""

    def __init__(self, home: Home, within: float, size: int, attempts: int) -> None:
        self.read, self.recorder = Reader(home.database), Recorder()
        self.system = System(hooks=self.recorder, flush=lambda settled: self.database.tell(Write((), settled)))
        self.database, self.tasks = Ref[database.Message]("database"), Ref[Message]("tasks")
        crew, clock = Ref[Run]("processes"), self.system.clock
        work: dict[type[Work], Terms] = {RefreshBars: Terms(crew, within, attempts, back_off=0.01)}
        self.system.add(self.database, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        self.system.add(
            self.tasks,
            lambda me: TaskCoordinator(me, self.database, work, self.read, (32, 2), lambda: 0.0, 30),
            STOP_DESK,
        )
        known = Known(self.read, "USD", self.tasks.tell)
        self.system.add_crew(crew, lambda take: Worker(take, Process(400 * 2**20), known, clock.utc), size)

    def run(self, *behaviour: str) -> dict[str, TaskRow]:
        """Submit these and wait until all have ended."""

        def make(reply_to: ReplyTo[Submitted | Refused]) -> Submit:
            return Submit(tuple(task(each) for each in behaviour), ROUND, reply_to)

        answer: Submitted | Refused = self.system.ask(self.tasks, make, within=10)
        assert isinstance(answer, Submitted)
        rows = list[TaskRow]()

        def ended() -> bool:
            rows[:] = tasks.newest(self.read, 100)
            return all(row.state in ENDED for row in rows)

        until(ended, "end of all tasks", 60.0)
        return {row.key: row for row in rows}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JOBS, RefreshBars, Job(True, load, behave, effect))
    monkeypatch.setattr(processes, "PATIENCE", 0.3)


@pytest.fixture
def companies(home: Home) -> Iterator[list[Company]]:
    made = list[Company]()
    yield made
    for company in made:
        assert company.system.stop(grace=10) == []


BAD = {
    "raise x": "crashed: RefreshBars: ZeroDivisionError('x')",
    "exit": "crashed: RefreshBars: tests.actors.workers.harm.behave: its process ended by itself (exit code 3)",
    "die": "crashed: RefreshBars: tests.actors.workers.harm.behave: its process ended by itself (SIGKILL)",
    "eat": "crashed: RefreshBars: MemoryError()",
}


def test_jobs_that_raise_exit_die_or_eat_memory_are_dead_after_their_attempts_and_the_rest_is_done_at_the_first(
    home: Home, companies: list[Company]
) -> None:
    companies.append(company := Company(home, 60.0, 2, attempts=2))
    company.system.start()
    good = [f"double {number}" for number in range(8)]

    rows = company.run(*good[:4], *BAD, *good[4:])

    assert {(rows[each].state, rows[each].attempts, rows[each].error) for each in good} == {("done", 1, None)}
    assert {each: rows[each].error for each in BAD} == BAD
    assert {(rows[each].state, rows[each].attempts) for each in BAD} == {("dead", 2)}
    assert company.recorder.crashes == []


@pytest.mark.long
def test_a_job_that_hangs_is_late_and_the_rest_of_its_chunk_is_done_in_time(
    home: Home, companies: list[Company], tmp_path: object
) -> None:
    companies.append(company := Company(home, 8.0, 1, attempts=1))
    company.system.start()

    rows = company.run(f"spin {tmp_path}", *(f"double {number}" for number in range(8)))

    assert {row.state for key, row in rows.items() if key.startswith("double")} == {"done"}
    hung = rows[Symbol(f"spin {tmp_path}")]
    assert (hung.state, hung.attempts, hung.error) == ("dead", 1, "late: processes has not answered within 8.0 s")
