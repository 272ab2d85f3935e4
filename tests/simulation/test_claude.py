"""The gateway in storms that a seed picks. One again: `SEEDS=1 SEED=n pytest tests/simulation/test_claude.py`."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from messages.claude import Cause
from storage.home import Home
from tests.actors.claude.gateways import Gateways
from tests.simulation.claude import Tale
from tests.simulation.seeds import FIRST, SEEDS, assert_hit, hits_of

OFTEN: Final = {
    "ask", "cancel", "watch", "reset", "prepare", "crash", "kill", "crowd", "wait", "midnight", "haunt", "full",
    "good", "slow", "hangs", "stops", "fault", "opens badly", "clears badly", "crashed", "left open", "lost talk",
    "breaker open", "breaker half_open", "breaker closed", "probe", "end answered", "end crashed", "end cancelled",
    "end deadline", "end timeout", "end server", "end circuit_open", "end budget", "end authentication",
}  # fmt: skip
"""What any sixty storms hit."""
NOW_AND_THEN: Final = {
    *(f"end {cause}" for cause in Cause),
    "end down",
    "agrees no more",
    "watched again",
    "rebuilding",
}
"""What any two hundred and fifty hit."""


@pytest.fixture(scope="module")
def template(memory: Path) -> Path:
    """A home in which a desk has been started and stopped."""
    home = Home(memory / "template")
    home.take()
    Gateways(home).start().stop()
    home.release()
    return home.path


def live(seed: int, place: Path, template: Path) -> Counter[str]:
    place.mkdir()
    return Tale(seed, place, template).tell()


@pytest.mark.parametrize("block", range(2))
def test_every_question_ends_once_and_every_dollar_is_kept_whatever_befalls_the_gateway(
    block: int, memory: Path, template: Path
) -> None:
    seeds = range(FIRST + block, FIRST + int(SEEDS or 120), 2)

    hits = hits_of(seeds, memory, partial(live, template=template))

    assert_hit(hits, OFTEN)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(8))
def test_the_same_in_more_storms(block: int, memory: Path, template: Path) -> None:
    seeds = range(FIRST + block, FIRST + int(SEEDS or 2_000), 8)

    hits = hits_of(seeds, memory, partial(live, template=template))

    assert_hit(hits, OFTEN | NOW_AND_THEN)
