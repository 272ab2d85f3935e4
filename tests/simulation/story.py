"""A person who wants something of a desk until they have it, through one desk after another."""

import random
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from actors.brokers import paper
from actors.claude.programs import Programs
from actors.console.access import Access, DeskFailed, DeskRefused
from actors.console.imports import import_holdings
from actors.console.rounds import Asked, RoundFailed, begin, ended
from actors.desk import TOLD, Desk
from actors.edges import Edges
from actors.kernel.edges import Promise
from actors.kernel.me import Actor
from actors.kernel.supervision import RETRY
from actors.kernel.system import StartFailed
from actors.kernel.testing import InjectedCrash
from actors.settings.reading import Settings
from actors.tasks.coordinator import WriteLost
from actors.tasks.hands import FREE
from actors.trading import books
from actors.workers.places import Places
from messages.addresses import Ref, Refused, ReplyTo
from messages.database import Committed, Write
from messages.tasks import Drain, Submitted
from storage import ledger, tasks
from storage.connections import Reader
from storage.home import Home
from storage.tasks import TaskRow
from tests.simulation.company import InjectedError, Killed, SharedSample, StormySystem, ToldToStop
from tests.simulation.storm import ATTEMPTS, Storm

Wish = Literal["first holdings", "second holdings", "round"]
HOLDINGS: Final[Mapping[Wish, str]] = {
    "first holdings": "symbol,quantity,cost\nAAPL,25,260.83\nIBM,40,89.05\nCASH:USD,10000,1\n",
    "second holdings": "symbol,quantity,cost\nAAPL,10.5,300\nCASH:USD,12000.5,1\n",
}
Books = tuple[Decimal, tuple[tuple[str, Decimal], ...]]
NOTHING: Final[Books] = (Decimal(0), ())
BOOKS: Final[Mapping[Wish, Books]] = {
    "first holdings": (Decimal(10_000), (("AAPL", Decimal(25)), ("IBM", Decimal(40)))),
    "second holdings": (Decimal("12000.5"), (("AAPL", Decimal("10.5")),)),
}
NOT_NOW: Final = frozenset({"full", "late", "crashed", "down"})
"""Being refused so, a person asks again."""
LAST_REPLY: Final = 200.0
"""Seconds after which nothing is under way any more."""
GRACE: Final = 10.0
DEATH: Final = re.compile(r"crashed: |late: |the desk ended 4 times|what it needs is dead$")
"""Of what a task may die."""
Contents = dict[str, dict[tuple[str, str], str]]


