"""A stored database of schema 2, with tasks in every state, comes to schema 3 whole; and counts stay right."""

from storage import task_orders, tasks
from storage.connections import Reader, fetch
from storage.home import Home
from storage.migrations import known, open_for_writing
from tests.storage.conftest import FIXED

STATES = ("blocked", "queued", "leased", "done", "dead", "cancelled")


def test_tasks_in_every_state_are_kept_and_counted(home: Home) -> None:
    second = open_for_writing(home, FIXED, 0, steps=known()[:2])
    for number, (state, queue) in enumerate((state, queue) for state in STATES for queue in tasks.QUEUES):
        fetch(
            second.raw,
            """INSERT INTO tasks (key, queue, type, version, payload, priority, requires_claude, state, attempts,
            run_after, correlation_id, error, submitted_at, ended_at)
            VALUES (?, ?, 'refresh_bars', 1, '{"symbol":"A"}', 5, 0, ?, 1, ?, 'c', NULL, 0, ?)""",
            (f"k{number}", queue, state, number % 2 * 7, 9 if state in STATES[3:] else None),
        )
    fetch(second.raw, "INSERT INTO task_needs SELECT id, 4 FROM tasks WHERE state = 'blocked'")
    columns = "id, key, queue, state, attempts, run_after, payload, ended_at"
    before = fetch(second.raw, f"SELECT {columns} FROM tasks")
    second.close()

    third = open_for_writing(home, FIXED, 0)
    read = Reader(home.database)

    assert fetch(third.raw, f"SELECT {columns} FROM tasks") == before
    assert tasks.counts(read) == {(queue, state): 1 for queue in tasks.QUEUES for state in STATES}
    assert task_orders.paused(read) == set()
    assert [(each.queue, each.waiting) for each in tasks.lines(read, 0)] == [(queue, 2) for queue in tasks.QUEUES]
    fetch(third.raw, "UPDATE tasks SET state = 'queued' WHERE state = 'leased'")
    fetch(third.raw, "DELETE FROM task_needs")
    fetch(third.raw, "DELETE FROM tasks WHERE state = 'done'")
    assert tasks.counts(read) == {
        (queue, state): 2 if state == "queued" else 1
        for queue in tasks.QUEUES for state in STATES if state not in ("leased", "done")
    }  # fmt: skip
    turns: dict[str, int] = dict.fromkeys(tasks.QUEUES, 0)
    for statement in (tasks.ripen(100), claim := tasks.claim(9, turns, requires_claude=False)):
        rows = fetch(third.raw, statement.sql, statement.values)
    assert claim.values
    assert len(rows) == 6
    third.close()
