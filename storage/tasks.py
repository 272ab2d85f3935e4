"""The durable queues: tables `tasks` and `task_needs`. Every change of state is one of the statements here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from messages.database import Row, Statement
from messages.tasks import Lease, NewTask, Queue
from messages.values import CorrelationId
from storage.connections import Reader, typed
from storage.payloads import encode_work

_NOT_DONE: Final = """EXISTS (SELECT 1 FROM task_needs JOIN tasks AS needed ON needed.id = task_needs.needs
    WHERE task_needs.task = tasks.id AND needed.state <> 'done')"""
_ONE_IS_DEAD: Final = """EXISTS (SELECT 1 FROM task_needs JOIN tasks AS needed ON needed.id = task_needs.needs
    WHERE task_needs.task = tasks.id AND needed.state IN ('dead', 'cancelled'))"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that is leased to us, its payload not decoded yet."""

    lease: Lease
    priority: int
    type: str
    version: int
    payload: str
    correlation_id: CorrelationId


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as a person sees it; times are UTC in microseconds."""

    id: int
    key: str
    queue: str
    type: str
    state: str
    attempts: int
    run_after: int
    correlation_id: str
    error: str | None
    submitted_at: int
    ended_at: int | None


# What the coordinator writes


def submit(tasks: Sequence[NewTask], correlation_id: CorrelationId, now: int) -> tuple[Statement, ...]:
    """Keep them; a key that exists is the same task, and if that is dead it lives again with its attempts anew."""
    return tuple(statement for task in tasks for statement in _insert(task, correlation_id, now))


def _insert(task: NewTask, correlation_id: CorrelationId, now: int) -> list[Statement]:
    type_, version, payload = encode_work(task.work)
    state = "blocked" if task.needs else "queued"
    return [
        Statement(
            """INSERT INTO tasks (key, queue, type, version, payload, priority, requires_claude, state,
                correlation_id, submitted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (key) DO UPDATE SET state = excluded.state, type = excluded.type, version = excluded.version,
                payload = excluded.payload, attempts = 0, run_after = 0, error = NULL, ended_at = NULL
                WHERE tasks.state = 'dead'""",
            (task.key, task.queue, type_, version, payload, task.priority, int(task.requires_claude), state,
             correlation_id, now),
        ),
        *(
            Statement(
                """INSERT INTO task_needs (task, needs) VALUES ((SELECT id FROM tasks WHERE key = ?),
                    (SELECT id FROM tasks WHERE key = ?)) ON CONFLICT (task, needs) DO NOTHING""",
                (task.key, needed),
            )
            for needed in task.needs
        ),
        *(
            (
                Statement(
                    f"""UPDATE tasks SET state = 'dead', error = 'what it needs is dead', ended_at = ?
                    WHERE state = 'blocked' AND key = ? AND {_ONE_IS_DEAD}""",
                    (now, task.key),
                ),
                Statement(
                    f"UPDATE tasks SET state = 'queued' WHERE state = 'blocked' AND key = ? AND NOT {_NOT_DONE}",
                    (task.key,),
                ),
            )
            if task.needs
            else ()
        ),
    ]  # fmt: skip


def claim(limit: int, now: int, *, requires_claude: bool) -> Statement:
    """Lease up to so many that are due, the most urgent and then the oldest first; see `claimed`."""
    return Statement(
        """UPDATE tasks SET state = 'leased', attempts = attempts + 1 WHERE id IN (
            SELECT id FROM tasks WHERE state = 'queued' AND requires_claude = ? AND run_after <= ?
            ORDER BY priority DESC, id LIMIT ?)
        RETURNING id, attempts, priority, type, version, payload, correlation_id""",
        (int(requires_claude), now, limit),
    )


def claimed(rows: Sequence[Row]) -> list[Claimed]:
    """What `claim` returned, in order of urgency: RETURNING itself promises no order."""
    found = [
        Claimed(Lease(task, attempt), priority, type_, version, payload, CorrelationId(correlation_id))
        for task, attempt, priority, type_, version, payload, correlation_id in typed(
            tuple[int, int, int, str, int, str, str], rows
        )
    ]
    return sorted(found, key=lambda task: (-task.priority, task.lease.task))


def complete(lease: Lease, now: int) -> tuple[Statement, ...]:
    """It is done, and what waited for it alone may run."""
    return (
        Statement("UPDATE tasks SET state = 'done', error = NULL, ended_at = ? WHERE id = ?", (now, lease.task)),
        Statement(
            f"""UPDATE tasks SET state = 'queued' WHERE state = 'blocked'
            AND id IN (SELECT task FROM task_needs WHERE needs = ?) AND NOT {_NOT_DONE}""",
            (lease.task,),
        ),
    )


def retry(lease: Lease, run_after: int, error: str) -> tuple[Statement, ...]:
    """Run it again later; this attempt counts."""
    return (
        Statement(
            "UPDATE tasks SET state = 'queued', run_after = ?, error = ? WHERE id = ?", (run_after, error, lease.task)
        ),
    )


def gate(lease: Lease, run_after: int, why: str) -> tuple[Statement, ...]:
    """Run it later; it was not its fault, so this attempt does not count."""
    return (
        Statement(
            "UPDATE tasks SET state = 'queued', attempts = attempts - 1, run_after = ?, error = ? WHERE id = ?",
            (run_after, why, lease.task),
        ),
    )


def bury(lease: Lease, error: str, now: int) -> tuple[Statement, ...]:
    """It is dead, and so is whatever needs it."""
    return (
        Statement("UPDATE tasks SET state = 'dead', error = ?, ended_at = ? WHERE id = ?", (error, now, lease.task)),
        _bury_dependents("needs = ?", now, lease.task),
    )


def _bury_dependents(of: str, now: int, *values: int) -> Statement:
    return Statement(
        f"""WITH RECURSIVE doomed (id) AS (SELECT task FROM task_needs WHERE {of}
            UNION SELECT task_needs.task FROM task_needs JOIN doomed ON task_needs.needs = doomed.id)
        UPDATE tasks SET state = 'dead', error = 'what it needs is dead', ended_at = ?
        WHERE state = 'blocked' AND id IN (SELECT id FROM doomed)""",
        (*values, now),
    )


def recover(limit: int, now: int) -> tuple[Statement, ...]:
    """After a start: what was leased runs again, unless the desk has ended `limit` times while it ran."""
    return (
        Statement(
            """UPDATE tasks SET state = 'dead', ended_at = ?, error = 'the desk ended ' || attempts ||
            ' times while it ran' WHERE state = 'leased' AND attempts >= ?""",
            (now, limit),
        ),
        _bury_dependents("needs IN (SELECT id FROM tasks WHERE state = 'dead' AND ended_at = ?)", now, now),
        Statement("UPDATE tasks SET state = 'queued', run_after = 0 WHERE state = 'leased'"),  # its time had come
    )


# What anyone reads


def next_due(read: Reader, after: int) -> int | None:
    """When the next task that waits for its time becomes due."""
    sql = "SELECT min(run_after) FROM tasks WHERE state = 'queued' AND run_after > ?"
    return read.rows(tuple[int | None], sql, after)[0][0]


def together(read: Reader, correlation_id: CorrelationId) -> list[TaskRow]:
    """All tasks of one round or request, oldest first."""
    return _tasks(read, "WHERE correlation_id = ? ORDER BY id", correlation_id)


def newest(read: Reader, limit: int) -> list[TaskRow]:
    """The last so many, newest first."""
    return _tasks(read, "ORDER BY id DESC LIMIT ?", limit)


def by_key(read: Reader, key: str) -> TaskRow | None:
    """The task of this key."""
    return next(iter(_tasks(read, "WHERE key = ?", key)), None)


def counts(read: Reader) -> dict[tuple[str, str], int]:
    """How many tasks there are by queue and state."""
    sql = "SELECT queue, state, count(*) FROM tasks GROUP BY queue, state ORDER BY queue, state"
    return {(queue, state): count for queue, state, count in read.rows(tuple[str, str, int], sql)}


def waiting(read: Reader) -> dict[str, int]:
    """How many tasks of each queue are neither running nor at an end."""
    sql = "SELECT queue, count(*) FROM tasks WHERE state IN ('blocked', 'queued') GROUP BY queue"
    return dict.fromkeys(get_args(Queue), 0) | dict(read.rows(tuple[str, int], sql))


def _tasks(read: Reader, which: str, *values: int | str) -> list[TaskRow]:
    columns = "id, key, queue, type, state, attempts, run_after, correlation_id, error, submitted_at, ended_at"
    rows = read.rows(
        tuple[int, str, str, str, str, int, int, str, str | None, int, int | None],
        f"SELECT {columns} FROM tasks {which}",
        *values,
    )
    return [TaskRow(*row) for row in rows]
