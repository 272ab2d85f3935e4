"""What a person orders of the queues, and what is done away with in the end; table `paused_queues`.

Each order looks at what is on disk, since nothing else is being written meanwhile, and is refused in a sentence.
"""

from dataclasses import dataclass
from typing import Final

from messages.database import Statement
from messages.errors import TroupeError
from storage.connections import Reader
from storage.tasks import QUEUES, TaskRow, bury_dependents, by_id

PRUNED: Final = 500
"""Tasks that one write does away with at most: 500 take some 10 ms, and others wait no longer than that."""
NEED_CANCELLED: Final = "what it needs was cancelled"


class NotAllowed(TroupeError):
    """The queue or the task is not in a state for this."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A task that another one needs."""

    id: int
    key: str
    state: str


@dataclass(frozen=True, slots=True)
class WholeTask:
    """All there is of a task; `payload` is JSON, `needs` are to be done before, `needed_by` wait for it."""

    task: TaskRow
    version: int
    payload: str
    priority: int
    requires_claude: bool
    needs: tuple[Needed, ...]
    needed_by: tuple[Needed, ...]


def whole(read: Reader, id_: int) -> WholeTask:
    """A task with all there is of it. Raises NotAllowed where there is none."""
    with read.snapshot() as at:
        row = _existing(at, id_)
        [(version, payload, priority, requires_claude)] = at.rows(
            tuple[int, str, int, int], "SELECT version, payload, priority, requires_claude FROM tasks WHERE id = ?", id_
        )
        needs, needed_by = _neighbours(at, "needs", "task", id_), _neighbours(at, "task", "needs", id_)
    return WholeTask(row, version, payload, priority, bool(requires_claude), tuple(needs), tuple(needed_by))


def paused(read: Reader) -> set[str]:
    """The queues that are paused."""
    return {queue for (queue,) in read.rows(tuple[str], "SELECT queue FROM paused_queues")}


def pause(queue: str, now: int) -> Statement:
    """Lease nothing of it any more. Raises NotAllowed."""
    sql = "INSERT INTO paused_queues (queue, at) VALUES (?, ?) ON CONFLICT (queue) DO NOTHING"
    return Statement(sql, (_known(queue), now))


def resume(queue: str) -> Statement:
    """Lease from it again. Raises NotAllowed."""
    return Statement("DELETE FROM paused_queues WHERE queue = ?", (_known(queue),))


def cancel(read: Reader, id_: int, now: int) -> tuple[TaskRow, tuple[Statement, ...]]:
    """It is not to be done any more, and what needs it is dead. Raises NotAllowed."""
    row = _existing(read, id_)
    if row.state == "blocked":
        waits = ", ".join(f"{need.id} ({need.state})" for need in _neighbours(read, "needs", "task", id_)[:3])
        raise NotAllowed(f"task {id_}: is blocked and cannot be cancelled; cancel what it waits for: task {waits}")
    if row.state not in ("queued", "leased"):
        raise NotAllowed(f"task {id_}: is {row.state}; only what is queued or leased can be cancelled")
    sql = "UPDATE tasks SET state = 'cancelled', error = 'a person has cancelled it', ended_at = ? WHERE id = ?"
    return row, (Statement(sql, (now, id_)), bury_dependents("needs = ?", NEED_CANCELLED, now, id_))


def requeue(read: Reader, id_: int) -> Statement:
    """It lives again, with its attempts anew. Raises NotAllowed."""
    row = _existing(read, id_)
    if row.state != "dead":
        raise NotAllowed(f"task {id_}: is {row.state}; only what is dead can be requeued")
    needs = _neighbours(read, "needs", "task", id_)
    for need in needs:
        if need.state == "dead":
            raise NotAllowed(f"task {id_}: needs task {need.id}, which is dead; requeue that one first")
        if need.state == "cancelled":
            raise NotAllowed(f"task {id_}: needs task {need.id}, which was cancelled; begin anew")
    state = "queued" if all(need.state == "done" for need in needs) else "blocked"
    sql = """UPDATE tasks SET state = ?, attempts = 0, run_after = 0, error = NULL, ended_at = NULL, progress = NULL
        WHERE id = ?"""
    return Statement(sql, (state, id_))


_OLD: Final = """SELECT id FROM tasks WHERE ended_at < ? AND NOT EXISTS (
        SELECT 1 FROM task_needs JOIN tasks AS other ON other.id = task_needs.task
        WHERE task_needs.needs = tasks.id AND other.state NOT IN ('done', 'cancelled'))
    ORDER BY ended_at LIMIT ?"""


def old(read: Reader, ended_before: int) -> list[int]:
    """So many tasks, at most, that have ended before this and that nothing needs any more.

    What is dead may be wanted again, and then needs what it needed; so the last of a line goes first.
    """
    return [id_ for (id_,) in read.rows(tuple[int], _OLD, ended_before, PRUNED)]


def prune(ids: list[int]) -> tuple[Statement, ...]:
    """Do away with them, and with whom they needed."""
    listed = str(ids)
    return (
        Statement("DELETE FROM task_needs WHERE task IN (SELECT value FROM json_each(?))", (listed,)),
        Statement("DELETE FROM task_needs WHERE needs IN (SELECT value FROM json_each(?))", (listed,)),
        Statement("DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?))", (listed,)),
    )


def _known(queue: str) -> str:
    if queue not in QUEUES:
        raise NotAllowed(f"queue {queue}: is none; there are {', '.join(QUEUES)}")
    return queue


def _existing(read: Reader, id_: int) -> TaskRow:
    row = by_id(read, id_)
    if row is None:
        raise NotAllowed(f"task {id_}: there is none; `run.py tasks` lists the newest")
    return row


def _neighbours(read: Reader, wanted: str, of: str, id_: int) -> list[Needed]:
    """Those on the other end of its needs, those that are not done first."""
    sql = f"""SELECT tasks.id, tasks.key, tasks.state FROM task_needs JOIN tasks ON tasks.id = task_needs.{wanted}
        WHERE task_needs.{of} = ? ORDER BY tasks.state = 'done', tasks.id"""
    return [Needed(*row) for row in read.rows(tuple[int, str, str], sql, id_)]
