"""What runs messages: a pykka actor on a mailbox of ours, with a clock on it."""

from __future__ import annotations

import sys
import threading
from bisect import bisect
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pykka

from actors.kernel.edges import here
from actors.kernel.hooks import BOUNDS, Meters
from actors.kernel.mailbox import Mailbox, Post, Share
from actors.kernel.me import Actor
from actors.kernel.supervision import State
from messages.correlation import TRACE, shared

if TYPE_CHECKING:
    from actors.kernel.system import System

IDLE: Final = float("inf")


class Runner(pykka.ThreadingActor):
    """Takes posts off its inbox, one after the other, and measures them.

    `crashed` are the meters of messages whose handler raised; `incarnations` counts how often its actor was built.
    """

    use_daemon_thread = True  # System.stop drains; what hangs must not keep the process alive

    def __init__(self, name: str, inbox: Mailbox | Share, system: System) -> None:
        super().__init__()
        self.actor_inbox: Any = inbox
        self.name, self.inbox, self.system, self.incarnations = name, inbox, system, 0
        self.meters, self.crashed, self.ended, self.began = Meters(), Meters(), Future[None](), IDLE
        self._monotonic, self._spans, self._opened = system.clock.monotonic, system.hooks.spans, list[Any]()

    _create_actor_inbox = staticmethod(Mailbox)

    def on_start(self) -> None:
        """Make the thread known by name, and keep it from waiting."""
        threading.current_thread().name = here.role = self.name

    def _handle_receive(self, message: Any) -> Any:
        # Overridden since pykka would first ask of each message whether it is one of four of its own: 0.3 µs.
        if type(post := self.inbox.current) is Post:
            self.handle(post)
            return None
        return super()._handle_receive(message)

    def handle(self, post: Post) -> None:
        """Have one post handled; whatever its handler raises stays here."""
        raise NotImplementedError

    def measured(self, actor: Actor[Any], post: Post) -> None:
        """Let the actor handle it, in the sender's context, between two looks at the clock."""
        self.began, spans, meters = (began := self._monotonic()), self._spans, self.crashed
        if spans and (trace := post.context.get(TRACE)) and trace.sampled is not False and spans.takes(trace):
            spans.begin(self._opened, self.name, (post,))
        try:
            post.context.run(actor.on_receive, post.message)
            meters = self.meters
        finally:
            if self._opened and spans:
                spans.end(self._opened, sys.exc_info()[0])
            meter = meters[type(post.message)]
            waited, ran = began - post.sent_at, self._monotonic() - began
            meter.waited[bisect(BOUNDS, waited)] += 1
            meter.ran[bisect(BOUNDS, ran)] += 1
            meter.waited_seconds += waited
            meter.ran_seconds += ran
            self.began = IDLE

    def together(self, taken: list[Post]) -> list[Any]:
        """The messages that are handled together with the one at hand, whose meter tells how long they ran."""
        if self._spans:
            self._spans.begin(self._opened, self.name, taken)
        TRACE.set(shared((TRACE.get(), *(post.context.get(TRACE) for post in taken))))
        for post in taken:
            meter, waited = self.meters[type(post.message)], self.began - post.sent_at
            meter.waited[bisect(BOUNDS, waited)] += 1
            meter.waited_seconds += waited
        return [post.message for post in taken]

    @property
    def since(self) -> float:
        """When the oldest message was sent that is not done, that at hand included; IDLE if there is none."""
        began, kept = self.began, [post.sent_at for post in list(self.inbox.kept)[:1]]
        return min(*kept, IDLE, IDLE if began == IDLE else getattr(self.inbox.current, "sent_at", 0.0) or began)

    def release(self, actor: Actor[Any] | None) -> None:
        """Let it release what it owns. If it cannot, that is said and takes nobody else down."""
        try:
            getattr(actor, "on_stop", bool)()
        except BaseException as error:
            self.system.hooks.crashed(self.name, error, None)

    def on_failure(self, exception_type: Any, exception_value: BaseException | None, traceback: Any) -> None:
        """The kernel itself, or a hook, raised: nothing can be relied on any more."""
        self.system.fail(f"kernel, in {self.name}: {exception_value!r}")

    def _actor_loop_teardown(self) -> None:
        super()._actor_loop_teardown()
        if not self.ended.done():  # an abandoned one may yet end
            self.ended.set_result(None)

    # How it is run: by its own thread, or by a test's

    def run(self) -> None:
        """What pykka's `start` does after making the actor; ours has to be known before it runs."""
        pykka.ActorRegistry.register(self.actor_ref)
        self._start_actor_loop()

    def forsake(self) -> None:
        """Have a thread that hangs end if it ever can."""
        self.actor_stopped.set()
        pykka.ActorRegistry.unregister(self.actor_ref)

    def able(self) -> bool:
        """Whether a step would find something to do."""
        return self.inbox.able() and not self.actor_stopped.is_set()

    def step(self) -> None:
        """One turn of pykka's loop."""
        envelope = self.inbox.get()
        here.role = self.name
        try:
            self._handle_receive(envelope.message)
        finally:
            here.role = None
        if self.actor_stopped.is_set():
            self._actor_loop_teardown()


@dataclass(frozen=True, slots=True)
class Observed:
    """One actor, seen from outside: what waits in its mailbox, and why it is not ready if it is not.

    `threads` are what runs its messages, by the names with which hooks are called: their figures go on as they do.
    """

    actor: str
    state: State
    waiting: int
    cause: str
    threads: Mapping[str, Runner]
