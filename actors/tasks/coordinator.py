"""The task coordinator: who may run what, when, and how often."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from actors.kernel.me import Me
from actors.tasks.hands import Hands
from actors.tasks.line import Item, Line, Writing
from actors.tasks.ordering import DAY, decide, next_due, old, refuse
from actors.tasks.terms import SOON, Out, Terms, after_refusal
from actors.tasks.times import Times
from messages import database, tasks
from messages.addresses import Ref, Refused, ReplyTo
from messages.correlation import Trace, shared, within
from messages.database import Committed, Write
from messages.tasks import CancelTask, Done, Drain, Drained, Finished, Lease, Order, Progressed, Run, Submit, Submitted
from storage import task_orders as orders
from storage import tasks as queues
from storage.connections import DatabaseUnusable, Reader
from storage.payloads import NAMES, Undecodable, Unencodable, decode_work

COMMIT_WITHIN: Final = 60.0
"""Seconds a write may take; after that the disk is as good as gone, and the desk stops and says so."""
WAITING: Final = 1_000
"""What may wait for the write that is under way; whoever submits beyond that is told that it is too much."""
NOTED: Final = 1.0
"""Seconds between two writes of how far one task is."""


class WriteLost(RuntimeError):
    """The writer has not kept what the queues rely on; the desk starts anew from what is on disk."""


@dataclass(frozen=True, slots=True)
class _Wake:
    """Some task that waited for its time, UTC in microseconds, is due."""

    due: int


@dataclass(frozen=True, slots=True)
class _Again:
    """The writer's mailbox was full a moment ago."""


@dataclass(frozen=True, slots=True)
class _Prune:
    """Do away with what has ended long ago."""


Message = tasks.Message | _Wake | _Again | _Prune


