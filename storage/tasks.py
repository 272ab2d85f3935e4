"""The durable queues: tables `tasks` and `task_needs`. Every change of state is one of the statements here.

What a person orders - pause, cancel, requeue - and what is done away with in the end is in `task_orders.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, get_args

import msgspec

from messages.database import Row, Statement
from messages.tasks import Lease, NewTask, Queue
from messages.values import CorrelationId
from storage.connections import DatabaseUnusable, Reader, typed
from storage.payloads import encode_work, encoded

QUEUES: Final[tuple[Queue, ...]] = get_args(Queue)
_NOT_DONE: Final = """EXISTS (SELECT 1 FROM task_needs JOIN tasks AS needed ON needed.id = task_needs.needs
    WHERE task_needs.task = tasks.id AND needed.state <> 'done')"""
_KEYS: Final = "(SELECT value FROM json_each(?))"
RIPENED: Final = 1_000
"""Tasks whose time has come that one write makes ready at most."""
NEED_IS_DEAD: Final = "what it needs is dead"
NO_NEED: Final = "NOT NULL constraint failed: task_needs.needs"
"""What SQLite says of a task that needs one that does not exist."""
CIRCLE: Final = "NOT NULL constraint failed: task_needs.task"
"""What SQLite says of tasks that need one another; see `_refuse_circles`."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that is leased to us, its payload not decoded yet."""

    lease: Lease
    queue: str
    priority: int
    type: str
    version: int
    payload: str
    correlation_id: CorrelationId
    submitted_at: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as a person sees it; times are UTC in microseconds, `progress` is that of its last attempt, 0 to 1."""

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
    progress: float | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A new task as it is stored: its row as a JSON array, its key and the keys of what it needs."""

    row: bytes
    key: str
    needs: tuple[str, ...]


# What the coordinator writes


def keep(task: NewTask, correlation_id: CorrelationId, now: int) -> Kept:
    """A new task as it will be stored. Raises Unencodable."""
    type_, version, payload = encode_work(task.work)
    state, needs_claude = "blocked" if task.needs else "queued", int(task.requires_claude)
    row = (task.key, task.queue, type_, version, payload, task.priority, needs_claude, state, correlation_id, now)
    return Kept(encoded(row, f"task {task.key!r}"), task.key, task.needs)


_INSERT: Final = """INSERT INTO tasks (key, queue, type, version, payload, priority, requires_claude, state,
        correlation_id, submitted_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9 FROM json_each(?) WHERE true
    ON CONFLICT (key) DO UPDATE SET state = excluded.state, type = excluded.type, version = excluded.version,
        payload = excluded.payload, attempts = 0, run_after = 0, error = NULL, ended_at = NULL, progress = NULL
        WHERE tasks.state = 'dead'"""
_FORGET_NEEDS: Final = (
    f"DELETE FROM task_needs WHERE task IN (SELECT id FROM tasks WHERE state = 'dead' AND key IN {_KEYS})"
)
# Those that wait for something and need nothing are the ones that this write has made or revived.
_INSERT_NEEDS: Final = """INSERT INTO task_needs (task, needs)
    SELECT tasks.id, needed.id FROM json_each(?) AS pair JOIN tasks ON tasks.key = pair.value ->> 0
        LEFT JOIN tasks AS needed ON needed.key = pair.value ->> 1
    WHERE tasks.state = 'blocked' AND NOT EXISTS (SELECT 1 FROM task_needs WHERE task = tasks.id)"""
# A new task is younger than all it needs. Only an edge to a younger one can close a circle; hardly ever is there any.
_REFUSE_CIRCLES: Final = f"""WITH RECURSIVE above (start, id) AS (
        SELECT task, needs FROM task_needs WHERE needs >= task AND task IN (SELECT id FROM tasks WHERE key IN {_KEYS})
        UNION SELECT start, needs FROM above JOIN task_needs ON task = above.id)
    INSERT INTO task_needs (task, needs) SELECT NULL, id FROM above WHERE id = start"""