@dataclass(slots=True)
class Story:
    """What becomes of the wishes of one person in one storm; it always ends in peace.

    Where it is `mild` no task may die; else one may, with a reason, and the person asks again.
    """

    seed: int
    place: Path
    template: Path
    wishes: tuple[Wish, ...]
    storm: Storm = field(default_factory=lambda: Storm(()))
    rooms: Mapping[str, int] = field(default_factory=dict[str, int])
    threads: int = 2
    mild: bool = True
    processes: int = 1
    home: Home = field(init=False)
    lives: int = 0
    _now: float = 0.0
    _desk: Desk | None = None
    _system: StormySystem = field(init=False)
    _books: set[Books] = field(default_factory=lambda: {NOTHING})
    _kept: set[str] = field(default_factory=set[str])

    def live(self) -> Contents:
        """Until every wish is fulfilled and every task has ended; what the desk has worked out."""
        self.home = Home(self.place / "0")
        shutil.copytree(self.template, self.home.path)
        for wish in self.wishes:
            self._through(partial(self._fulfil, wish))
        self._through(self._until_all_have_ended)
        self.storm.calm()
        self._through(self._until_nothing_is_under_way)
        self._through(self._until_all_have_ended)
        self._all_hands_are_back()
        self._stop()
        read = Reader(self.home.database)
        self._every_task_has_ended(read)
        self._nobody_waited_in_vain()
        return _contents(read)

    # What the person does

    def _fulfil(self, wish: Wish, access: Access) -> None:
        if wish == "round":
            correlation_id = begin(access, Asked())
            self._kept |= {row.key for row in tasks.together(access.read, correlation_id)}
            self._wait_for(access, lambda: tasks.together(access.read, correlation_id))
            if any(row.state != "done" for row in tasks.together(access.read, correlation_id)):
                raise RoundFailed(f"it has not come out whole: {tasks.together(access.read, correlation_id)}")
        else:
            self._books.add(BOOKS[wish])
            import_holdings(access, HOLDINGS[wish], wish)
            self._books = {BOOKS[wish]}

    def _until_all_have_ended(self, access: Access) -> None:
        self._wait_for(access, lambda: tasks.newest(access.read, 10_000))

    def _until_nothing_is_under_way(self, access: Access) -> None:
        access.pause(LAST_REPLY)

    def _wait_for(self, access: Access, rows: Callable[[], list[TaskRow]]) -> None:
        while not ended(rows()):
            access.pause(2.0)

    def _through(self, act: Callable[[Access], None]) -> None:
        """Do it, on as many desks as it takes."""
        for _ in range(1_000):
            try:
                self._open().pause(1.0)  # nobody asks again at once
                act(self._open())
                return
            except Killed:
                self._kill()
            except (ToldToStop, DeskFailed, StartFailed):
                self._stop()
            except DeskRefused as refused:
                if refused.code not in NOT_NOW:
                    raise
                self.storm.hits[f"person: refused, {refused.code}"] += 1
            except RoundFailed:
                if self.mild:
                    raise
                self.storm.hits["asked again"] += 1
        raise AssertionError("it takes too many desks")

    # What becomes of the desk

    def _open(self) -> Access:
        if self._desk is None:
            chance = random.Random(self.seed).random
            edges = Edges(self._make_system, chance, Programs, lambda _: Places())
            self._desk = Desk(self.home, self._settings(), edges, serve=False)
            self._desk.start()
        return self._desk.access

    def _settings(self) -> Settings:
        return Settings(watch=("MSFT",), threads=self.threads, processes=self.processes, grace=GRACE)

    def _staged(self) -> Mapping[str, Callable[[Ref[Any]], Actor[Any]]]:
        return {"source": lambda ref: SharedSample()}

    def _new_system(self, *args: Any) -> StormySystem:
        return StormySystem(*args)

    def _make_system(
        self, publish: Callable[[object], None], flush: Callable[[ReplyTo[Committed | Refused]], None]
    ) -> StormySystem:
        self.lives += 1
        seed = 100 * self.seed + self.lives
        self._system = self._new_system(seed, self.storm, self.rooms, publish, flush, self._staged())
        self._system.manual.manual.now = self._now
        return self._system

    def _kill(self) -> None:
        """The next desk finds the files as they are at this moment."""
        old, self.home = self.home, Home(self.place / f"{self.lives}")
        self.home.path.mkdir()
        for name in ("desk.sqlite3", "desk.sqlite3-wal"):
            if (file := old.path / name).exists():
                shutil.copyfile(file, self.home.path / name)
        if "database" in self._system.living:
            self._system.living["database"].on_stop()
        self._ended()

    def _stop(self) -> None:
        assert self._desk is not None
        begun = self._system.clock.monotonic()
        try:
            assert self._desk.stop() == []
        except (Killed, ToldToStop):  # a second signal ends at once
            self._kill()
            return
        refused = any(isinstance(message, Drain) for _, message, _ in self._system.recorder.dead)
        late = self._system.clock.monotonic() - begun > GRACE / 4
        crashed = any(retry_in is None for _, _, retry_in in self._system.recorder.crashes)
        told = self._system.failed.result() == TOLD
        self._ended(drained=told and not (refused or late or crashed))

    def _ended(self, *, drained: bool = False) -> None:
        assert self._desk is not None
        self._now = self._system.clock.monotonic() + 1.0
        self._count()
        self._kept |= {key for key, probe in self._system.submitted if Submitted in map(type, probe.received)}
        self._desk.access.read.close()
        self._desk = None
        read = Reader(self.home.database)
        self._nothing_acknowledged_is_lost(read)
        if drained:
            self.storm.hits["drained"] += 1
            assert not [row for row in tasks.newest(read, 10_000) if row.state == "leased"], "drained, and yet leased"
            assert all(len(probe.received) == 1 for _, probe in self._system.submitted), "submitted, and not answered"
        read.close()

    def _count(self) -> None:
        recorder, hits = self._system.recorder, self.storm.hits
        for actor, message, why in recorder.dead:
            if why == "full":
                hits[f"{actor}: full"] += 1
                hits["settling refused, full"] += isinstance(message, Write) and isinstance(message.reply_to, Promise)
        for _, error, retry_in in recorder.crashes:
            assert isinstance(error, (InjectedCrash, InjectedError, WriteLost, books.WriteLost, paper.WriteLost)), error
            hits["down"] += retry_in == RETRY

    # What must be so

    def _nothing_acknowledged_is_lost(self, read: Reader) -> None:
        rows = tasks.newest(read, 10_000)
        assert not self._kept - {row.key for row in rows}
        assert max((row.attempts for row in rows), default=0) <= ATTEMPTS
        assert (ledger.cash(read), tuple((held.symbol, held.quantity) for held in ledger.held(read))) in self._books
        unbalanced = """SELECT transaction_id FROM ledger_entries GROUP BY transaction_id, symbol
            HAVING sum(amount) <> 0 OR sum(quantity) <> 0"""
        assert not read.rows(tuple[int], unbalanced)
        too_early = """SELECT task FROM task_needs JOIN tasks ON tasks.id = task
            WHERE state IN ('queued', 'leased', 'done') AND (SELECT state FROM tasks WHERE id = needs) <> 'done'"""
        assert not read.rows(tuple[int], too_early)
        for kind, contents in _contents(read).items():
            done = {_about(row) for row in rows if row.type == kind and row.state == "done"}
            assert done == set(contents), f"{kind}: a task is done if, and only if, its effect is there"

    def _all_hands_are_back(self) -> None:
        coordinator = self._system.living["tasks"]
        assert (coordinator._hands._free, coordinator._leased, coordinator._given_up) == (list(FREE), {}, set())
        assert (coordinator._writing, len(coordinator._line)) == (None, 0)

    def _every_task_has_ended(self, read: Reader) -> None:
        for row in tasks.newest(read, 10_000):
            if row.state == "done":
                assert row.error is None
            else:
                assert row.state == "dead"
                assert not self.mild
                assert row.type == "refresh_bars"
                assert DEATH.match(row.error or ""), row
            self.storm.hits["tried again"] += row.attempts - 1

    def _nobody_waited_in_vain(self) -> None:
        hits = self.storm.hits.keys()
        lost = any(hit.startswith(("lose ", "late ")) for hit in hits)
        assert lost or not any(hit.endswith(", late") for hit in hits), hits


def _about(row: TaskRow) -> tuple[str, str]:
    return row.correlation_id, "" if row.type == "value_portfolio" else row.key.split("/")[1]


def _contents(read: Reader) -> Contents:
    queries = {
        "value_portfolio": "SELECT correlation_id, '', payload FROM valuations",
        "facts": "SELECT correlation_id, symbol, payload FROM fact_sheets",
        "recommendation": "SELECT correlation_id, symbol, payload FROM decisions",
    }
    return {
        kind: {(each, symbol): payload for each, symbol, payload in read.rows(tuple[str, str, str], sql)}
        for kind, sql in queries.items()
    }
