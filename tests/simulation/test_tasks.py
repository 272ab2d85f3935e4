"""The queues alone under orders, crashes and kills that a seed picks. One of them again: `SEED=n SEEDS=1 pytest …`."""

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from actors.kernel.me import Me
from actors.kernel.testing import Probe
from messages.addresses import Refused
from messages.database import Write
from messages.tasks import (
    CancelTask,
    Done,
    Finished,
    NewTask,
    Pause,
    Progressed,
    RefreshBars,
    Requeue,
    Resume,
    Run,
    Submit,
    Submitted,
)
from messages.values import Symbol
from storage import task_orders, tasks
from storage.connections import Reader
from storage.home import Home
from storage.tasks import QUEUES
from tests.actors.queues import ROUND, Hand, Queues, effects, key, note
from tests.simulation.seeds import FIRST, SEEDS, assert_hit, hits_of

WANTED: Final = {"Submitted", "Refused", "Done", "done", "dead", "cancelled", "killed", "crashed"}
ENDED: Final = {"done", "dead", "cancelled"}
ATTEMPTS: Final = 4
LIVES: Final = 5


class Moody(Hand):
    """Does its task, late, or not, or not yet, or crashes on it."""

    def __init__(self, me: Me[Run], story: "Story") -> None:
        super().__init__(me)
        self.story = story

    def on_receive(self, run: Run) -> None:
        story, luck = self.story, self.story.chance.random()
        if story.calm or luck < 0.6:
            run.reply_to.tell(Finished(run.lease, (note(key(run)),)))
        elif luck < 0.7:
            run.reply_to.refuse("limited", "later", self.me.clock.utc() + story.chance.randrange(3_000_000))
        elif luck < 0.8:
            run.reply_to.refuse("broken", "it broke")
        elif luck < 0.83:
            run.reply_to.refuse("invalid", "no good")
        elif luck < 0.85:
            raise ValueError("it crashed")
        else:
            story.held.append(run)


