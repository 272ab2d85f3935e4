"""The database writer: the one connection that writes, and group commit."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from actors.kernel.me import Me
from messages import database
from messages.addresses import Refused
from messages.database import Committed, Write, WritesHeld, WritesResumed
from storage.connections import NotNow, Operations
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import StatementFailed, WriteConnection

BATCH: Final = 512
"""Messages a commit takes at most. Measured: 64 waiting writes are 38 to 58 times a commit each."""
MOMENT: Final = 1e-4
"""Seconds a small batch waits for more after a large one: who was just answered is about to ask again. Measured with 64
outstanding: without it every second commit is of one write."""
AGAIN: Final = 1.0
"""Seconds between two tries while the disk is full or fails."""
HELD_FOR: Final = 30.0
"""Seconds a batch is held; then whoever sent it has it back as refused for want of room, and sends it again. Half of
what they wait for an answer, so that none takes a held write for a lost one."""
IDLE: Final = 0.05
"""Seconds without a commit after which the log is brought into the file. Measured: the worst commit takes 6.4 ms, and
10.2 ms where a commit does it on its way."""
WORTH_IT: Final = 1_000
"""Pages of the log, 4 kB each, from which on that is done."""
HIGH: Final = 16_000
"""Pages from which on nobody waits for quiet any more, and the log begins anew: 64 MB."""
LARGE: Final = 256 << 20
"""Bytes from which on the log's disk space is given back. Commits after that cost 1.47 times as much."""
_log = logging.getLogger("troupe.database")


@dataclass(frozen=True, slots=True)
class _TryAgain:
    """There may be room by now."""


@dataclass(frozen=True, slots=True)
class _Quiet:
    """If there was no commit since this one, now is the time for the log."""

    commits: int


Message = database.Message | _TryAgain | _Quiet


class DatabaseWriter:
    """Owns the writing connection. A reply means that the write is on disk, or why no part of it is.

    When the disk is full or fails, the batch at hand is held and tried again, and nobody else's is taken meanwhile.
    `end_old_snapshots` is called where readers may keep the log from beginning anew.
    """

    def __init__(
        self,
        me: Me[Any],
        home: Home,
        fixed: Mapping[str, str],
        operations: Operations,
        end_old_snapshots: Callable[[], None] = lambda: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._me, self._home, self._fixed, self._operations = me, home, dict(fixed), operations
        self._end_old_snapshots, self._pause = end_old_snapshots, pause
        self._opened: WriteConnection | None = None
        self._held, self._held_until, self._last = list[Write](), 0.0, 0
        self._commits, self._waits_for_quiet, self._high = 0, False, HIGH

    def on_start(self) -> None:
        """Open, check and migrate, in the thread that will use it."""
        self._operations.held = None
        self._opened = open_for_writing(self._home, self._fixed, self._me.clock.utc(), self._operations)

    def on_stop(self) -> None:
        """Close, which empties the write-ahead log."""
        if self._opened is not None:
            self._opened.close()

    def on_receive(self, message: Message) -> None:
        """One transaction for everything that waits."""
        match message:
            case Write():
                self._take(self._batch(message))
            case _TryAgain():
                self._try_again()
            case _Quiet(commits):
                self._when_quiet(commits)
            case _:
                assert_never(message)

    @property
    def _connection(self) -> WriteConnection:
        assert self._opened is not None
        return self._opened

    # Committing

    def _batch(self, first: Write) -> list[Write]:
        writes = [first, *self._me.take_waiting(Write, BATCH - 1)]
        if 2 * len(writes) < self._last:
            self._pause(MOMENT)
            writes += self._me.take_waiting(Write, BATCH - len(writes))
        self._last = len(writes)
        return writes

    def _take(self, writes: list[Write]) -> None:
        if self._operations.held is not None:
            self._refuse(writes)
            return
        try:
            self._commit(writes)
        except NotNow as error:
            self._hold(writes, str(error))

    def _commit(self, writes: list[Write]) -> None:
        results = self._connection.commit([write.statements for write in writes])
        self._commits += 1
        for write, result in zip(writes, results, strict=True):
            about = write.reply_to.about
            if isinstance(result, StatementFailed):
                write.reply_to.tell(Refused(about, "statement", str(result)))
            else:
                write.reply_to.tell(Committed(about, result))
        self._look_after_the_log()

    # A disk that is full or fails

    def _hold(self, writes: list[Write], why: str) -> None:
        self._held, self._held_until = writes, self._me.clock.monotonic() + HELD_FOR
        self._operations.held = why
        _log.error("nothing is committed for now: %s", why)
        self._me.publish(WritesHeld(why))
        self._me.after(AGAIN, _TryAgain())

    def _try_again(self) -> None:
        try:
            if self._held:
                self._commit(self._held)
            else:
                self._connection.probe()
        except NotNow as error:
            self._operations.held = str(error)
            if self._me.clock.monotonic() >= self._held_until:
                self._refuse(self._held)
                self._held = []
            self._me.after(AGAIN, _TryAgain())
            return
        self._held, self._operations.held = [], None
        _log.warning("writes are committed again")
        self._me.publish(WritesResumed())

    def _refuse(self, writes: list[Write]) -> None:
        retry_at = self._me.clock.utc() + round(AGAIN * 1e6)
        for write in writes:
            write.reply_to.refuse("full", f"{self._operations.held}; the desk goes on when that is mended", retry_at)

    # The write-ahead log

    def _look_after_the_log(self) -> None:
        pages = self._operations.log_pages
        if pages >= self._high:
            self._end_old_snapshots()
            begun_anew = self._move(self._connection.restart_log)
            self._high = HIGH if begun_anew else pages + HIGH // 4
        elif pages >= WORTH_IT and not self._waits_for_quiet:
            self._waits_for_quiet = True
            self._me.after(IDLE, _Quiet(self._commits))

    def _when_quiet(self, commits: int) -> None:
        self._waits_for_quiet = False
        if commits != self._commits:
            self._look_after_the_log()
        elif self._move(self._connection.checkpoint) and self._connection.log_bytes() > LARGE:
            self._move(self._connection.cut_log)

    def _move(self, checkpoint: Callable[[], bool]) -> bool:
        """Whether it did all it could do; what is not in the file yet is safe in the log."""
        try:
            return checkpoint()
        except NotNow:
            _log.warning("the log cannot be brought into the file for now", exc_info=True)
            return False
