"""What the task coordinator is asked, what it has others run, and what comes back."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal, TypeVar

from messages.addresses import Refused, ReplyTo
from messages.database import Committed, Statement
from messages.values import CorrelationId, Symbol

W = TypeVar("W")
Queue = Literal["portfolio", "data", "analysis"]


@dataclass(frozen=True, slots=True)
class RefreshBars:
    """Bring the stored bars of a symbol up to what the source has."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class RefreshCalendar:
    """Work out the sessions of this exchange anew, from a year before this day on, as far as they are known."""

    calendar: str
    day: dt.date


@dataclass(frozen=True, slots=True)
class ValuePortfolio:
    """Value what is held, at the last closes up to this session."""

    as_of: dt.date


@dataclass(frozen=True, slots=True)
class ComputeFacts:
    """Compute the fact sheet of a symbol from what was known at the end of this session."""

    symbol: Symbol
    as_of: dt.date


@dataclass(frozen=True, slots=True)
class Recommend:
    """Draw a recommendation from the fact sheet of the same round.

    With `stand_in` the rules answer in Claude's place where it cannot be asked; `why` says that this was known before.
    """

    symbol: Symbol
    as_of: dt.date
    use_claude: bool
    stand_in: bool = False
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """Copy the database into the home's backups under this name, and keep the newest so many of them."""

    name: str
    keep: int


@dataclass(frozen=True, slots=True)
class StageOrder:
    """Make an order of this decision, if one arises from it, and let it wait for a yes."""

    decision: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare what the broker says of the account with the books, and adopt, correct or halt."""


Work = RefreshBars | RefreshCalendar | ValuePortfolio | ComputeFacts | Recommend | Backup | StageOrder | Reconcile


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to be. `key` says which task it is: submitted again, it is the same one.

    `needs` are keys of tasks that must be done first: existing ones, or such that stand earlier in the same Submit.
    """

    key: str
    queue: Queue
    work: Work
    priority: int = 5
    requires_claude: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Submit:
    """Keep these tasks and have them run. One that is dead gets its attempts anew: a person asked again."""

    tasks: tuple[NewTask, ...]
    correlation_id: CorrelationId
    reply_to: ReplyTo["Submitted | Refused"]


@dataclass(frozen=True, slots=True)
class Submitted:
    """They are on disk."""

    correlation_id: CorrelationId


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a task, once; the next attempt is another lease."""

    task: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Run:
    """Run this task. The answer is Finished, or Refused: with `retry_at` it was gated and costs no attempt."""

    lease: Lease
    work: Work
    correlation_id: CorrelationId
    reply_to: ReplyTo["Finished | Refused"]

    def expect(self, kind: type[W]) -> W:
        """The work, known to be of this kind since the desk sends each kind to one address."""
        if not isinstance(self.work, kind):
            raise TypeError(f"task {self.lease.task}: {type(self.work).__name__} came where {kind.__name__} is run")
        return self.work


@dataclass(frozen=True, slots=True)
class Finished:
    """It is done once these effects are committed, which happens in one transaction with its completion.

    So are the tasks that follow from it, which belong together with it.
    """

    lease: Lease
    effects: tuple[Statement, ...]
    follow_ups: tuple[NewTask, ...] = ()


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far the work is, 0 to 1; shown to whoever looks. Told as often as one likes, kept once a second at most."""

    lease: Lease
    share: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody wants this done any more: a person has cancelled it. Its return address is `told` already."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Pause:
    """Lease nothing of this queue any more, after a restart neither; what is leased goes on."""

    queue: str
    reply_to: ReplyTo["Done | Refused"]


@dataclass(frozen=True, slots=True)
class Resume:
    """Lease from this queue again."""

    queue: str
    reply_to: ReplyTo["Done | Refused"]


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Do not do it, or stop doing it; what needs it is dead then. A blocked one cannot be cancelled."""

    task: int
    reply_to: ReplyTo["Done | Refused"]


@dataclass(frozen=True, slots=True)
class Requeue:
    """Have a dead task run again, with its attempts anew."""

    task: int
    reply_to: ReplyTo["Done | Refused"]


@dataclass(frozen=True, slots=True)
class Done:
    """It is on disk; the sentence says what was done."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Lease nothing any more; the answer comes when nothing is in flight."""

    reply_to: ReplyTo["Drained | Refused"]


@dataclass(frozen=True, slots=True)
class Drained:
    """Nothing is in flight."""


Order = Pause | Resume | CancelTask | Requeue
Request = Submit | Order
Message = Request | Progressed | Drain | Finished | Committed | Refused
