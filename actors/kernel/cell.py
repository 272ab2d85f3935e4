"""A cell houses one actor: mailbox and address outlive every incarnation of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.kernel.edges import Promise, lateness
from actors.kernel.mailbox import KERNEL, Mailbox, Post
from actors.kernel.me import Actor, Me
from actors.kernel.runner import IDLE, Runner
from actors.kernel.supervision import BACK_OFF, RETRY, Policy, Restarts, State
from messages.addresses import Down, Refused, ReplyTo, request
from messages.errors import sentence

if TYPE_CHECKING:
    from actors.kernel.system import System

T = TypeVar("T")
SETTLE_WITHIN: Final = 60.0
"""Seconds after which a rebuilt actor asks the writer once more whether all is settled."""


class Cell(Runner):
    """Takes posts off the mailbox; keeps requests and events while its actor is not ready."""

    def __init__(
        self, name: str, build: Callable[[Me[Any]], Actor[Any]], policy: Policy, capacity: int, system: System
    ) -> None:
        self.mailbox = Mailbox()
        super().__init__(name, self.mailbox, system)
        self.mailbox.bury = self._bury
        self.state, self.cause, self.retry_at, self.ready = State.STARTING, "", 0, Future[None]()
        self.error: BaseException | None = None
        self._build, self._restarts = build, Restarts(policy)
        self._capacity, self._capacity_for_events = capacity, capacity // 2
        self._me: Me[Any] | None = None
        self._actor: Actor[Any] | None = None
        self._owed, self._sweep_at = list[ReplyTo[Any]](), 64
        self.runners, self.ends = (self,), (self.ended,)
        self.call(self._boot)

    # On anyone's thread

    def deliver(self, message: Any, /) -> bool:
        """Take a message unless there are too many; of events half as many as of requests."""
        waiting = (mailbox := self.mailbox).qsize() + len(mailbox.kept)
        if room := waiting < self._capacity_for_events or (waiting < self._capacity and request(message) is not None):
            mailbox.put(Post(message, copy_context(), self._monotonic()))
        else:
            self.system.bury(self.name, message, "full")
        return room

    def call(self, action: Callable[[], None]) -> None:
        """Have the kernel's own `action` run on the cell's thread."""
        self.mailbox.put(Post(action, Context(), 0.0, KERNEL))

    # On the cell's own thread: one post after the other

    def handle(self, post: Post) -> None:
        """See Runner."""
        try:
            if post.owner is None:
                if self._actor is None:
                    (self._bury if self.state is State.DOWN else self.mailbox.kept.append)(post)
                else:
                    self.measured(self._actor, post)
                    if (reply_to := request(post.message)) is not None and not reply_to.told:
                        self._owe(reply_to)
            elif post.owner is KERNEL:
                self.began = self._monotonic()  # on_start may hang, too
                post.message()
                self.began = IDLE
            elif self._actor is not None and post.owner is self._me and (post.slot is None or post.slot.close()):
                self.measured(self._actor, post)
            else:
                self.system.bury(self.name, post.message, "void")
        except BaseException as error:  # SystemExit too is a crash of this actor, and of it alone
            self.crash(error, post)

    def _owe(self, *asked: ReplyTo[Any]) -> None:
        self._owed.extend(asked)
        if len(self._owed) > self._sweep_at:
            self._owed = [owed for owed in self._owed if not owed.told]
            self._sweep_at = 64 + 2 * len(self._owed)

    def take_waiting(self, kind: type[T], limit: int) -> list[T]:
        """See Me.take_waiting."""
        taken: list[T] = self.together(self.mailbox.take(kind, limit))
        self._owe(*filter(None, map(request, taken)))
        return taken

    # Birth and death

    def _boot(self) -> None:
        """Build the actor; a rebuilt one only after all it had sent to the writer has settled."""
        if self.state is State.STARTING or self.system.flush is None:
            self._become_ready()
        else:
            settling = Promise()
            settling.future.add_done_callback(lambda done: self.call(lambda: self._settled(done.result())))
            self.system.flush(settling)
            late = partial(settling.refuse, "late", lateness("the writer", SETTLE_WITHIN))
            self.system.scheduler.later(SETTLE_WITHIN, late, lambda: settling.told)

    def _settled(self, answer: object) -> None:
        if isinstance(answer, Refused):
            self.system.scheduler.later(BACK_OFF, lambda: self.call(self._boot))
        else:
            self._become_ready()

    def _become_ready(self) -> None:
        self._me = Me(self)
        self._actor, self.incarnations = self._build(self._me), self.incarnations + 1
        Context().run(getattr(self._actor, "on_start", bool))
        self.state, self.cause, self.error, self.retry_at, self.mailbox.open = State.READY, "", None, 0, True
        if not self.ready.done():
            self.ready.set_result(None)

    def crash(self, error: BaseException, post: Post | None = None) -> None:
        """End this incarnation; what comes next is the policy's affair."""
        if post is not None and (reply_to := request(post.message)) is not None:
            self._owed.append(reply_to)
        self.cause, self.error, self.began = sentence(error), error, IDLE
        retry_in = self._restarts.next(self._monotonic(), down=self.state is State.DOWN)
        if retry_in is None:  # first of all, or whoever is refused now crashes too and is taken for the cause
            self.system.fail(f"{self.name} crashed: {self.cause}")
        self.end_incarnation("crashed", f"{self.name} crashed on it or while it held it: {self.cause}")
        (Context() if post is None else post.context).run(self.system.hooks.crashed, self.name, error, retry_in)
        if retry_in in (None, RETRY):
            self._go_down(retry_in)
        else:
            self.state = State.REBUILDING
        if retry_in is not None:
            self.system.scheduler.later(retry_in, lambda: self.call(self._boot))

    def _go_down(self, retry_in: float | None) -> None:
        new, self.state = self.state is not State.DOWN, State.DOWN
        self.retry_at = self.system.clock.utc() + round(retry_in * 1e6) if retry_in else 0
        self.mailbox.drop_kept()
        if new and retry_in is not None:
            self.system.publish(Down(self.name, self.cause))

    def end_incarnation(self, code: str, why: str) -> None:
        """Void its replies and timers, refuse what it still owes, and let it release what it owns."""
        actor, self._actor, self._me, self.mailbox.open = self._actor, None, None, False
        self._refuse_owed(code, why)
        self.release(actor)

    def _refuse_owed(self, code: str, why: str) -> None:
        owed, self._owed = self._owed, []
        for reply_to in owed:
            reply_to.refuse(code, why)

    def on_stop(self) -> None:
        """The end; pykka calls it in this thread, and then has the mailbox sealed."""
        self.end_incarnation("down", f"{self.name} has stopped")
        self.state, self.retry_at = State.STOPPED, 0

    def on_failure(self, exception_type: Any, exception_value: BaseException | None, traceback: Any) -> None:
        """See Runner; whoever is still owed an answer is told."""
        super().on_failure(exception_type, exception_value, traceback)
        self._refuse_owed("down", f"{self.name} has failed: {exception_value!r}")

    def ask_to_stop(self) -> None:
        """Have what waits handled, and then leave; what is kept for a rebuilt actor is refused."""
        self.call(self._stop)

    def seal(self) -> None:
        """Refuse whatever is left and whatever may come; if it has not ended it hangs, and is abandoned."""
        if not self.ended.done():
            self.state = State.STOPPED
            if self.inbox.current is not None:
                self.forsake()
                if (reply_to := request(self.inbox.current.message)) is not None:
                    self._owed.append(reply_to)
                self._refuse_owed("down", f"{self.name} hangs and was abandoned")
        self.mailbox.empty()

    def _bury(self, envelope: Any) -> None:
        if isinstance(envelope, Post) and envelope.owner is not KERNEL:
            why = "down" if envelope.owner is None else "void"
            self.system.bury(self.name, envelope.message, why, self.retry_at or None)