_BURY_NEW: Final = f"""WITH RECURSIVE doomed (id) AS (
        SELECT task FROM task_needs JOIN tasks AS needed ON needed.id = needs
            WHERE needed.state IN ('dead', 'cancelled') AND task IN (SELECT id FROM tasks WHERE key IN {_KEYS})
        UNION SELECT task FROM task_needs JOIN doomed ON needs = doomed.id)
    UPDATE tasks SET state = 'dead', error = '{NEED_IS_DEAD}', ended_at = ?
    WHERE state = 'blocked' AND id IN (SELECT id FROM doomed)"""
_FREE_NEW: Final = f"UPDATE tasks SET state = 'queued' WHERE state = 'blocked' AND key IN {_KEYS} AND NOT {_NOT_DONE}"


def submit(new: Sequence[Kept], now: int) -> tuple[Statement, ...]:
    """Keep them, whosesoever they are; a key that exists is the same task, and if that is dead it lives again.

    A few statements for all of them: one by one they cost three times as much.
    """
    insert = Statement(_INSERT, (array(task.row for task in new),))
    first = {task.key: task for task in reversed(new) if task.needs}
    if not first:
        return (insert,)
    keys = array(map(msgspec.json.encode, first))
    pairs = array(
        msgspec.json.encode((task.key, need)) for task in first.values() for need in dict.fromkeys(task.needs)
    )
    return (
        Statement(_FORGET_NEEDS, (keys,)),
        insert,
        Statement(_INSERT_NEEDS, (pairs,)),
        Statement(_REFUSE_CIRCLES, (keys,)),
        Statement(_BURY_NEW, (keys, now)),
        Statement(_FREE_NEW, (keys,)),
    )


@cache
def _claim(kind: int, *, one: bool) -> str:
    """The most urgent and oldest of each queue, each queue's first before any queue's second.

    No bare `LIMIT ?`: SQLite looks at its value, and so prepares the statement anew for each; three of them and three
    windows took 550 microseconds. One window takes 150, hence none (7) where one task is claimed alone.
    """
    queues = " UNION ALL ".join(
        f"""SELECT * FROM (SELECT id, priority, queue, ? AS had FROM tasks
            WHERE state = 'queued' AND run_after = 0 AND queue = '{queue}' AND requires_claude = {kind}
            ORDER BY priority DESC, id LIMIT ? + 0)"""
        for queue in QUEUES
    )
    place = "0" if one else "row_number() OVER (PARTITION BY queue ORDER BY priority DESC, id)"
    return f"""UPDATE tasks SET state = 'leased', attempts = attempts + 1, progress = NULL WHERE id IN (
            SELECT id FROM (SELECT id, priority, had + {place} AS turn FROM ({queues}))
            ORDER BY turn, priority DESC, id LIMIT ? + 0)
        RETURNING id, attempts, queue, priority, type, version, payload, correlation_id, submitted_at"""


def claim(limit: int, turns: Mapping[str, int], *, requires_claude: bool) -> Statement:
    """Lease up to so many that are ready; see `claimed`. What else waits costs nothing: each queue has its index.

    `turns` says how many turns each queue has had; one that is not named is paused.
    """
    values = list[int]()
    for queue in QUEUES:
        values += (turns.get(queue, 0), limit if queue in turns else 0)
    return Statement(_claim(int(requires_claude), one=limit == 1), (*values, limit))


def claimed(rows: Sequence[Row], turns: Mapping[str, int]) -> list[Claimed]:
    """What `claim` returned for these turns, in its order: RETURNING itself promises none."""
    found = [
        Claimed(Lease(task, attempt), queue, priority, type_, version, payload, CorrelationId(correlation_id), at)
        for task, attempt, queue, priority, type_, version, payload, correlation_id, at in typed(
            tuple[int, int, str, int, str, int, str, str, int], rows
        )
    ]
    if len(found) < 2:
        return found
    found.sort(key=lambda task: (-task.priority, task.lease.task))
    had, order = dict(turns), list[tuple[int, int, int, Claimed]]()
    for task in found:
        had[task.queue] += 1
        order.append((had[task.queue], -task.priority, task.lease.task, task))
    return [task for *_, task in sorted(order, key=lambda each: each[:3])]