@dataclass(slots=True)
class Story:
    """What a seed makes of a home's queues; `at_pause` is what was leased of a paused queue when it was paused."""

    seed: int
    home: Home
    chance: random.Random = field(init=False)
    hits: Counter[str] = field(default_factory=Counter[str])
    calm: bool = False
    held: list[Run] = field(default_factory=list[Run])
    keys: list[str] = field(default_factory=list[str])
    kept: set[str] = field(default_factory=set[str])
    submitted: list[tuple[list[str], Probe[Any]]] = field(default_factory=list[tuple[list[str], Probe[Any]]])
    pausing: dict[str, Probe[Any]] = field(default_factory=dict[str, Probe[Any]])
    at_pause: dict[str, set[tuple[int, int]]] = field(default_factory=dict[str, set[tuple[int, int]]])

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def live(self) -> Counter[str]:
        now = 0.0
        for life in range(1, LIVES + 1):
            self.calm = life == LIVES
            queues = self._desk(now)
            if self.calm:
                self._peace(queues)
                break
            for number in range(self.chance.randrange(20, 60)):
                self._act(queues)
                if number % 3 == 0:
                    self._check(queues.read)
                if queues.system.failed.done():
                    self.hits["crashed"] += 1
                    break
            else:
                self.hits["killed"] += 1
            now = queues.system.clock.monotonic() + 1
        return self.hits

    def _desk(self, at: float) -> Queues:
        capacity = 1_000 if self.calm else self.chance.choice((1, 2, 1_000))
        self.held.clear()
        for queue in self.at_pause:
            self.at_pause[queue] = set()  # what was leased is queued again, and stays so
        for queue in {*self.pausing, *QUEUES}:
            self.pausing.pop(queue, None)
        return Queues(
            self.home, seed=self.seed, hands=(3, 1), at=at, capacity=capacity, chance=self.chance.random,
            worker=lambda me: Moody(me, self), room=self.chance.choice((1, 3, 1_000)),
        ).start()  # fmt: skip

    def _act(self, queues: Queues) -> None:
        chance, probe, ids = self.chance, Probe[Any](), self.chance.randrange(1, len(self.keys) + 2)
        queue = chance.choice(QUEUES)
        match chance.choice(("submit", "submit", "pause", "resume", "cancel", "requeue", "tell", "crowd", "crash")):
            case "submit":
                self._submit(queues, probe)
            case "pause":
                queues.tasks.tell(Pause(queue, probe))
                self.pausing.setdefault(queue, probe)
            case "resume":
                queues.tasks.tell(Resume(queue, probe))
                self.pausing.pop(queue, None)
                self.at_pause.pop(queue, None)
            case "cancel":
                queues.tasks.tell(CancelTask(ids, probe))
            case "requeue":
                queues.tasks.tell(Requeue(ids, probe))
            case "tell" if self.held:
                run = self.held.pop(chance.randrange(len(self.held)))
                queues.tasks.tell(Progressed(run.lease, chance.random()))
                if chance.random() < 0.7:
                    run.reply_to.tell(Finished(run.lease, (note(key(run)),)))
            case "crowd":
                queues.database.tell(Write((), probe))
            case "crash" if chance.random() < 0.1:
                queues.system.crash(chance.choice((queues.tasks, queues.database)), after=chance.randrange(4))
            case _:
                pass
        for _ in range(chance.choice((0, 1, 5, 1_000))):
            if not queues.system.turn():
                break
        if chance.random() < 0.2:
            queues.system.advance(chance.choice((0.2, 2.0, 20.0, 61.0)))
        self.hits.update(type(answer).__name__ for answer in probe.received)

    def _submit(self, queues: Queues, probe: Probe[Submitted | Refused]) -> None:
        chance, new = self.chance, list[NewTask]()
        for _ in range(chance.randrange(1, 5)):
            name = f"t{len(self.keys)}" if chance.random() < 0.9 or not self.keys else chance.choice(self.keys)
            known = sorted(self.kept | {task.key for task in new})
            needs = tuple({chance.choice(known) for _ in range(chance.randrange(3))} if known else ())
            self.keys += [name] if name not in self.keys else []
            new.append(
                NewTask(name, chance.choice(QUEUES), RefreshBars(Symbol(name)), chance.randrange(1, 11),
                        chance.random() < 0.2, needs)
            )  # fmt: skip
        queues.tasks.tell(Submit(tuple(new), ROUND, probe))
        self.submitted.append(([task.key for task in new], probe))

    def _check(self, read: Reader) -> None:
        rows = tasks.newest(read, 10_000)
        for queue, probe in self.pausing.items():
            if queue not in self.at_pause and any(isinstance(answer, Done) for answer in probe.received):
                self.at_pause[queue] = _leased(rows, queue)
        for queue, were in self.at_pause.items():
            assert _leased(rows, queue) <= were, f"leased of {queue}, which is paused"
        self.kept |= {
            name for names, probe in self.submitted if Submitted in map(type, probe.received) for name in names
        }
        assert self.kept <= {row.key for row in rows}
        assert all(0 <= row.attempts <= ATTEMPTS for row in rows)
        assert sorted(row.key for row in rows if row.state == "done") == effects(read)
        assert not [row for row in rows if (row.error or "").startswith("statement")]
        counted = Counter((row.queue, row.state) for row in rows)
        assert tasks.counts(read) == counted

    def _peace(self, queues: Queues) -> None:
        """No orders any more, nothing goes wrong: everything comes to an end."""
        for queue in QUEUES:
            queues.tasks.tell(Resume(queue, Probe[Any]()))
        self.at_pause.clear()
        queues.system.advance(600)
        rows = tasks.newest(queues.read, 10_000)
        assert {row.state for row in rows} <= ENDED, [row for row in rows if row.state not in ENDED]
        assert task_orders.paused(queues.read) == set()
        self._check(queues.read)
        self.hits.update(row.state for row in rows)
        assert not queues.system.failed.done()
        queues.stop()


def _leased(rows: list[tasks.TaskRow], queue: str) -> set[tuple[int, int]]:
    return {(row.id, row.attempts) for row in rows if row.queue == queue and row.state == "leased"}


def live(seed: int, place: Path) -> Counter[str]:
    place.mkdir()
    return Story(seed, Home(place)).live()


def test_every_task_ends_and_no_order_is_broken_whatever_befalls_the_queues(memory: Path) -> None:
    assert_hit(hits_of(range(FIRST, FIRST + int(SEEDS or 12)), memory, live), WANTED)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(2))
def test_the_same_in_more_stories(block: int, memory: Path) -> None:
    assert_hit(hits_of(range(FIRST + block, FIRST + int(SEEDS or 300), 2), memory, live), WANTED)
