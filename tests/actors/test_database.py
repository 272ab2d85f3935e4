"""The writer: a reply means that it is on disk."""

import pytest

from actors.database import BATCH, DatabaseWriter
from actors.kernel.system import STOP_DESK, StartFailed
from actors.kernel.testing import Probe, TestSystem
from messages import database
from messages.addresses import Ref, Refused
from messages.database import Committed, Statement, Write
from storage.connections import DatabaseUnusable, Operations, Reader
from storage.home import Home
from tests.actors.queues import effects, note


class Desk:
    """A writer alone."""

    def __init__(self, home: Home) -> None:
        self.system, self.ref, self.read = TestSystem(), Ref[database.Message]("database"), Reader(home.database)
        self.operations = Operations()
        self.system.add(self.ref, lambda me: DatabaseWriter(me, home, {}, self.operations), STOP_DESK, capacity=2_000)

    def tell(self, *statements: Statement) -> Probe[Committed | Refused]:
        """Send a write; the probe hears the answer."""
        probe = Probe[Committed | Refused]()
        self.ref.tell(Write(statements, probe))
        return probe

    def commits(self) -> int:
        """How often the writer was busy with a batch."""
        [meters] = self.system.observe()[0].meters.values()
        return sum(meters[Write].ran)


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


def test_a_full_disk_stops_the_desk_refuses_all_and_keeps_nothing_of_the_batch(writer: Desk) -> None:
    pages = writer.read.rows(tuple[int], "PRAGMA page_count")[0][0]
    writer.tell(Statement(f"PRAGMA max_page_count = {pages}"))
    writer.system.settle()

    large = writer.tell(Statement("INSERT INTO home (name, value) VALUES ('large', ?)", ("y" * 100_000,)))
    other = writer.tell(note("a"))
    writer.system.settle()

    answers = (*large.received, *other.received)
    assert [answer.code for answer in answers if isinstance(answer, Refused)] == ["crashed", "crashed"]
    assert writer.system.failed.done()
    assert "desk.sqlite3" in writer.system.failed.result()
    assert "full" in writer.system.failed.result()
    assert effects(writer.read) == []


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