def complete(leases: Sequence[Lease], now: int) -> tuple[Statement, ...]:
    """They are done, and what waited for them alone may run."""
    ids = str([lease.task for lease in leases])
    return (
        Statement(
            "UPDATE tasks SET state = 'done', error = NULL, ended_at = ? WHERE id IN (SELECT value FROM json_each(?))",
            (now, ids),
        ),
        Statement(
            f"""UPDATE tasks SET state = 'queued' WHERE state = 'blocked'
            AND id IN (SELECT task FROM task_needs WHERE needs IN (SELECT value FROM json_each(?)))
            AND NOT {_NOT_DONE}""",
            (ids,),
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
        bury_dependents("needs = ?", NEED_IS_DEAD, now, lease.task),
    )


def bury_dependents(of: str, error: str, now: int, *values: int) -> Statement:
    """Whatever needs these, or something that does, is dead."""
    return Statement(
        f"""WITH RECURSIVE doomed (id) AS (SELECT task FROM task_needs WHERE {of}
            UNION SELECT task_needs.task FROM task_needs JOIN doomed ON task_needs.needs = doomed.id)
        UPDATE tasks SET state = 'dead', error = ?, ended_at = ?
        WHERE state = 'blocked' AND id IN (SELECT id FROM doomed)""",
        (*values, error, now),
    )


def recover(limits: Mapping[str, int], now: int) -> tuple[Statement, ...]:
    """After a start: what was leased runs again, unless the desk has ended as often as its type may be tried."""
    return (
        Statement(
            """UPDATE tasks SET state = 'dead', ended_at = ?, error = 'the desk ended ' || attempts ||
            ' times while it ran' WHERE state = 'leased'
            AND attempts >= (SELECT value FROM json_each(?) WHERE key = tasks.type)""",
            (now, msgspec.json.encode(limits).decode()),
        ),
        bury_dependents(
            "needs IN (SELECT id FROM tasks WHERE state = 'dead' AND ended_at = ?)", NEED_IS_DEAD, now, now
        ),
        Statement("UPDATE tasks SET state = 'queued' WHERE state = 'leased'"),
        ripen(now),
    )


def ripen(now: int) -> Statement:
    """Those that waited for their time, and whose time has come, are ready."""
    return Statement(
        """UPDATE tasks SET run_after = 0 WHERE id IN (
            SELECT id FROM tasks WHERE state = 'queued' AND run_after > 0 AND run_after <= ?
            ORDER BY run_after LIMIT ? + 0)""",
        (now, RIPENED),
    )


def note(lease: Lease, share: float) -> Statement:
    """How far it is."""
    return Statement("UPDATE tasks SET progress = ? WHERE id = ?", (share, lease.task))


def array(values: Iterable[bytes]) -> str:
    """A JSON array of values that are JSON already."""
    return f"[{b','.join(values).decode()}]"


# What anyone reads


def next_due(read: Reader) -> int | None:
    """When the next task that waits for its time becomes ready."""
    sql = "SELECT min(run_after) FROM tasks WHERE state = 'queued' AND run_after > 0"
    return read.rows(tuple[int | None], sql)[0][0]


def together(read: Reader, correlation_id: CorrelationId) -> list[TaskRow]:
    """All tasks of one round or request, oldest first."""
    return _tasks(read, "WHERE correlation_id = ? ORDER BY id", correlation_id)


def correlated(read: Reader, prefix: str) -> list[CorrelationId]:
    """The correlation ids, two at most, that begin like this."""
    sql = "SELECT DISTINCT correlation_id FROM tasks WHERE correlation_id BETWEEN ? AND ? LIMIT 2"  # by its index
    return [CorrelationId(found) for (found,) in read.rows(tuple[str], sql, prefix, f"{prefix}~")]


def needs(read: Reader, correlation_id: CorrelationId) -> list[tuple[int, int]]:
    """Of the tasks of one round or request: each task, and one that it needs."""
    sql = "SELECT task, needs FROM task_needs JOIN tasks ON tasks.id = task WHERE correlation_id = ? ORDER BY 1, 2"
    return read.rows(tuple[int, int], sql, correlation_id)


def newest(read: Reader, limit: int) -> list[TaskRow]:
    """The last so many, newest first."""
    return _tasks(read, "ORDER BY id DESC LIMIT ?", limit)


def by_key(read: Reader, key: str) -> TaskRow | None:
    """The task of this key."""
    return next(iter(_tasks(read, "WHERE key = ?", key)), None)


def by_id(read: Reader, id_: int) -> TaskRow | None:
    """The task of this number."""
    return next(iter(_tasks(read, "WHERE id = ?", id_)), None)


def why_not(read: Reader, new: Sequence[Kept], refused: str) -> str:
    """Why these cannot be kept, where SQLite has said so."""
    if refused == CIRCLE:
        return "they would need one another in a circle"
    if refused != NO_NEED:
        return refused
    own, needs = {task.key for task in new}, [need for task in new for need in task.needs]
    sql = "SELECT DISTINCT value FROM json_each(?) WHERE value NOT IN (SELECT key FROM tasks)"
    try:
        found = read.rows(tuple[str], sql, array(map(msgspec.json.encode, needs)))
    except DatabaseUnusable as error:  # that they cannot be kept is known, and no reason to ask again
        return f"what they need must exist, and what of it does not cannot be read ({error})"
    unknown = [key for (key,) in found if key not in own]
    return f"what they need must exist, and {', '.join(unknown[:3])} does not"


def counts(read: Reader) -> dict[tuple[str, str], int]:
    """How many tasks there are by queue and state; kept by triggers, so that nobody counts a million."""
    sql = "SELECT queue, state, tasks FROM task_counts WHERE tasks > 0 ORDER BY queue, state"
    return {(queue, state): count for queue, state, count in read.rows(tuple[str, str, int], sql)}


def oldest(read: Reader) -> dict[str, int]:
    """When the oldest task of each queue was submitted that could run now; a look into the index for each kind."""
    rows = read.rows(
        tuple[str, int],
        f"""SELECT queue, min(submitted_at) FROM tasks WHERE id IN (
            SELECT (SELECT id FROM tasks WHERE state = 'queued' AND run_after = 0 AND tasks.queue = of.value
                AND requires_claude = claude.value AND priority = urgency.value ORDER BY id LIMIT 1)
            FROM json_each('{msgspec.json.encode(QUEUES).decode()}') AS of, json_each('[0, 1]') AS claude,
                json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]') AS urgency)
        GROUP BY queue""",
    )
    return dict(rows)


@dataclass(frozen=True, slots=True)
class Line:
    """Tasks of a queue that wait, and how many seconds ago the oldest was submitted that could run now."""

    queue: str
    waiting: int
    oldest_seconds: float


def lines(read: Reader, now: int) -> tuple[Line, ...]:
    """How all queues are."""
    sql = "SELECT queue, sum(tasks) FROM task_counts WHERE state IN ('blocked', 'queued') GROUP BY queue"
    waiting, since = dict(read.rows(tuple[str, int], sql)), oldest(read)
    return tuple(Line(queue, waiting.get(queue, 0), max(0, now - since.get(queue, now)) / 1e6) for queue in QUEUES)


def _tasks(read: Reader, which: str, *values: int | str) -> list[TaskRow]:
    columns = (
        "id, key, queue, type, state, attempts, run_after, correlation_id, error, submitted_at, ended_at, progress"
    )
    rows = read.rows(
        tuple[int, str, str, str, str, int, int, str, str | None, int, int | None, float | None],
        f"SELECT {columns} FROM tasks {which}",
        *values,
    )
    return [TaskRow(*row) for row in rows]
