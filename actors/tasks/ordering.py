"""What has to be written for what a person orders of the queues, and what is looked up for it.

A read may fail where the disk is in trouble; that is no reason to stop, so each says what happens then.
"""

import logging
from typing import Final, assert_never

from actors.tasks.terms import SOON
from messages.database import Statement
from messages.tasks import Order, Pause, Requeue, Resume
from storage import task_orders as orders
from storage import tasks as queues
from storage.connections import DatabaseUnusable, Reader

DAY: Final = 86_400.0
"""Seconds between two looks at what has ended long ago."""
LATER: Final = 10.0
"""Seconds after which the coordinator looks again where the database could not be read."""
_log: Final = logging.getLogger("troupe.tasks")


def decide(order: Pause | Resume | Requeue, read: Reader, now: int, paused: set[str]) -> tuple[Statement, str]:
    """The statement, and what it does in a sentence; `paused` changes with it. Raises NotAllowed, DatabaseUnusable."""
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


def refuse(order: Order, error: orders.NotAllowed | DatabaseUnusable) -> None:
    """Tell the person why not; `down` where it cannot be known now, and asking again may help."""
    order.reply_to.refuse("invalid" if isinstance(error, orders.NotAllowed) else "down", str(error))


def old(read: Reader, ended_before: int) -> tuple[list[int], float]:
    """Some tasks that are to go, and in how many seconds to look again."""
    try:
        ids = orders.old(read, ended_before)
    except DatabaseUnusable as error:
        _log.warning("what has ended long ago stays for now: %s", error)
        return [], LATER
    return ids, SOON if ids else DAY


def next_due(read: Reader, now: int) -> int | None:
    """When the next task that waits for its time is due, or is to be looked for again; UTC in microseconds."""
    try:
        return queues.next_due(read)
    except DatabaseUnusable as error:
        _log.warning("it is not known which task is due next: %s", error)
        return now + round(LATER * 1e6)
