"""What an edge needs of a running desk: to ask its actors, and to read its database."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from actors.kernel.system import System
from messages import claude, market, tasks, trading
from messages.addresses import Ref, Refused, ReplyTo
from messages.claude import Asking
from messages.correlation import TRACE, Trace, within
from messages.errors import TroupeError
from messages.tasks import NewTask, Submit, Submitted
from messages.values import CorrelationId
from storage.connections import Operations, Reader
from storage.tasks import by_key

M = TypeVar("M")
R = TypeVar("R")
ANSWER_WITHIN = 60.0
"""Seconds an edge waits for one answer."""


def click() -> within:
    """`with click():` what is asked there begins a trace, unless there is one."""
    return within(TRACE.get() or Trace(CorrelationId(secrets.token_hex(16)), begins=True))


class DeskRefused(TroupeError):
    """The desk has answered that it will not, and why."""

    def __init__(self, refused: Refused) -> None:
        self.code = refused.code
        """The kernel's full, down, late or crashed, or the actor's own."""
        super().__init__(refused.sentence)


class DeskFailed(TroupeError):
    """The desk is stopping, for this reason; what was committed is kept."""


@dataclass(frozen=True, slots=True)
class Access:
    """Handed to the console and to the command line; `prices` is sample or csv, `watch` what a person has named.

    `asking` says how Claude is asked, and for how much; `operations` how the writer is,
    `backups` how many of them are kept, `broker` where orders go, `calendar` when the market is open, None on sample
    prices; `real_money` is the account if that is what is traded; `halted` says why nothing is sent whatever is stored:
    the file HALT is there, real money is not confirmed, or nothing can be committed.
    """

    system: System
    tasks: Ref[tasks.Request]
    trading: Ref[trading.Request]
    source: Ref[market.Resolve]
    claude: Ref[claude.Message]
    read: Reader
    prices: str
    currency: str
    watch: tuple[str, ...]
    asking: Asking
    operations: Operations = field(default_factory=Operations)
    backups: int = 7
    broker: str = "paper"
    calendar: str | None = None
    real_money: str | None = None
    halted: Callable[[], str | None] = lambda: None

    def ask(self, _kind: type[R], ref: Ref[M], make: Callable[[ReplyTo[R | Refused]], M]) -> R:
        """Tell `make(reply_to)` and wait for an answer of this kind. Raises DeskRefused."""
        with click():
            answer: R | Refused = self.system.ask(ref, make, within=ANSWER_WITHIN)
        if isinstance(answer, Refused):  # pyright: ignore[reportUnnecessaryIsInstance]  # it solves R too narrowly
            raise DeskRefused(answer)
        return answer

    def submit(self, new: Sequence[NewTask], correlation_id: CorrelationId) -> None:
        """Have these tasks kept; what was kept before goes on. Raises DeskRefused."""
        with within(Trace(correlation_id, begins=by_key(self.read, new[0].key) is None)):
            self.ask(Submitted, self.tasks, lambda reply_to: Submit(tuple(new), correlation_id, reply_to))

    def pause(self, seconds: float) -> None:
        """Wait a little. Raises DeskFailed if the desk is about to stop."""
        self.system.wait(seconds, self.system.failed)
        if self.system.failed.done():
            raise DeskFailed(f"the desk has stopped: {self.system.failed.result()}")
