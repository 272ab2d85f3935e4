"""The whole desk in storms that a seed picks. One of them again: `SEEDS=1 SEED=n pytest tests/simulation`."""

import random
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.seeds import FIRST, SEEDS, assert_hit, hits_of
from tests.simulation.storm import NEVER_REBUILT, REBUILT, brew
from tests.simulation.story import Contents, Story, Wish

Wishes = tuple[Wish, ...]
SHORT: Final[Wishes] = ("first holdings", "round")
LONG: Final[Wishes] = (*SHORT, "second holdings", "round")
OFTEN: Final = {
    "kill", "stop", "drained", "tried again", "submit",
    "tasks: lease refused, crashed", "tasks: lease refused, full", "tasks: lease refused, gated",
    "tasks: lease refused, late",
}  # fmt: skip
"""What any thirty storms hit."""
NOW_AND_THEN: Final = {
    *(f"crash {actor}" for actor in (*REBUILT, *NEVER_REBUILT)),
    *(f"{kind} {actor}" for kind in ("raise", "lose", "late") for actor in (*REBUILT, "workers")),
    *(f"{kind} {actor}" for kind in ("slow", "gate") for actor in ("market", "research", "workers")),
    *(f"{actor}: full" for actor in ("database", "tasks", "workers", "market", "source", "research")),
    "lose database", "tasks: Writing refused, late", "tasks: Writing refused, down",
    "tasks: Writing refused, full", "tasks: lease refused, down",
    "market: Run refused, crashed", "market: Run refused, full", "market: Run refused, late",
    "settling refused, full", "down", *(f"break {actor}" for actor in REBUILT),
}  # fmt: skip
"""What any two hundred and fifty hit."""


@pytest.fixture(scope="module")
def template(memory: Path) -> Path:
    """A home in which a desk has been started and stopped."""
    (empty := memory / "empty").mkdir()
    story = Story(0, memory / "template", empty, ())
    story.live()
    return story.home.path


@pytest.fixture(scope="module")
def undisturbed(memory: Path, template: Path) -> Mapping[Wishes, Contents]:
    """What the desk works out when nothing goes wrong."""
    return {
        wishes: Story(0, memory / f"undisturbed {len(wishes)}", template, wishes).live() for wishes in (SHORT, LONG)
    }


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a refresh looks every two seconds: a second of the test's clock costs as much as one of ours."""
    monkeypatch.setattr("actors.console.rounds.LOOK", 2.0)


def in_a_storm(seed: int, place: Path, template: Path) -> Story:
    chance = random.Random(seed)
    mild, wishes = chance.random() < 0.8, LONG if chance.random() < 0.25 else SHORT
    actors = ("database", "database", "workers", "market", "source", "research", "trading", "tasks")
    rooms = {chance.choice(actors): chance.choice((1, 1, 2, 3)) for _ in range(chance.randrange(4))}
    storm = brew(chance, mild=mild, turns=110 if wishes is SHORT else 180)
    return Story(seed, place, template, wishes, storm, rooms, chance.choice((1, 1, 2, 3)), mild)


def live(seed: int, place: Path, template: Path, undisturbed: Mapping[Wishes, Contents]) -> Counter[str]:
    story = in_a_storm(seed, place, template)
    try:
        assert story.live() == undisturbed[story.wishes]
    except BaseException:
        print(f"life {story.lives}, turn {story.storm.turn}: {story}")
        raise
    return story.storm.hits + Counter(desks=story.lives, turns=story.storm.turn)


@pytest.mark.parametrize("block", range(2))
def test_every_task_ends_and_its_effects_are_there_once_whatever_befalls_the_desk(
    block: int, memory: Path, template: Path, undisturbed: Mapping[Wishes, Contents]
) -> None:
    seeds = range(FIRST + block, FIRST + int(SEEDS or 60), 2)

    hits = hits_of(seeds, memory, partial(live, template=template, undisturbed=undisturbed))

    assert_hit(hits, OFTEN)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(4))
def test_the_same_in_more_storms(
    block: int, memory: Path, template: Path, undisturbed: Mapping[Wishes, Contents]
) -> None:
    seeds = range(FIRST + block, FIRST + int(SEEDS or 900), 4)

    hits = hits_of(seeds, memory, partial(live, template=template, undisturbed=undisturbed))

    assert_hit(hits, OFTEN | NOW_AND_THEN)
