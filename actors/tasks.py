"""The task coordinator: who may run what, when, and how often."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from actors.kernel.me import Me
from messages import database, tasks
from messages.addresses import Ref, Refused, ReplyTo
from messages.database import Committed, Statement, Write
from messages.tasks import Drain, Drained, Finished, Lease, Run, Submit, Submitted, Work
from storage import tasks as queues
from storage.connections import Reader
from storage.payloads import Undecodable, decode_work

ATTEMPTS: Final = 4
"""How often a task may be tried: fewer times than an actor may crash, so that a poisoned task dies before it does."""
BACK_OFF: Final = 1.0
"""Seconds before the second attempt, doubled for each later one, times one to two by chance."""
FULL_AGAIN: Final = 0.1
"""Seconds after which something is tried again that a full mailbox refused."""
COMMIT_WITHIN: Final = 60.0
"""Seconds a write may take; after that the disk is as good as gone, and the desk stops and says so."""
NO_FAULT: Final = frozenset({"full", "down"})
"""Codes of refusals that cost no attempt. Who is down and does not say until when has stopped, and so will the desk."""
FINAL: Final = frozenset({"invalid", "statement"})
"""Codes of refusals that trying again cannot mend."""


class WriteLost(RuntimeError):
    """The writer has not kept what the queues rely on; the desk starts anew from what is on disk."""


@dataclass(frozen=True, slots=True)
class _Wake:
    """Some task that waited for its time, UTC in microseconds, is due."""

    due: int


@dataclass(frozen=True, slots=True, eq=False)
class _Writing:
    """A write on its way: whom it serves, and how many tasks it claims besides, without and with need of Claude."""

    statements: tuple[Statement, ...]
    claims: tuple[int, int]
    submit: Submit | None = None
    finished: Finished | None = None


@dataclass(frozen=True, slots=True)
class _Again:
    """A write found the writer's mailbox full. Its claims were given back: others may have been quicker meanwhile."""

    writing: _Writing


Message = tasks.Message | _Wake | _Again


