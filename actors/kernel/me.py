"""The author's side of an actor: what it is handed, and what it has to offer."""

from __future__ import annotations

from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from actors.kernel.edges import lateness
from actors.kernel.mailbox import Post
from messages.addresses import Ref, ReplyTo

if TYPE_CHECKING:
    from actors.kernel.cell import Cell

M_contra = TypeVar("M_contra", contravariant=True)
T = TypeVar("T")


class Return(ReplyTo[Any]):
    """The way back to one incarnation. The first answer wins; who is first is decided in the owner's thread."""

    __slots__ = ("_cell", "_context", "_me", "_open")

    def __init__(self, about: object, cell: Cell, me: Me[Any]) -> None:
        super().__init__(about)
        # The asker's context, not the answerer's: one commit answers many askers.
        self._cell, self._me, self._open, self._context = cell, me, True, copy_context()

    def send(self, answer: object, /) -> None:
        """Post it to the owner, whose mailbox always takes it."""
        self._cell.mailbox.put(Post(answer, self._context, self._cell.system.clock.monotonic(), self._me, self))

    def close(self) -> bool:
        """Whether this was the first answer."""
        first, self._open = self._open, False
        return first


class Me(Generic[M_contra]):
    """An incarnation's own name, clock and ways to be told. All that it set going is void after a crash.

    `publish` tells an event to everyone who is routed to; only what is committed may be said.
    """

    __slots__ = ("_cell", "clock", "name", "publish")

    def __init__(self, cell: Cell) -> None:
        self._cell, self.name, self.clock, self.publish = cell, cell.name, cell.system.clock, cell.system.publish

    def reply_to(self, about: object, *, of: Ref[Any], within: float) -> ReplyTo[M_contra]:
        """A return address for one request to `of`: exactly one message comes, an answer or Refused.

        The type checkers accept it only in requests whose answers this actor's protocol names.
        """
        back = Return(about, self._cell, self)
        refuse = partial(back.refuse, "late", lateness(of.name, within))
        self._cell.system.scheduler.later(within, refuse, lambda: back.told)
        return back

    def after(self, seconds: float, message: M_contra) -> None:
        """Be told this later, in a fresh context: it belongs to no trace. It is always taken."""
        cell, system = self._cell, self._cell.system
        put, now = cell.mailbox.put, system.clock.monotonic
        system.scheduler.later(seconds, lambda: put(Post(message, Context(), now(), self)))

    def take_waiting(self, kind: type[T], limit: int) -> list[T]:
        """Up to so many more messages of this type that stand next in the mailbox, to be done together.

        They are this incarnation's from now on: if it crashes, those not yet answered are refused.
        """
        return self._cell.take_waiting(kind, limit)


class Actor(Protocol[M_contra]):
    """What an actor's author writes, built afresh by `build(me)` after every crash.

    It may have `on_start()`: returning from it means ready. It may have `on_stop()`: release what is
    owned; it ends every incarnation, crashed ones too. Both run in the actor's own thread.
    """

    def on_receive(self, message: M_contra, /) -> None:
        """Handle one message: one `match` that ends in `assert_never`."""
        ...
