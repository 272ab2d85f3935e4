"""What a person orders of the queues: pause, resume, cancel, requeue."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from actors.console.access import Access
from messages.addresses import ReplyTo
from messages.errors import TroupeError
from messages.tasks import CancelTask, Done, Pause, Requeue, Resume

What = Literal["pause", "resume", "cancel", "requeue"]
LARGEST = 2**63 - 1
"""No task has a larger number."""


class NoSuchTask(TroupeError):
    """What was given for a task's number is none."""


def order(access: Access, what: What, of: str) -> Done:
    """Have it done: of a queue by its name, of a task by its number. Raises DeskRefused, NoSuchTask."""
    make: Callable[[ReplyTo[Any]], Pause | Resume | CancelTask | Requeue]
    match what:
        case "pause":
            make = partial(Pause, of)
        case "resume":
            make = partial(Resume, of)
        case "cancel":
            make = partial(CancelTask, number(of))
        case "requeue":
            make = partial(Requeue, number(of))
    return access.ask(Done, access.tasks, make)


def number(of: str) -> int:
    """The number of a task. Raises NoSuchTask."""
    if not re.fullmatch("[0-9]{1,19}", of, re.ASCII) or int(of) > LARGEST:
        raise NoSuchTask(f"task {of}: write its number, which `run.py tasks` shows first")
    return int(of)
