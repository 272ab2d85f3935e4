"""SIGKILL of a desk of writes and queues, some two hundred times: what was answered is kept, and nothing is done twice.

The pid alone is killed, at a boundary aimed at or at any moment; then the next life starts on the same file, as ever.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL
from threading import Event
from time import monotonic

import msgspec
import pytest

from tests.end_to_end.boundaries import Aim, passed
from tests.end_to_end.killing import Order
from tests.lives import CLIENTS, assert_whole

ASKS = 5
"""Requests by each client in a life that is aimed at."""
MANY = 30
"""Requests by each client in a life that is killed at any moment: more than there is time for."""
SHARES = 4


class Nursery:
    """The program that lives are forked from."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("killing.py")
        alone = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "error", str(script)]
        self._program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=alone, text=True, bufsize=1
        )

    def live(self, order: Order, kill_after: float | None = None) -> int:
        """The exit code of a life, which is killed so many seconds after its birth."""
        pid = self._ask(msgspec.json.encode(order, enc_hook=str).decode())
        if kill_after is not None:
            Event().wait(kill_after)
            os.kill(pid, SIGKILL)  # whether or not it has ended: it is not waited for before we say so
        return self._ask("wait")

    def _ask(self, line: str) -> int:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(f"{line}\n")
        return int(self._program.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._program.communicate(timeout=10)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    opened = Nursery()
    yield opened
    opened.close()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, where there is one: a sync takes no time there, and many kills come between two."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
        yield Path(place)


class Stories:
    """Desks that are killed again and again."""

    def __init__(self, nursery: Nursery, place: Path) -> None:
        self.seed = random.SystemRandom().randrange(10**9)
        print(f"seed {self.seed}")
        self._nursery, self._place, self._chance, self._number = nursery, place, random.Random(self.seed), 0
        self.struck, self.kills, self.aimed, self.answers = Counter[str](), 0, 0, 0
        self._census, self._seconds = self._count()

    def _count(self) -> tuple[tuple[dict[str, int], dict[str, int]], float]:
        """How often a life passes each boundary, one on a new file and one on an old; and how long the second takes."""
        place, counts, begun = self._new_place(), list[dict[str, int]](), 0.0
        for number in (1, 2):
            begun = monotonic()
            order = Order(place, number, self._chance.randrange(10**9), ASKS, seams=True, ballast=number == 2)
            assert self._live(order) == 0
            counts.append(passed(order.board)[1])
        return (counts[0], counts[1]), monotonic() - begun

    def _new_place(self) -> Path:
        self._number += 1
        place = self._place / f"story {self._number}"
        place.mkdir()
        return place

    def live(self) -> None:
        """A story of a few kills, and of one life more that comes to its end."""
        place, kills = self._new_place(), self._chance.randint(3, 7)
        for number in range(1, kills + 1):
            seed, aim, seconds = self._chance.randrange(10**9), None, None
            if self._chance.random() < 0.6:
                census = self._census[number > 1]
                boundary = self._chance.choice(sorted(census))
                aim = Aim(boundary, self._chance.randint(1, max(1, census[boundary] * 2 // 3)))
            else:
                seconds = self._chance.uniform(0.0, self._seconds)
            seams = aim is not None or self._chance.random() < 0.5
            far = aim is not None and aim.passing > 100  # only a life with ballast gets so far
            order = Order(place, number, seed, ASKS if aim else MANY, aim, seams, ballast=far or seed % 5 == 0)
            code = self._live(order, seconds)
            if code == -SIGKILL:
                self.kills += 1
                self.aimed += aim is not None
                self.struck[passed(order.board)[0]] += 1
            self._look(order)
        order = Order(place, kills + 1, 0, last=True)
        assert self._live(order) == 0
        self._look(order, ended=True)
        shutil.rmtree(place)

    def _live(self, order: Order, kill_after: float | None = None) -> int:
        code = self._nursery.live(order, kill_after)
        complaint = order.complaint.read_text() if order.complaint.exists() else ""
        assert code in (0, -SIGKILL), f"{order}: {code}\n{complaint}"
        return code

    def _look(self, order: Order, *, ended: bool = False) -> None:
        """Look at a copy, so that nobody but the next life recovers the file."""
        noted = order.noted.read_text().splitlines() if order.noted.exists() else []
        self.answers += len(noted)
        copy = order.place / "copy"
        copy.mkdir()
        for file in order.home.path.glob("desk.sqlite3*"):
            shutil.copy(file, copy)
        database = copy / order.home.database.name
        if noted or ended:  # before the first answer there may be no database, or none with tables
            try:
                assert_whole(database, noted, ended=ended)
            except BaseException:
                print(f"{order}, last passed {passed(order.board)[0]}")
                raise
        shutil.rmtree(copy)


def killed(nursery: Nursery, place: Path, kills: int) -> Stories:
    """Stories with so many kills in all."""
    stories = Stories(nursery, place)
    while stories.kills < kills:
        stories.live()
    print(
        f"{stories.kills} kills, {stories.aimed} of them aimed, at {len(stories.struck)} distinct boundaries; "
        f"{stories.answers} answers looked for"
    )
    return stories


def test_a_killed_desk_has_kept_what_it_answered_and_done_nothing_twice(nursery: Nursery, memory: Path) -> None:
    killed(nursery, memory, 8)


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("share", range(SHARES))
def test_a_desk_killed_anywhere_has_kept_what_it_answered_and_done_nothing_twice(
    nursery: Nursery, memory: Path, tmp_path: Path, share: int, record_property: Callable[[str, object], None]
) -> None:
    stories = killed(nursery, memory if share % 2 else tmp_path, 55)

    record_property("SIGKILL", list(stories.struck.elements()))
    for boundary, times in sorted(stories.struck.items()):
        print(f"{times:4} {boundary}")
    assert len(stories.struck) >= 20, "a kill that strikes at few places proves little"


def test_an_effect_that_is_kept_apart_from_its_task_is_found_twice(nursery: Nursery, memory: Path) -> None:
    place = memory / "story"
    place.mkdir()
    first = Order(place, 1, 1, ASKS * CLIENTS, Aim("hands | hand: effect kept apart", 1), wrong=True)

    assert nursery.live(first) == -SIGKILL
    assert nursery.live(Order(place, 2, 2, last=True, wrong=True)) == 0

    with pytest.raises(AssertionError, match="there twice"):
        assert_whole(first.home.database, [], ended=True)
