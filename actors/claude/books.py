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
    """A write on its way, and what is done once it is on disk."""

    statements: tuple[Statement, ...]
    then: Kept | None


class WriteLost(RuntimeError):
    """The writer has not kept what was spent; this incarnation ends, and the next reads what is on disk."""


class Books:
    """Sends writes, and acts when they are committed."""

    def __init__(self, me: Me[Any], writer: Ref[database.Message]) -> None:
        self._me, self._writer = me, writer

    def write(self, statements: tuple[Statement, ...], then: Kept | None = None) -> None:
        """Keep these together, and then act."""
        self.send(Writing(statements, then))

    def send(self, writing: Writing) -> None:
        """Send it, once more where there was no room for it."""
        self._writer.tell(Write(writing.statements, self._me.reply_to(writing, of=self._writer, within=COMMIT_WITHIN)))

    def committed(self, writing: Writing, rows: Rows) -> None:
        """It is on disk."""
        if writing.then is not None:
            writing.then(rows)

    def refused(self, writing: Writing, refused: Refused) -> None:
        """It is not. Raises WriteLost, unless there was just no room for it."""
        if refused.code != "full":
            raise WriteLost(f"{refused.code}: {refused.sentence}")
        self._me.after(FULL_AGAIN, writing)


class Fuse:
    """The breaker of domain.breaker, with its states on disk and its transitions published."""

    def __init__(self, me: Me[Any], read: Reader, books: Books) -> None:
        self._me, self._books, row = me, books, breaker.latest(read)
        self._now: Callable[[], int] = me.clock.utc
        before = Breaker(row.state, row.failures, row.cause, row.sentence, row.retry_at) if row else Breaker()
        self._is = rules.recovered(before, self._now())

    @property
    def sentence(self) -> str:
        """Why nobody is let through."""
        return f"Claude is not asked for now ({self._is.cause}): {self._is.sentence}"

    def admits(self) -> Admission:
        """See domain.breaker."""
        return rules.admits(self._is, self._now())

    def probe(self) -> None:
        """One question is let through, and decides."""
        self.keep(rules.probing(self._is))

    def reset(self, then: Kept) -> None:
        """A person says that it may close."""
        self.keep(rules.reset(), then=then)

    def after(
        self, cause: Cause | None, answer: Answered | Failed, settled: Statement, then: Kept, *, probe: bool
    ) -> None:
        """A question has ended so; keep what it cost together with what that makes of the breaker."""
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
