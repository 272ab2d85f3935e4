"""The writer: a reply means that it is on disk."""

from collections.abc import Callable

import apsw
import pytest

import actors.database
from actors.database import AGAIN, BATCH, HELD_FOR, IDLE, MOMENT, WORTH_IT, DatabaseWriter
from actors.kernel.system import STOP_DESK, StartFailed
from actors.kernel.testing import Probe, TestSystem
from actors.tasks.coordinator import COMMIT_WITHIN
from messages import database
from messages.addresses import Ref, Refused
from messages.database import Committed, Many, Statement, Write, WritesHeld, WritesResumed
from storage.connections import DatabaseUnusable, Operations, Reader, fetch
from storage.home import Home
from tests.actors.queues import effects, note


class Desk:
    """A writer alone."""

    def __init__(
        self,
        home: Home,
        publish: Callable[[object], None] = lambda event: None,
        pause: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.system, self.ref = TestSystem(publish=publish), Ref[database.Message]("database")
        self.read = Reader(home.database)
        self.home, self.operations = home, Operations()
        self.system.add(
            self.ref, lambda me: DatabaseWriter(me, home, {}, self.operations, pause=pause), STOP_DESK, capacity=2_000
        )

    def tell(self, *statements: Statement | Many) -> Probe[Committed | Refused]:
        """Send a write; the probe hears the answer."""
        probe = Probe[Committed | Refused]()
        self.ref.tell(Write(statements, probe))
        return probe

    def commits(self) -> int:
        """How often the writer was busy with a batch."""
        [thread] = self.system.observe()[0].threads.values()
        return sum(thread.meters[Write].ran)


@pytest.fixture
def writer(home: Home) -> Desk:
    desk = Desk(home)
    desk.system.start()
    return desk


def test_the_reply_comes_after_the_commit(writer: Desk) -> None:
    seen = list[list[str]]()

    class Looking(Probe[Committed | Refused]):
        def send(self, answer: object, /) -> None:
            seen.append(effects(writer.read))

    for name in "abc":
        writer.ref.tell(Write((note(name), Statement("SELECT 1")), Looking()))
    writer.system.settle()

    assert seen == [["a", "b", "c"]] * 3
    assert writer.commits() == 1


def test_a_small_batch_after_a_large_one_waits_a_moment_for_those_who_were_just_answered(home: Home) -> None:
    def ask_again(seconds: float) -> None:
        pauses.append(seconds)
        for name in "fgh" if len(pauses) == 1 else "":
            desk.tell(note(name))

    pauses = list[float]()
    desk = Desk(home, pause=ask_again)
    desk.system.start()
    for names in ("abcd", "e", "i"):
        for name in names:
            desk.tell(note(name))
        desk.system.settle()

    assert effects(desk.read) == list("abcdefghi")
    assert (desk.commits(), pauses) == (3, [MOMENT, MOMENT])


def test_the_reply_names_what_it_is_about_and_what_the_statements_returned(writer: Desk) -> None:
    one = writer.tell(Statement("SELECT 1, 'x'"), note("a"))
    writer.system.settle()

    assert one.received == [Committed("probe", (((1, "x"),), ()))]


def test_a_write_that_fails_is_refused_alone(writer: Desk) -> None:
    fine, bad, also = writer.tell(note("a")), writer.tell(note("b"), note("a")), writer.tell(note("c"))
    writer.system.settle()

    assert bad.received == [Refused("probe", "statement", "UNIQUE constraint failed: home.name")]
    assert [type(answer) for answer in (*fine.received, *also.received)] == [Committed, Committed]
    assert effects(writer.read) == ["a", "c"]
    assert writer.commits() == 1


def test_no_more_than_a_batch_is_committed_at_once_and_nothing_is_left_over(writer: Desk) -> None:
    probes = [writer.tell(note(f"n{n}")) for n in range(BATCH + 1)]
    writer.system.settle()

    assert [len(probe.received) for probe in probes] == [1] * (BATCH + 1)
    assert writer.commits() == 2


def test_an_empty_write_is_answered_after_those_before_it(writer: Desk) -> None:
    writer.tell(note("a"))
    empty = writer.tell()
    writer.system.settle()

    assert empty.received == [Committed("probe", ())]
    assert effects(writer.read) == ["a"]


def large(name: str = "large") -> Statement:
    """More than fits where there is no room for another page."""
    return Statement("INSERT INTO home (name, value) VALUES (?, 'effect' || ?)", (name, "y" * 100_000))


def fill(writer: Desk) -> None:
    """The disk is full."""
    pages = writer.read.rows(tuple[int], "PRAGMA page_count")[0][0]
    writer.tell(Statement(f"PRAGMA max_page_count = {pages}"))
    writer.system.settle()


def make_room(writer: Desk) -> None:
    """There is room again; the statement goes past the writer, which takes none."""
    actor = writer.system.cells[0]._actor  # type: ignore[union-attr]  # pyright: ignore
    fetch(actor._connection.raw, "PRAGMA max_page_count = 1000000")  # type: ignore[union-attr]  # pyright: ignore


def codes(*probes: Probe[Committed | Refused]) -> list[str]:
    """How each was refused."""
    return [answer.code for probe in probes for answer in probe.received if isinstance(answer, Refused)]


def test_a_full_disk_holds_the_batch_in_order_and_it_is_committed_when_there_is_room(writer: Desk) -> None:
    fill(writer)
    held = [writer.tell(note("a")), writer.tell(large()), writer.tell(note("b"))]
    writer.system.advance(5)
    nothing = [list(probe.received) for probe in held], effects(writer.read)

    make_room(writer)
    writer.system.advance(AGAIN)

    assert nothing == ([[], [], []], [])
    assert [type(answer) for probe in held for answer in probe.received] == [Committed] * 3
    assert effects(writer.read) == ["a", "b"]
    assert not writer.system.failed.done()


def test_while_a_batch_is_held_others_are_refused_and_told_why_and_when_to_ask_again(writer: Desk) -> None:
    fill(writer)
    writer.tell(large())
    writer.system.settle()

    refused = writer.tell(note("a"))
    writer.system.settle()

    (answer,) = refused.received
    assert isinstance(answer, Refused)
    assert (answer.code, answer.retry_at) == ("full", writer.system.clock.utc() + 1_000_000)
    assert "desk.sqlite3: database or disk is full; look at its disk" in answer.sentence
    assert writer.operations.held is not None


def test_a_batch_that_was_held_too_long_is_given_back_before_anyone_takes_it_for_lost(writer: Desk) -> None:
    fill(writer)
    held = [writer.tell(note("a")), writer.tell(large())]
    writer.system.advance(HELD_FOR + AGAIN)
    given_back = codes(*held)
    make_room(writer)
    writer.system.advance(3600)
    again = writer.tell(note("a"))
    writer.system.settle()

    assert given_back == ["full", "full"]
    assert HELD_FOR + AGAIN < COMMIT_WITHIN
    assert isinstance(again.received[0], Committed)
    assert effects(writer.read) == ["a"]


def test_who_listens_is_told_when_writes_are_held_and_when_they_are_committed_again(home: Home) -> None:
    listener = Probe[object]()
    writer = Desk(home, listener.ref.tell)
    writer.system.start()
    fill(writer)
    writer.tell(large())
    writer.system.advance(3 * AGAIN)
    first = list(listener.received)

    make_room(writer)
    writer.system.advance(AGAIN)

    (held,) = first
    assert isinstance(held, WritesHeld)
    assert "disk is full" in held.why
    assert listener.received[1:] == [WritesResumed()]
    assert writer.operations.held is None


def test_another_programs_lock_holds_the_batch_too(writer: Desk) -> None:
    actor = writer.system.cells[0]._actor  # type: ignore[union-attr]  # pyright: ignore
    actor._connection.raw.set_busy_timeout(0)  # type: ignore[union-attr]  # pyright: ignore
    other = apsw.Connection(str(writer.read.path))
    fetch(other, "BEGIN IMMEDIATE")
    held = writer.tell(note("a"))
    writer.system.advance(2 * AGAIN)
    waiting = list(held.received)

    other.close()
    writer.system.advance(AGAIN)

    assert waiting == []
    assert isinstance(held.received[0], Committed)


def test_damage_is_a_crash_that_stops_the_desk_and_refuses_all(writer: Desk, home: Home) -> None:
    writer.tell(note("a"))
    writer.system.settle()
    wal = home.database.with_name("desk.sqlite3-wal")
    actor = writer.system.cells[0]._actor  # type: ignore[union-attr]  # pyright: ignore
    actor._connection.cut_log()  # type: ignore[union-attr]  # pyright: ignore
    assert wal.stat().st_size == 0
    with home.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 20)
    fetch(actor._connection.raw, "PRAGMA shrink_memory")  # type: ignore[union-attr]  # pyright: ignore

    probes = [writer.tell(note("b")), writer.tell(note("c"), note("d"))]
    writer.system.settle()

    assert codes(*probes) == ["crashed", "crashed"]
    assert "damaged" in writer.system.failed.result()


