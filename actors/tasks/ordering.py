"""What has to be written for what a person orders of the queues."""

from typing import assert_never

from messages.database import Statement
from messages.tasks import Pause, Requeue, Resume
from storage import task_orders as orders
from storage.connections import Reader


def decide(order: Pause | Resume | Requeue, read: Reader, now: int, paused: set[str]) -> tuple[Statement, str]:
    """The statement, and what it does in a sentence; `paused` changes with it. Raises NotAllowed."""
    match order:
        case Pause(queue):
            statement = orders.pause(queue, now)
            paused.add(queue)
            return statement, f"queue {queue} is paused; what is leased of it goes on"
        case Resume(queue):
            statement = orders.resume(queue)
            paused.discard(queue)
            return statement, f"queue {queue} goes on"
        case Requeue(task):
            return orders.requeue(read, task), f"task {task} is queued again"
        case _:
            assert_never(order)
