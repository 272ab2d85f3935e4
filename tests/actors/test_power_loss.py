"""The power fails: what was answered as kept is on the disk, once, whatever had not been synced."""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from messages.database import Statement, Write
from storage.home import Home
from tests.disk import Disk, Loss
from tests.lives import AnswerLost, Life, assert_whole
from tests.seams import watching

UNSYNCED = Statement("PRAGMA synchronous=NORMAL")
"""After this the writer commits without waiting for the disk. It must come alone: in a transaction it does nothing."""


@dataclass
class History:
    """One line of a desk's lives, each of which began with what the loss before it had left."""

    place: Path
    seed: int
    noted: list[str] = field(default_factory=list[str])
    losses: Counter[str] = field(default_factory=Counter[str])
    answers: int = 0
    lost: int = 0
    unsynced: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._left, self._number = Loss("never", {}, 0), 0

    def live(self, sessions: int, often: float) -> None:
        """Start from what was left, work through so many starts and stops, and look at each loss of power meanwhile."""
        home = Home(self.place / f"life {self._number}")
        self._left.write(home.path)
        del self.noted[self._left.noted :]
        disk = Disk(home.path, self.chance, self.noted, often)
        with watching(disk):
            for _ in range(sessions):
                self._number += 1
                life = Life(home, self._number, self.chance.randrange(10**9), self.noted.append).start()
                if self.unsynced:
                    life.ask(life.database, "", lambda reply_to: Write((UNSYNCED,), reply_to))
                life.load(4, ballast=self.chance.random() < 0.1)
                life.finish()
        for number, loss in enumerate(disk.losses):
            self._look(loss, self.place / f"life {self._number}, loss {number}")
        if disk.losses:
            self._left = self.chance.choice(disk.losses)

    def _look(self, loss: Loss, path: Path) -> None:
        """Start as ever on what a loss has left, come to an end, and see that all is there."""
        self.losses[loss.when] += 1
        self.answers += loss.noted
        loss.write(path)
        home, noted = Home(path), self.noted[: loss.noted]
        print(f"the power fails {loss.when}, after {loss.noted} answers")
        Life(home, self._number + 1, 0, noted.append, last=True).start().finish()
        try:
            assert_whole(home.database, noted, ended=True)
        except AnswerLost:
            if not self.unsynced:
                raise
            self.lost += 1
        shutil.rmtree(path)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, where there is one: what is synced and what is not is the test's affair."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
        yield Path(place)


def history(place: Path, wanted: int, often: float, *, unsynced: bool = False) -> History:
    """Lives until the power has failed so often, or something is lost."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    made = History(place, seed, unsynced=unsynced)
    while made.losses.total() < wanted and not made.lost:
        made.live(2, often)
    print(
        f"{made.losses.total()} losses of power at {len(made.losses)} distinct boundaries, {made.lost} of them lost "
        f"some of the {made.answers} answers that were looked for"
    )
    return made


def test_what_was_kept_is_there_after_a_loss_of_power(memory: Path) -> None:
    history(memory, 20, 0.2)


@pytest.mark.long
@pytest.mark.parametrize("share", range(2))
def test_what_was_kept_is_there_after_a_loss_of_power_at_any_moment(
    memory: Path, share: int, record_property: Callable[[str, object], None]
) -> None:
    losses = history(memory, 150, 0.25).losses

    record_property("loss of power", list(losses.elements()))
    assert len(losses) >= 8, losses


def test_a_database_that_does_not_sync_each_commit_loses_answered_writes(memory: Path) -> None:
    assert history(memory, 500, 0.2, unsynced=True).lost