def grow(writer: Desk, pages: int) -> None:
    """Have the log grow by so many pages of 4 kB, and a few."""
    name = f"{writer.commits()}"
    rows = tuple((f"{name} {number}", "y" * 40_000) for number in range(pages // 10))
    writer.tell(Many("INSERT INTO home (name, value) VALUES (?, 'effect' || ?)", rows))
    writer.system.settle()


def in_file(home: Home) -> int:
    """Pages in the file itself."""
    return home.database.stat().st_size // 4096


def test_the_log_is_brought_into_the_file_when_it_is_quiet(writer: Desk, home: Home) -> None:
    before = in_file(home)
    grow(writer, WORTH_IT // 2)
    writer.system.advance(1)
    little = in_file(home)
    grow(writer, WORTH_IT)
    for _ in range(5):  # not quiet
        writer.system.advance(IDLE * 0.7)
        writer.tell(note(f"{writer.system.clock.utc()}"))
        writer.system.settle()
    busy = in_file(home)

    writer.system.advance(2 * IDLE)

    assert before == little == busy
    assert in_file(home) > WORTH_IT
    assert writer.operations.log_pages >= WORTH_IT
    writer.tell(note("after"))
    writer.system.settle()
    assert writer.operations.log_pages < 10  # it has begun anew


def test_a_log_that_is_never_quiet_begins_anew_at_its_mark_and_a_reader_only_delays_that(
    writer: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.database, "HIGH", high := 500)
    writer = Desk(writer.home)
    writer.system.start()
    with writer.read.snapshot() as at:
        effects(at)
        for _ in range(20):
            grow(writer, high // 10)
        blocked = writer.operations.log_pages
    for _ in range(6):
        grow(writer, high // 10)

    assert blocked > 1.9 * high
    assert writer.operations.log_pages < high


def test_a_log_that_takes_too_much_disk_is_cut(writer: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.database, "LARGE", 8_000_000)
    wal = writer.read.path.with_name("desk.sqlite3-wal")
    grow(writer, WORTH_IT)
    writer.system.advance(2 * IDLE)
    left = wal.stat().st_size
    grow(writer, 2 * WORTH_IT)
    writer.system.advance(2 * IDLE)

    assert left > WORTH_IT * 4096
    assert wal.stat().st_size == 0


def test_a_file_that_cannot_be_opened_fails_the_start_with_its_reason(home: Home) -> None:
    home.database.write_bytes(b"rubbish" * 1_000)

    with pytest.raises(StartFailed) as failed:
        Desk(home).system.start()

    assert isinstance(failed.value.__cause__, DatabaseUnusable)


def test_what_was_told_before_the_stop_is_committed_and_the_log_emptied(writer: Desk, home: Home) -> None:
    effects(writer.read)
    probe = writer.tell(note("a"))

    assert writer.system.stop(grace=1) == []
    assert isinstance(probe.received[0], Committed)
    assert effects(Reader(home.database)) == ["a"]
    assert home.database.with_name("desk.sqlite3-wal").stat().st_size == 0


def test_statements_are_counted_for_the_metrics(writer: Desk) -> None:
    writer.tell(note("a"))
    writer.tell(note("a"))
    writer.system.settle()

    assert writer.operations == {("insert", "home", "done"): 1, ("insert", "home", "failed"): 1}
