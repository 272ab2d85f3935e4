"""Where threads that are not actors meet actors: asking."""

import asyncio
import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from messages.addresses import ReplyTo
from messages.errors import TroupeError


class _Here(threading.local):
    role: str | None = None


here = _Here()
"""Whose thread this is, if it is one of those that must not wait."""


class WouldBlock(TroupeError):
    """An actor, a loop or the scheduler was about to wait for an actor."""


def refuse_to_wait(name: str) -> None:
    """Raise WouldBlock on a thread on which others depend."""
    role = here.role
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        role = "a coroutine"
    if role is not None:
        raise WouldBlock(f"{role} must not wait for {name}; send a reply_to")


def lateness(name: str, within: float) -> str:
    """The sentence for an asker who has waited long enough."""
    return f"{name} has not answered within {within} s"


class Promise(ReplyTo[Any]):
    """A return address that a thread or a coroutine waits on, or that calls, which must not block."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        super().__init__(None)
        self.future = Future[Any]()

    def send(self, answer: object, /) -> None:
        """Keep the first."""
        with suppress(InvalidStateError):
            self.future.set_result(answer)

    def now_or_late(self, name: str, within: float) -> Any:
        """The answer if there is one; what comes later is dropped."""
        self.refuse("late", lateness(name, within))
        return self.future.result()
