"""Mailboxes kept full, and stopping beside those who hang or back off: real threads, a real database file."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from actors.claude.programs import Programs
from actors.database import BATCH, DatabaseWriter
from actors.desk import Desk
from actors.edges import Edges
from actors.kernel.edges import Promise
from actors.kernel.me import Actor, Me
from actors.kernel.supervision import Policy
from actors.kernel.system import STOP_DESK, System
from actors.kernel.testing import Recorder
from actors.settings.reading import Settings
from actors.workers.places import Places
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.database import Committed, Statement, Write
from messages.tasks import NewTask, RefreshBars, Submit, Submitted
from messages.trading import Holding, Import, Imported
from messages.values import CorrelationId, Symbol
from storage import ledger, tasks
from storage.connections import Operations, Reader
from storage.home import Home
from tests.actors.kernel import counter
from tests.actors.kernel.counter import Add, CounterMessage, Crash, Divide, Do, Gate, Tick, Total

M = TypeVar("M")
ROOM: Final = 20
SENDERS: Final = 2
IN_DESK: Final = 1_000
FIXED: Final = {"price_source": "sample", "currency": "USD"}
AAPL: Final = Symbol("AAPL")
for_a_while = pytest.mark.parametrize(
    "seconds", [1.0, pytest.param(10.0, marks=[pytest.mark.long, pytest.mark.timeout(180)])]
)


class Watching(Recorder):
    """Remembers crashes and who hangs. Of dead letters there are too many."""

    def dead_letter(self, actor: str, message: object, why: str, /) -> None:
        """See Hooks."""


class Receipts:
    """What senders were told: how often what, and the sum of what was accepted. More than once is `again`."""

    def __init__(self) -> None:
        self.told, self.sent, self.accepted = Counter[str](), 0, 0
        self._lock = threading.Lock()

    def receipt(self, number: int = 0) -> "Receipt":
        """The return address of one more request."""
        with self._lock:
            self.sent += 1
        return Receipt(number, self)

    def waiting(self) -> int:
        """How many have not been told anything yet."""
        with self._lock:
            return self.sent - self.told.total()

    def note(self, receipt: "Receipt", answer: object) -> None:
        """Count an answer."""
        what = answer.code if isinstance(answer, Refused) else "answered"
        with self._lock:
            self.told["again" if receipt.noted else what] += 1
            self.accepted += receipt.number if what == "answered" else 0
            receipt.noted = True


class Receipt(ReplyTo[Any]):
    """A return address that notes what it is told."""

    __slots__ = ("_receipts", "noted", "number")

    def __init__(self, number: int, receipts: Receipts) -> None:
        super().__init__(number)
        self.number, self.noted, self._receipts = number, False, receipts

    def send(self, answer: object, /) -> None:
        """See ReplyTo."""
        self._receipts.note(self, answer)


def hammer(seconds: float, send: Callable[[int], None], look: Callable[[], int]) -> int:
    """Have two threads send without a pause, each message with a number of its own; the most that a look has found."""
    until, most = time.monotonic() + seconds, [0] * SENDERS

    def run(sender: int) -> None:
        for number in count(sender, SENDERS):
            send(number)
            if number // SENDERS % 64 == 0:
                most[sender] = max(most[sender], look())
                if time.monotonic() > until:
                    return

    threads = [threading.Thread(target=run, args=(sender,)) for sender in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(most)


def longest(system: System) -> int:
    return max(len(cell.mailbox) for cell in system.cells)


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        threading.Event().wait(0.005)


@dataclass
class Handled:
    """What someone has handled, and was told."""

    requests: int = 0
    events: int = 0
    asked: int = 0
    told: int = 0


class Answering:
    """Answers requests and counts events."""

    def __init__(self, handled: Handled) -> None:
        self._handled = handled

    def on_receive(self, message: Total | Add) -> None:
        if isinstance(message, Total):
            self._handled.requests += 1
            message.reply_to.tell(1)
        else:
            self._handled.events += 1


class Asking:
    """Asks someone at each tick."""

    def __init__(self, me: Me[Tick | int | Refused], whom: Ref[Total | Add], handled: Handled) -> None:
        self._me, self._whom, self._handled = me, whom, handled

    def on_receive(self, message: Tick | int | Refused) -> None:
        if isinstance(message, Tick):
            self._handled.asked += 1
            self._whom.tell(Total(self._me.reply_to(None, of=self._whom, within=60)))
        else:
            assert isinstance(message, int) or message.code == "full"
            self._handled.told += 1


@for_a_while
def test_an_actor_kept_full_answers_what_it_took_and_refuses_the_rest_and_events_yield(seconds: float) -> None:
    hooks, receipts, handled = Watching(), Receipts(), Handled()
    system, ref, asker = System(hooks=hooks), Ref[Total | Add]("full"), Ref[Tick | int | Refused]("asker")
    system.add(ref, lambda me: Answering(handled), capacity=ROOM)
    system.add(asker, lambda me: Asking(me, ref, handled), capacity=ROOM)
    system.start()
    events = [0] * SENDERS

    def send(number: int) -> None:
        ref.tell(Total(receipts.receipt()))
        ref.tell(Add(1))
        events[number % SENDERS] += 1
        asker.tell(Tick())

    most = hammer(seconds, send, lambda: longest(system))
    eventually(lambda: longest(system) == 0)

    assert system.stop(grace=5) == []
    assert hooks.crashes == []
    assert set(receipts.told) == {"answered", "full"}
    assert receipts.told.total() == receipts.sent
    assert handled.told == handled.asked > 0
    dropped = sum(events) - handled.events
    assert dropped > 0
    refused_to_asker = receipts.told["answered"] + handled.asked - handled.requests
    assert system.dead_letters["full", "full"] == receipts.told["full"] + dropped + refused_to_asker
    assert most <= 3 * ROOM, "the asker's: half of it events, and answers to what others and it itself took"


@for_a_while
def test_a_crew_kept_full_answers_what_it_took_and_refuses_the_rest(seconds: float) -> None:
    hooks, receipts, ref = Watching(), Receipts(), Ref[Divide]("crew")
    system = System(hooks=hooks)
    handled = list[Handled]()

    class Dividing:
        def __init__(self) -> None:
            self.handled = Handled()
            handled.append(self.handled)

        def on_receive(self, message: Divide) -> None:
            self.handled.requests += 1
            message.reply_to.tell(1 // message.by)

    system.add_crew(ref, lambda _: Dividing(), 2, capacity=ROOM)
    system.start()

    most = hammer(seconds, lambda number: ref.tell(Divide(1, receipts.receipt())), lambda: longest(system))

    assert system.stop(grace=5) == []
    assert hooks.crashes == []
    assert set(receipts.told) == {"answered", "full"}
    assert receipts.told.total() == receipts.sent
    assert receipts.told["answered"] == sum(each.requests for each in handled)
    assert most <= ROOM + SENDERS


@for_a_while
def test_a_writer_kept_full_has_on_disk_what_it_said_and_nothing_else(seconds: float, tmp_path: Path) -> None:
    hooks, receipts, home = Watching(), Receipts(), Home(tmp_path)
    system, ref = System(hooks=hooks), Ref[database.Message]("database")
    system.add(ref, lambda me: DatabaseWriter(me, home, FIXED, Operations()), STOP_DESK, capacity=ROOM)
    system.start()

    def send(number: int) -> None:
        statement = Statement("INSERT INTO home (name, value) VALUES (?, ?)", (f"row {number}", str(number)))
        ref.tell(Write((statement,), receipts.receipt(number)))

    most = hammer(seconds, send, lambda: longest(system))

    assert system.stop(grace=5) == []
    assert hooks.crashes == []
    assert set(receipts.told) == {"answered", "full"}
    assert receipts.told.total() == receipts.sent
    assert most <= ROOM + SENDERS
    sql = "SELECT count(*), sum(CAST(value AS INTEGER)) FROM home WHERE name LIKE 'row %'"
    assert Reader(home.database).rows(tuple[int, int], sql) == [(receipts.told["answered"], receipts.accepted)]


class Staged(System):
    """Real threads; `instead` says who lives at an address rather than whom the desk has built."""

    def __init__(
        self,
        publish: Callable[[object], None],
        flush: Callable[[ReplyTo[Committed | Refused]], None],
        instead: Callable[[str, Actor[Any]], Actor[Any]] = lambda name, actor: actor,
    ) -> None:
        self.recorder = Watching()
        super().__init__(hooks=self.recorder, publish=publish, flush=flush)
        self._instead = instead

    def add(
        self,
        ref: Ref[M],
        build: Callable[[Me[M]], Actor[M]],
        policy: Policy = Policy.REBUILD,
        *,
        capacity: int = IN_DESK,
    ) -> None:
        """See System."""
        super().add(ref, lambda me: self._instead(ref.name, build(me)), policy, capacity=capacity)


def importing(quantity: int, reply_to: ReplyTo[Imported | Refused]) -> Import:
    holding = Holding(AAPL, Decimal(quantity), Decimal(1), None)
    return Import((holding,), Decimal(1), "holdings.csv", CorrelationId(f"{quantity:032x}"), reply_to)


@for_a_while
def test_a_desk_kept_full_keeps_what_it_accepted_and_goes_on_working(seconds: float, tmp_path: Path) -> None:
    receipts, imported, home = Receipts(), list[tuple[int, int]](), Home(tmp_path)
    desk = Desk(home, Settings(), Edges(Staged, lambda: 0.5, Programs, lambda _: Places()), serve=False)
    desk.start()

    def send(number: int) -> None:
        key = f"refresh_bars/AAPL/{number % 50}"
        new = NewTask(key, "data", RefreshBars(AAPL), requires_claude=number % 3 == 0)
        desk.tasks.tell(Submit((new,), CorrelationId("0" * 32), receipts.receipt()))
        if number % 5_000 < SENDERS:
            answer: Imported | Refused = desk.system.ask(desk.trading, partial(importing, number + 1), within=60)
            if isinstance(answer, Imported):  # pyright: ignore[reportUnnecessaryIsInstance]  # it solves R too narrowly
                imported.append((answer.transaction, number + 1))

    most = hammer(seconds, send, receipts.waiting)
    eventually(lambda: {row.state for row in tasks.newest(desk.access.read, 99)} == {"done"})
    eventually(lambda: receipts.waiting() == 0)  # what was accepted last may wait for a write still
    one_more = partial(Submit, (NewTask("one more", "data", RefreshBars(AAPL)),), CorrelationId("1" * 32))
    answer: Submitted | Refused = desk.system.ask(desk.tasks, one_more, within=60)

    assert answer == Submitted(CorrelationId("1" * 32))
    assert desk.stop() == []
    assert isinstance(desk.system.hooks, Watching)
    assert desk.system.hooks.crashes == []
    assert set(receipts.told) == {"answered", "full"}
    assert receipts.told.total() == receipts.sent
    assert most <= IN_DESK + IN_DESK + BATCH + 2 * SENDERS, "in the coordinator's mailbox, the writer's, and a commit"
    read = Reader(home.database)
    assert {row.key for row in tasks.newest(read, 99)} == {"one more", *(f"refresh_bars/AAPL/{n}" for n in range(50))}
    assert [(held.symbol, held.quantity) for held in ledger.held(read)] == [(AAPL, Decimal(max(imported)[1]))]


class Preceded:
    """An actor, and what happens before each message that it handles."""

    def __init__(self, actor: Actor[Any], first: Callable[[Any], object]) -> None:
        self._actor, self._first = actor, first

    def on_start(self) -> None:
        """See Actor."""
        getattr(self._actor, "on_start", lambda: None)()

    def on_stop(self) -> None:
        """See Actor."""
        getattr(self._actor, "on_stop", lambda: None)()

    def on_receive(self, message: Any, /) -> None:
        """See Actor."""
        self._first(message)
        self._actor.on_receive(message)


def a_slow_disk(_message: object) -> None:
    threading.Event().wait(0.3)


class Polite:
    """Has last words, which are to be kept."""

    def __init__(self, database: Ref[database.Message], told: Promise) -> None:
        self._database, self._told = database, told

    def on_receive(self, message: object) -> None:
        """There is nothing to do."""

    def on_stop(self) -> None:
        """Say them."""
        statement = Statement("INSERT INTO home (name, value) VALUES ('last words', 'good night')")
        self._database.tell(Write((statement,), self._told))


def test_the_writer_commits_last_words_beside_actors_that_hang_and_one_that_backs_off(tmp_path: Path) -> None:
    home, hooks, told, gates = Home(tmp_path), Watching(), Promise(), [Gate(), Gate()]
    system, ref, polite = System(hooks=hooks), Ref[database.Message]("database"), Ref[object]("polite")
    backing_off, hanging = Ref[CounterMessage]("backing off"), [Ref[CounterMessage](f"hanging {n}") for n in range(2)]
    system.add(
        ref, lambda me: Preceded(DatabaseWriter(me, home, FIXED, Operations()), a_slow_disk), STOP_DESK, capacity=ROOM
    )
    system.add(polite, lambda me: Polite(ref, told))
    for each in (backing_off, *hanging):
        system.add(each, counter.Counter)
    system.start()
    for _ in range(4):
        backing_off.tell(Crash())
    for each, gate in zip(hanging, gates, strict=True):
        each.tell(Do(gate))
        assert gate.entered.wait(5)
    eventually(lambda: len(hooks.crashes) >= 2)

    began = time.monotonic()
    late = system.stop(grace=2)
    took = time.monotonic() - began
    for gate in gates:
        gate.opened.set()

    assert late == ["hanging 1", "hanging 0"]
    assert took < 2
    assert isinstance(told.future.result(0), Committed)
    assert ("good night",) in Reader(home.database).rows(tuple[str], "SELECT value FROM home")


def test_a_desk_stops_in_time_beside_a_source_that_hangs_and_keeps_what_it_accepted(tmp_path: Path) -> None:
    home, gate, told, submitted = Home(tmp_path), Gate(), Promise(), Promise()
    before: dict[str, Callable[[Any], object]] = {"source": gate, "database": a_slow_disk}

    def instead(name: str, actor: Actor[Any]) -> Actor[Any]:
        return Preceded(actor, before.get(name, lambda message: None))

    desk = Desk(
        home,
        Settings(grace=2.0),
        Edges(partial(Staged, instead=instead), lambda: 0.5, Programs, lambda _: Places()),
        serve=False,
    )
    desk.start()
    desk.tasks.tell(Submit((NewTask("hangs", "data", RefreshBars(AAPL)),), CorrelationId("0" * 32), submitted))
    assert gate.entered.wait(5)
    hooks, research = desk.system.hooks, Ref[Any]("research")
    assert isinstance(hooks, Watching)
    research.bind(desk.research.tell)
    for _ in range(4):
        research.tell("what it does not understand")
    eventually(lambda: len(hooks.crashes) >= 2)
    desk.trading.tell(importing(7, told))

    began = time.monotonic()
    late = desk.stop()
    took = time.monotonic() - began
    gate.opened.set()

    assert late == ["source"]
    assert took < 2
    assert isinstance(told.future.result(0), Imported)
    assert {actor for actor, _, _ in hooks.crashes} == {"research"}
    read = Reader(home.database)
    assert [(held.symbol, held.quantity) for held in ledger.held(read)] == [(AAPL, Decimal(7))]
    assert tasks.newest(read, 9)[0].state in ("queued", "leased")
