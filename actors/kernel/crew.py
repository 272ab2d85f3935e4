"""A crew: actors without state that share one mailbox, so that whoever is free takes the next message."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from actors.kernel.mailbox import KERNEL, Mailbox, Post, Share
from actors.kernel.me import Actor
from actors.kernel.runner import Runner
from actors.kernel.supervision import State
from messages.addresses import request
from messages.errors import sentence

if TYPE_CHECKING:
    from actors.kernel.system import System


M = TypeVar("M")
Build = Callable[[Callable[[int], list[M]]], Actor[M]]
"""Makes one of the crew, who is handed a way to take up to so many more of the messages that wait."""


class Member(Runner):
    """One of a crew. A crash costs it nothing but the messages it has taken, since there is nothing to rebuild.

    An actor of a crew may have `on_stop()`, as others may: release what is owned, at the end and after a crash.
    """

    def __init__(self, number: int, crew: Crew) -> None:
        super().__init__(f"{crew.name}-{number}", Share(crew.mailbox), crew.system)
        self._crew, self._held, self.incarnations = crew, list[Any](), 1
        self._actor = crew.build(self.take_waiting)

    def handle(self, post: Post) -> None:
        """See Runner."""
        self._held = [post.message]
        try:
            if post.owner is KERNEL:
                self._stop()
            else:
                self.measured(self._actor, post)
        except BaseException as error:
            self.refuse_held("crashed", f"{self.name} crashed on it or while it held it: {sentence(error)}")
            self.release(self._actor)
            self._actor, self.incarnations = self._crew.build(self.take_waiting), self.incarnations + 1
            post.context.run(self.system.hooks.crashed, self.name, error, 0.0)

    def on_stop(self) -> None:
        """The end; pykka calls it in this thread."""
        self.release(self._actor)

    def take_waiting(self, limit: int) -> list[Any]:
        """Up to so many more messages, to be done together; no more than this member's share of what waits."""
        share = self._crew.mailbox.qsize() // len(self._crew.ends)
        taken = self.together(self._crew.mailbox.take(object, min(limit, share)))
        self._held += taken
        return taken

    def refuse_held(self, code: str, why: str) -> None:
        """Tell whoever still waits for an answer of what it has taken."""
        for reply_to in filter(None, map(request, self._held)):
            reply_to.refuse(code, why)


class Crew:
    """So many members, one address; seen from outside like a cell."""

    def __init__(self, name: str, build: Build[Any], size: int, capacity: int, system: System) -> None:
        self.name, self.build, self.system, self.mailbox = name, build, system, Mailbox(shared=True)
        self.mailbox.bury = self._bury
        self.state, self.cause, self.ready = State.READY, "", Future[None]()  # stateless, hence ready
        self.error: BaseException | None = None
        self._capacity = capacity
        self.ready.set_result(None)
        self.runners = [Member(number, self) for number in range(1, size + 1)]
        self.ends = tuple(member.ended for member in self.runners)

    def deliver(self, message: Any, /) -> bool:
        """Take a message unless there are too many."""
        if room := self.mailbox.qsize() < self._capacity:  # a crew's mailbox keeps nothing aside
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
                member.refuse_held("down", f"{member.name} hangs and was abandoned")
        self.mailbox.empty()

    def _bury(self, post: Post) -> None:
        if post.owner is None:
            self.system.bury(self.name, post.message, "down")
