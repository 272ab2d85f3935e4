"""What a person sees and orders of the queues at a terminal, on a desk that runs and where none does."""

import json
from signal import SIGTERM

import pytest

from tests.end_to_end.places import Place, until


def test_a_dead_task_is_shown_whole_and_requeued_where_no_desk_runs(sample: Place) -> None:
    sample.change("""INSERT INTO tasks (key, queue, type, version, payload, priority, requires_claude, state, attempts,
        correlation_id, error, submitted_at, ended_at) VALUES ('refresh_bars/AAPL/x', 'data', 'refresh_bars', 1,
        '{"symbol":"AAPL"}', 5, 0, 'dead', 4, 'c', 'broken: it broke', 0, (SELECT max(ended_at) FROM tasks))""")
    ((number,),) = sample.rows("SELECT id FROM tasks WHERE state = 'dead'")

    shown = sample.run("tasks", str(number))
    whole = json.loads(sample.run("tasks", str(number), "--json").out)
    requeued = sample.run("tasks", "--requeue", str(number), "--json")

    assert f"Task {number}: refresh_bars 1, dead; tried 4 times" in shown.out
    assert 'Payload: {"symbol":"AAPL"}' in shown.out
    assert "Error: broken: it broke" in shown.out
    assert (whole["task"]["error"], whole["payload"]) == ("broken: it broke", '{"symbol":"AAPL"}')
    assert requeued.json == {"sentence": f"task {number} is queued again"}
    assert sample.rows(f"SELECT state IN ('queued', 'done') FROM tasks WHERE id = {number}") == [(1,)]


def test_a_running_desk_is_told_to_pause_a_queue_and_to_cancel_a_task(sample: Place) -> None:
    desk = sample.serve()

    paused = sample.run("tasks", "--pause", "data")
    status = sample.run("status")
    refused = sample.run("tasks", "--cancel", "1")
    resumed = sample.run("tasks", "--resume", "data", "--json")
    desk.send(SIGTERM)
    until(lambda: desk.ended, "the end")

    assert "Queue data is paused; what is leased of it goes on." in paused.out
    assert "paused" in status.out
    assert refused.code == 1
    assert refused.lines == ["error: task 1: is done; only what is queued or leased can be cancelled"]
    assert resumed.json == {"sentence": "queue data goes on"}


@pytest.mark.parametrize("options", [["1", "--pause", "data"], ["--cancel", "1", "--requeue", "1"]])
def test_more_than_one_order_is_a_wrong_call(sample: Place, options: list[str]) -> None:
    ended = sample.run("tasks", *options)

    assert ended.code == 2
    assert "give one of TASK, --pause, --resume, --cancel and --requeue" in ended.err.replace("\n", " ")
