"""What trading writes, and what is in flight meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from actors.kernel.me import Me
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import ClientId
from messages.correlation import of
from messages.database import Many, Row, Statement, Write
from messages.errors import TroupeError
from messages.trading import Order, OrderState
from storage import orders

COMMIT_WITHIN: Final = 60.0
"""Seconds a write may take."""
Returned = tuple[tuple[Row, ...], ...]


class WriteLost(TroupeError):
    """A write of trading was refused, so what was decided on is not what is on disk."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What a write is about: what is done when it is on disk, and what if not."""

    then: Callable[[Returned], None]
    refused: Callable[[Refused], None]


class Books:
    """Writes for the coordinator, and remembers which orders wait for the disk or for their broker: `busy`.

    Whatever is there counts as if it were on disk already, so that buying power is reserved from the check on.
    """

    def __init__(self, me: Me[Any], writer: Ref[database.Message]) -> None:
        self._me, self._writer = me, writer
        self.busy = dict[ClientId, Order]()

    def write(
        self,
        statements: tuple[Statement | Many, ...],
        then: Callable[[Returned], None] = lambda rows: None,
        refused: Callable[[Refused], None] | None = None,
    ) -> None:
        """Have it committed, and then this done. Without `refused`, what cannot be kept now is found again later."""
        kept = Kept(then, _lost if refused is None else refused)
        self._writer.tell(Write(statements, self._me.reply_to(kept, of=self._writer, within=COMMIT_WITHIN)))

    def keep(
        self,
        order: Order,
        statements: tuple[Statement | Many, ...],
        then: Callable[[], None],
        reply_to: ReplyTo[Any] | None = None,
    ) -> None:
        """The same for one order, which is busy until it is on disk; whoever waits is told if it cannot be."""
        self.end(order, statements, then, _lost if reply_to is None else partial(pass_on, reply_to))

    def end(
        self,
        order: Order,
        statements: tuple[Statement | Many, ...],
        then: Callable[[], None],
        refused: Callable[[Refused], None],
    ) -> None:
        """The same, and this is done if it cannot be."""
        self.busy[order.id] = order

        def kept(_: Returned) -> None:
            self.busy.pop(order.id, None)
            then()

        def not_kept(why: Refused) -> None:
            self.busy.pop(order.id, None)
            refused(why)

        with of(order.correlation_id):
            self.write(statements, kept, not_kept)

    def move(
        self, order: Order, to: OrderState, why: str, then: Callable[[], None], reply_to: ReplyTo[Any] | None = None
    ) -> None:
        """Bring an order to another state."""
        self.keep(order, orders.move(order.id, to, why, self._me.clock.utc()), then, reply_to)


def _lost(refused: Refused) -> None:
    if refused.code != "full":
        raise WriteLost(f"{refused.code}: {refused.sentence}")


def pass_on(reply_to: ReplyTo[Any], refused: Refused) -> None:
    """Whoever waits has the same answer."""
    reply_to.refuse(refused.code, refused.sentence, refused.retry_at)
