"""A crew: actors without state that share one mailbox, so that whoever is free takes the next message."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from actors.kernel.mailbox import KERNEL, Mailbox, Post, Share
from actors.kernel.me import Actor
from actors.kernel.runner import Runner
from actors.kernel.supervision import State
from messages.addresses import request
from messages.errors import sentence

if TYPE_CHECKING:
    from actors.kernel.system import System


class Member(Runner):
    """One of a crew. A crash costs it nothing but the message, since there is nothing to rebuild."""

    def __init__(self, number: int, crew: Crew) -> None:
        super().__init__(f"{crew.name}-{number}", Share(crew.mailbox), crew.system)
        self._build, self._actor = crew.build, crew.build()

    def handle(self, post: Post) -> None:
        """See Runner."""
        if post.owner is KERNEL:
            self._stop()
            return
        try:
            self.measured(self._actor, post)
        except BaseException as error:
            self._actor = self._build()
            if (reply_to := request(post.message)) is not None:
                reply_to.refuse("crashed", f"{self.name} crashed on it: {sentence(error)}")
            self.system.hooks.crashed(self.name, error, 0.0)


class Crew:
    """So many members, one address; seen from outside like a cell."""

    def __init__(self, name: str, build: Callable[[], Actor[Any]], size: int, capacity: int, system: System) -> None:
        self.name, self.build, self.system, self.mailbox = name, build, system, Mailbox()
        self.mailbox.bury = self._bury
        self.state, self.cause, self.ready = State.READY, "", Future[None]()  # stateless, hence ready
        self.error: BaseException | None = None
        self._capacity = capacity
        self.ready.set_result(None)
        self.runners = [Member(number, self) for number in range(1, size + 1)]
        self.ends = tuple(member.ended for member in self.runners)

    def deliver(self, message: Any, /) -> bool:
        """Take a message unless there are too many."""
        if room := len(self.mailbox) < self._capacity:
            self.mailbox.put(Post(message, copy_context(), self.system.clock.monotonic()))
        else:
            self.system.bury(self.name, message, "full")
        return room

    def ask_to_stop(self) -> None:
        """Have what waits handled, and then everyone leave."""
        for _ in self.runners:
            self.mailbox.put(Post(None, copy_context(), 0.0, KERNEL))

    def seal(self) -> None:
        """Refuse whatever is left and whatever may come; whose member hangs is refused too."""
        self.state = State.STOPPED
        for member in self.runners:
            if not member.ended.done():
                member.forsake()
                if member.inbox.current and (reply_to := request(member.inbox.current.message)) is not None:
                    reply_to.refuse("down", f"{member.name} hangs and was abandoned")
        self.mailbox.empty()

    def _bury(self, post: Post) -> None:
        if post.owner is None:
            self.system.bury(self.name, post.message, "down")