class TaskCoordinator:
    """Owns the queues. They are in the database; in memory is only what is in flight.

    One write is under way at a time, and what comes meanwhile goes with the next: so many ends, submissions and claims
    are one commit, and whatever is decided on is on disk. Each write claims as many tasks as there are hands for, so
    that completion and the next claim are one commit. Of the tasks that need Claude at most two are leased.
    """

    def __init__(
        self,
        me: Me[Message],
        writer: Ref[database.Message],
        work: Mapping[type[tasks.Work], Terms],
        read: Reader,
        hands: tuple[int, int],
        chance: Callable[[], float],
        keep_days: int,
        times: Times | None = None,
    ) -> None:
        self._me, self._writer, self._work, self._read = me, writer, work, read
        self._chance, self._keep_days = chance, keep_days
        self._hands, self._times = Hands(hands), times or Times()
        self._leased, self._line = dict[Lease, Out](), Line[Order | _Prune](self._decided)
        # Given up is what was cancelled, so that the one answer that still comes is nobody's.
        self._given_up, self._paused, self._full = set[Lease](), set[str](), False
        self._writing: Writing | None = None
        self._wake: int | None = None
        self._drain: ReplyTo[Drained | Refused] | None = None

    def on_start(self) -> None:
        """Queue what was leased when the last run ended, and begin."""
        self._paused = orders.paused(self._read)
        limits = {NAMES[kind][0]: terms.attempts for kind, terms in self._work.items()}
        self._line.add(Item(queues.recover(limits, self._now()), then=self._look_when))
        self._order(_Prune())

    def on_receive(self, message: Message) -> None:
        """The whole protocol."""
        match message:
            case Submit():
                self._submit(message)
            case Finished():
                self._finish(message)
            case Progressed():
                self._note(message)
            case CancelTask() | tasks.Pause() | tasks.Resume() | tasks.Requeue() | _Prune():
                self._order(message)
            case Committed(Writing() as writing, rows):
                self._committed(writing, rows)
            case Refused(Lease() as lease):
                self._give_back(lease, message)
            case Refused(Writing() as writing):
                self._refused(writing, message)
            case _Wake(due):
                self._ripen(due)
            case _Again():
                self._full = False
                self._flush()
            case Drain():
                self._drain = message.reply_to
                self._flush()
            case Committed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    # What comes in

    def _submit(self, submit: Submit) -> None:
        if len(self._line) >= WAITING:
            submit.reply_to.refuse("full", f"{self._me.name} has no room for it")
            return
        now = self._now()
        try:
            kept = tuple(queues.keep(task, submit.correlation_id, now) for task in submit.tasks)
        except Unencodable as error:
            submit.reply_to.refuse("invalid", str(error))
        else:
            frees = not self._paused.issuperset(task.queue for task in submit.tasks)
            self._want(Item(submit=submit, kept=kept, frees=frees))

    def _finish(self, finished: Finished) -> None:
        if (out := self._end(finished.lease, "done")) is not None:
            about, now = out.run.correlation_id, self._now()
            self._want(Item(finished=finished, kept=tuple(queues.keep(t, about, now) for t in finished.follow_ups)))

    def _give_back(self, lease: Lease, refused: Refused) -> None:
        if (out := self._end(lease)) is not None:
            outcome, statements, due = after_refusal(out.terms, lease, refused, self._now(), self._chance)
            self._times.ended(lease, outcome, self._now())
            self._wake_at(due)
            self._want(Item(statements))

    def _end(self, lease: Lease, outcome: str | None = None) -> Out | None:
        """Its hand is free. None where a person has cancelled it."""
        if lease in self._given_up:
            self._given_up.remove(lease)
            return None
        out = self._leased.pop(lease)
        self._hands.end(out.kind)
        if outcome is not None:
            self._times.ended(lease, outcome, self._now())
        return out

    def _ripen(self, due: int) -> None:
        if due == self._wake:
            self._wake = None
            self._want(Item((queues.ripen(self._now()),), then=self._look_when))

    def _note(self, told: Progressed) -> None:
        out, now = self._leased.get(told.lease), self._me.clock.monotonic()
        if out is not None and now >= out.noted + NOTED and told.share == told.share:  # not a number is no share
            out.noted = now
            self._want(Item((queues.note(told.lease, min(max(told.share, 0.0), 1.0)),), frees=False))

    # What goes to the writer

    def _want(self, item: Item) -> None:
        self._line.add(item)
        self._flush()

    def _order(self, order: Order | _Prune) -> None:
        self._line.order(order)
        self._flush()

    def _flush(self) -> None:
        """Send what waits, unless a write is on its way."""
        while self._writing is None and not self._full and (self._line or self._idle):
            if (items := self._line.take()) or self._idle:
                self._send(items)
        if self._drain is not None and not (self._leased or self._line or self._writing):
            self._drain.tell(Drained())

    @property
    def _idle(self) -> bool:
        return self._drain is None and self._hands.idle

    def _send(self, items: tuple[Item, ...]) -> None:
        if any(item.frees for item in items):
            self._hands.look_again()
        self._writing = writing = Writing(items, () if self._drain else tuple(self._hands.take(self._paused)))
        with within(shared(item.trace for item in items)):
            reply_to = self._me.reply_to(writing, of=self._writer, within=COMMIT_WITHIN)
            self._writer.tell(Write(writing.statements(self._now()), reply_to))

    # What comes back

    def _committed(self, writing: Writing, rows: tuple[tuple[database.Row, ...], ...]) -> None:
        self._writing = None
        started = self._claimed(writing, rows)
        for item in writing.items:
            if item.then is not None:
                item.then()
        self._flush()  # first of all, so that the disk has something to do meanwhile
        for item in writing.items:
            if item.submit is not None:
                item.submit.reply_to.tell(Submitted(item.submit.correlation_id))
        for out in started:
            if out.run.lease in self._leased:  # or else a person has just cancelled it
                with within(out.trace):
                    out.terms.ref.tell(out.run)

    def _claimed(self, writing: Writing, rows: tuple[tuple[database.Row, ...], ...]) -> list[Out]:
        started, returned = list[Out](), rows[len(rows) - len(writing.claims) :]
        for claim, each in zip(writing.claims, returned, strict=True):
            found = queues.claimed(each, claim.turns)
            self._hands.filled(claim, found)
            started += self._leases(found, claim.kind)
        return started

    def _leases(self, found: Iterable[queues.Claimed], kind: int) -> Iterable[Out]:
        for task in found:
            try:
                work = decode_work(task.type, task.version, task.payload)
            except Undecodable as error:
                self._hands.end(kind)
                self._line.add(Item(queues.bury(task.lease, str(error), self._now())))
                continue
            terms, trace = self._work[type(work)], Trace(task.correlation_id, nests=True)
            with within(trace):
                reply_to = self._me.reply_to(task.lease, of=terms.ref, within=terms.within)
            run = Run(task.lease, work, task.correlation_id, reply_to)
            self._leased[task.lease] = out = Out(run, trace, terms, kind)
            self._times.leased(task, self._now())
            yield out

    def _refused(self, writing: Writing, refused: Refused) -> None:
        self._writing = None
        self._hands.give_back(writing.claims)
        if refused.code == "full":
            self._no_room(writing, refused)
        elif refused.code != "statement":
            raise WriteLost(f"{refused.code}: {refused.sentence}")
        elif len(writing.items) > 1:
            self._line.put_back(writing.items, singly=True)
        else:
            self._not_kept(writing.items[0] if writing.items else Item(), refused.sentence)
        self._flush()

    def _not_kept(self, item: Item, sentence: str) -> None:
        """One alone was refused, so it is its own fault."""
        if item.submit is not None:
            why = queues.why_not(self._read, item.kept, sentence)
            item.submit.reply_to.refuse("invalid", f"these tasks cannot be kept: {why}")
        elif item.finished is not None:
            why = f"statement: its effects cannot be kept ({sentence})"
            self._line.put_back([Item(queues.bury(item.finished.lease, why, self._now()))])
        else:
            raise WriteLost(f"statement: {sentence}")

    def _no_room(self, writing: Writing, refused: Refused) -> None:
        """What is ours to keep is sent again, as often as it takes; whoever submits is to know that it is too much."""
        self._full = True
        self._me.after(SOON, _Again())
        for item in writing.items:
            if item.submit is not None:
                item.submit.reply_to.refuse(refused.code, refused.sentence)
        self._line.put_back([item for item in writing.items if item.submit is None])

    # What a person orders

    def _decided(self, order: Order | _Prune) -> Item | None:
        """What has to be written for it; None where it is refused, or has to wait for what comes before."""
        if isinstance(order, _Prune):
            return self._prune()
        try:
            if isinstance(order, CancelTask):
                return self._cancel(order)
            statement, said = decide(order, self._read, self._now(), self._paused)
        except (orders.NotAllowed, DatabaseUnusable) as error:
            refuse(order, error)
            return None
        return Item((statement,), then=lambda: order.reply_to.tell(Done(said)))

    def _cancel(self, order: CancelTask) -> Item | None:
        row, statements = orders.cancel(self._read, order.task, self._now())
        lease, done = Lease(row.id, row.attempts), Done(f"task {row.id} is cancelled")
        if row.state == "queued":
            return Item(statements, then=lambda: order.reply_to.tell(done))
        if lease not in self._leased:  # its end waits to be written
            self._line.order(order)
            return None
        out = self._leased[lease]
        self._end(lease, "cancelled")
        self._given_up.add(lease)

        def stop() -> None:
            out.run.reply_to.refuse("cancelled", "a person has cancelled it")
            if out.terms.gives_up is not None:
                out.terms.gives_up.tell(tasks.GiveUp(lease))
            order.reply_to.tell(done)

        return Item(statements, then=stop)

    def _prune(self) -> Item | None:
        """A little at a time; what is left is for the next one, and what comes to be is for the next day."""
        ids, again = old(self._read, self._now() - round(self._keep_days * DAY * 1e6))
        self._me.after(again, _Prune())
        return Item(orders.prune(ids), frees=False) if ids else None

    # When

    def _look_when(self) -> None:
        self._wake_at(next_due(self._read, self._now()))

    def _wake_at(self, due: int | None) -> None:
        if due is not None and (self._wake is None or due < self._wake):
            self._wake = due
            self._me.after(max(0.0, (due - self._now()) / 1e6), _Wake(due))

    def _now(self) -> int:
        return self._me.clock.utc()
