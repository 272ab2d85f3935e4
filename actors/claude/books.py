"""What the gateway has on its way to the writer, and the breaker, whose every state is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from actors.domain import breaker as rules
from actors.domain.breaker import Admission, Breaker
from actors.kernel.me import Me
from messages import database
from messages.addresses import Ref, Refused
from messages.claude import Answered, BreakerChanged, Cause, Failed
from messages.correlation import TRACE, Trace, shared, within
from messages.database import Row, Statement, Write
from storage import breaker
from storage.connections import Reader

COMMIT_WITHIN: Final = 60.0
"""Seconds a write may take."""
FULL_AGAIN: Final = 0.1
"""Seconds after which a write is sent again that found the writer's mailbox full."""


Rows = tuple[tuple[Row, ...], ...]
Kept = Callable[[Rows], None]
"""What is done with the rows that a write returned, once it is on disk."""


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """What is on its way to the writer together, and what is done with each part of it once it is on disk."""

    parts: tuple[tuple[tuple[Statement, ...], Kept | None, Trace | None], ...]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Of all parts, in order."""
        return tuple(statement for statements, _, _ in self.parts for statement in statements)


@dataclass(frozen=True, slots=True)
class Again:
    """There may be room by now."""


class WriteLost(RuntimeError):
    """The writer has not kept what was spent; this incarnation ends, and the next reads what is on disk."""


class Books:
    """Sends writes, and acts when they are committed.

    One is on its way at a time, and what comes meanwhile goes together with the next: sent side by side, one for
    which there is no room would be overtaken by those after it, a reservation by its own settlement.
    """

    def __init__(self, me: Me[Any], writer: Ref[database.Message]) -> None:
        self._me, self._writer = me, writer
        self._waiting = list[tuple[tuple[Statement, ...], Kept | None, Trace | None]]()
        self._under_way = False

    def write(self, statements: tuple[Statement, ...], then: Kept | None = None) -> None:
        """Keep these together, and then act."""
        self._waiting.append((statements, then, TRACE.get()))
        if not self._under_way:
            self.send_waiting()

    def send_waiting(self) -> None:
        """Send all that waits, once more what found no room."""
        writing, self._waiting, self._under_way = Writing(tuple(self._waiting)), [], bool(self._waiting)
        if self._under_way:
            with within(shared(trace for _, _, trace in writing.parts)):
                reply_to = self._me.reply_to(writing, of=self._writer, within=COMMIT_WITHIN)
                self._writer.tell(Write(writing.statements, reply_to))

    def committed(self, writing: Writing, rows: Rows) -> None:
        """It is on disk."""
        begin = 0
        for statements, then, trace in writing.parts:
            end = begin + len(statements)
            if then is not None:
                with within(trace):
                    then(rows[begin:end])
            begin = end
        self.send_waiting()

    def refused(self, writing: Writing, refused: Refused) -> None:
        """It is not. Raises WriteLost, unless there was just no room for it."""
        if refused.code != "full":
            raise WriteLost(f"{refused.code}: {refused.sentence}")
        self._waiting = [*writing.parts, *self._waiting]
        self._me.after(FULL_AGAIN, Again())


class Fuse:
    """The breaker of domain.breaker, with its states on disk and its transitions published."""

    def __init__(self, me: Me[Any], read: Reader, books: Books) -> None:
        self._me, self._books, row = me, books, breaker.latest(read)
        self._now: Callable[[], int] = me.clock.utc
        before = Breaker(row.state, row.failures, row.cause, row.sentence, row.retry_at) if row else Breaker()
        self._is, self._probe = rules.recovered(before, self._now()), object()

    @property
    def sentence(self) -> str:
        """Why nobody is let through."""
        return f"Claude is not asked for now ({self._is.cause}): {self._is.sentence}"

    def admits(self, turn: object = None) -> Admission:
        """See domain.breaker; the probe itself, which may need another program, is let through again."""
        return Admission("go") if self._is_probe(turn) else rules.admits(self._is, self._now())

    def probe(self, turn: object) -> None:
        """This question is let through, and decides, for as long as nothing else has."""
        self._probe = turn
        self.keep(rules.probing(self._is))

    def reset(self, then: Kept) -> None:
        """A person says that it may close."""
        self.keep(rules.reset(), then=then)

    def after(
        self, turn: object, cause: Cause | None, answer: Answered | Failed, settled: Statement, then: Kept
    ) -> None:
        """A question has ended so; keep what it cost together with what that makes of the breaker."""
        probe = self._is_probe(turn)
        retry_at, sentence = (answer.retry_at, answer.sentence) if isinstance(answer, Failed) else (None, "")
        self.keep(rules.after(self._is, cause, self._now(), retry_at, sentence, probe=probe), settled, then=then)

    def keep(self, after: Breaker, *others: Statement, then: Kept | None = None) -> None:
        """Be in this state, and keep it; whoever listens is told once it is on disk."""
        before, self._is = self._is, after
        row = after.state, after.failures, after.cause, after.sentence, after.retry_at
        kept = () if before == after else (breaker.insert(*row, self._now()),)
        changed = BreakerChanged(after.state, after.cause, after.sentence, after.retry_at)

        def act(rows: Rows) -> None:
            if then is not None:
                then(rows)
            if before.state != after.state:
                self._me.publish(changed)

        self._books.write((*others, *kept), act)

    def _is_probe(self, turn: object) -> bool:
        """One that was let through before somebody else closed the breaker has no say in a later half-open."""
        return self._is.state == "half_open" and turn is self._probe