class TaskCoordinator:
    """Owns the queues. They are in the database; in memory is only what is in flight.

    Every write that may set a task free claims in the same transaction as many as there are hands for, so that
    completion and the next claim are one commit. Of the tasks that need Claude at most two are leased.
    """

    def __init__(
        self,
        me: Me[Message],
        writer: Ref[database.Message],
        work: Mapping[type[Work], tuple[Ref[Run], float]],
        read: Reader,
        hands: tuple[int, int],
        chance: Callable[[], float],
    ) -> None:
        self._me, self._writer, self._work, self._read = me, writer, work, read
        self._chance = chance
        self._free = list(hands)  # without and with need of Claude: neither leased nor claimed
        self._leased = dict[Lease, int]()  # which of the two each lease holds
        self._behind = [False, False]  # a write set tasks free when there were no hands left to claim them for
        self._writing = 0
        self._wakes = set[int]()  # when timers go off: since each looks for the next time, twice would become often
        self._drain: ReplyTo[Drained | Refused] | None = None

    def on_start(self) -> None:
        """Queue what was leased when the last run ended, and begin."""
        self._write(queues.recover(ATTEMPTS, self._now()))
        self._wake_at(queues.next_due(self._read, self._now()))

    def on_receive(self, message: Message) -> None:
        """The whole protocol."""
        match message:
            case Submit():
                self._submit(message)
            case Finished():
                self._finish(message)
            case Committed(_Writing() as writing, rows):
                self._committed(writing, rows)
            case Refused(Lease() as lease):
                self._give_back(lease, message)
            case Refused(_Writing() as writing):
                self._refused(writing, message)
            case _Wake(due):
                self._wake(due)
            case _Again(writing):
                self._write_again(writing)
            case Drain():
                self._stop_leasing(message)
            case Committed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    # What comes in

    def _submit(self, submit: Submit) -> None:
        self._write(queues.submit(submit.tasks, submit.correlation_id, self._now()), submit=submit)

    def _finish(self, finished: Finished) -> None:
        self._settle(finished.lease, (*finished.effects, *queues.complete(finished.lease, self._now())), finished)

    def _give_back(self, lease: Lease, refused: Refused) -> None:
        """It could not be done: gated, to be tried again, or dead."""
        why = f"{refused.code}: {refused.sentence}"
        if refused.retry_at is not None or refused.code in NO_FAULT:
            soonest = self._now() + round(FULL_AGAIN * 1e6)  # who is down may be asked again before it is back
            due = max(refused.retry_at or 0, soonest)
            self._settle(lease, queues.gate(lease, due, why))
            self._wake_at(due)
        elif refused.code in FINAL or lease.attempt >= ATTEMPTS:
            self._settle(lease, queues.bury(lease, why, self._now()))
        else:
            wait = BACK_OFF * 2.0 ** (lease.attempt - 1) * (1.0 + self._chance())
            due = self._now() + round(wait * 1e6)
            self._settle(lease, queues.retry(lease, due, why))
            self._wake_at(due)

    def _wake(self, due: int) -> None:
        self._wakes.discard(due)
        self._wake_at(queues.next_due(self._read, self._now()))
        self._behind = [True, True]  # until claimed for: a claim that is under way looks for what was due when it left
        self._write(())

    def _stop_leasing(self, drain: Drain) -> None:
        self._drain = drain.reply_to
        self._drained()

    # What goes to the writer, and what comes back

    def _settle(self, lease: Lease, statements: tuple[Statement, ...], finished: Finished | None = None) -> None:
        self._free[self._leased.pop(lease)] += 1
        self._write(statements, finished=finished)

    def _write(
        self, statements: tuple[Statement, ...], submit: Submit | None = None, finished: Finished | None = None
    ) -> None:
        claims = (0, 0) if self._drain else (self._free[0], self._free[1])
        for needs_claude, limit in enumerate(claims):
            self._behind[needs_claude] = not limit and (bool(statements) or self._behind[needs_claude])
            self._free[needs_claude] -= limit
        if statements or any(claims):
            self._writing += 1
            self._send(_Writing(statements, claims, submit, finished))

    def _send(self, writing: _Writing) -> None:
        now = self._now()
        claims = tuple(
            queues.claim(limit, now, requires_claude=bool(needs_claude))
            for needs_claude, limit in enumerate(writing.claims)
            if limit
        )
        reply_to = self._me.reply_to(writing, of=self._writer, within=COMMIT_WITHIN)
        self._writer.tell(Write((*writing.statements, *claims), reply_to))

    def _write_again(self, writing: _Writing) -> None:
        self._writing -= 1
        self._write(writing.statements, finished=writing.finished)
        self._drained()

    def _committed(self, writing: _Writing, rows: tuple[tuple[database.Row, ...], ...]) -> None:
        self._writing -= 1
        if writing.submit is not None:
            writing.submit.reply_to.tell(Submitted(writing.submit.correlation_id))
        self._start_claimed(writing, rows)
        if not self._drain and any(behind and free for behind, free in zip(self._behind, self._free, strict=True)):
            self._write(())
        self._drained()

    def _start_claimed(self, writing: _Writing, rows: tuple[tuple[database.Row, ...], ...]) -> None:
        returned = list(rows[len(rows) - sum(map(bool, writing.claims)) :])
        for needs_claude, limit in enumerate(writing.claims):
            if limit:
                found = queues.claimed(returned.pop(0))
                self._free[needs_claude] += limit - len(found)
                for task in found:
                    self._leased[task.lease] = needs_claude
                    self._start(task)

    def _refused(self, writing: _Writing, refused: Refused) -> None:
        for needs_claude, limit in enumerate(writing.claims):
            self._free[needs_claude] += limit
        if refused.code == "full":
            self._no_room(writing, refused)
            return
        if refused.code != "statement" or not (writing.submit or writing.finished):
            raise WriteLost(f"{refused.code}: {refused.sentence}")
        self._writing -= 1
        if writing.submit is not None:
            why = f"these tasks cannot be kept ({refused.sentence}); what they need must exist"
            writing.submit.reply_to.refuse("invalid", why)
            self._write(())
        elif writing.finished is not None:
            lease = writing.finished.lease
            why = f"{refused.code}: its effects cannot be kept ({refused.sentence})"
            self._write(queues.bury(lease, why, self._now()))
        self._drained()

    def _no_room(self, writing: _Writing, refused: Refused) -> None:
        """What is ours to keep is sent again, as often as it takes; whoever submits is to know that it is too much."""
        if writing.statements and writing.submit is None:
            self._me.after(FULL_AGAIN, _Again(writing))
            return
        self._writing -= 1
        if writing.submit is not None:
            writing.submit.reply_to.refuse(refused.code, refused.sentence)
        step = round(FULL_AGAIN * 1e6)
        self._wake_at((self._now() // step + 1) * step)  # on a grid, so that many refusals are one wake
        self._drained()

    # What goes out

    def _start(self, task: queues.Claimed) -> None:
        try:
            work = decode_work(task.type, task.version, task.payload)
        except Undecodable as error:
            self._settle(task.lease, queues.bury(task.lease, str(error), self._now()))
            return
        ref, within = self._work[type(work)]
        reply_to = self._me.reply_to(task.lease, of=ref, within=within)
        ref.tell(Run(task.lease, work, task.correlation_id, reply_to))

    def _drained(self) -> None:
        if self._drain is not None and not self._leased and not self._writing:
            self._drain.tell(Drained())

    def _wake_at(self, due: int | None) -> None:
        if due is not None and due not in self._wakes:
            self._wakes.add(due)
            self._me.after(max(0.0, (due - self._now()) / 1e6), _Wake(due))

    def _now(self) -> int:
        return self._me.clock.utc()
