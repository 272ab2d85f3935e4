"""A whole desk that trades, in storms that a seed picks. One of them again: `SEEDS=1 SEED=n pytest tests/simulation`.

With an even seed orders go to the staged exchange, with an odd one to the paper broker.
"""

import os
import random
import shutil
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.errand import Errand
from tests.simulation.floor import BROKEN, LOST, brew
from tests.simulation.seeds import FIRST, SEEDS, assert_hit, hits_of
from tests.simulation.storm import Fault, Storm
from tests.simulation.venture import Venture, open_books

ENDS: Final = {f"order {state}" for state in ("cancelled", "denied", "filled", "staged", "working")}
OFTEN: Final = {
    *ENDS, "HALT", "HALTED", "Refused", "Said", "database: full", "drained", "executions", "fill", "fill of a leg",
    "halted in the end", "send", "trading: Kept refused, full",
}  # fmt: skip
"""What any thirty-five storms hit."""
NOW_AND_THEN: Final = {
    *(f"{kind} {actor}".strip() for kind, actor in (*BROKEN, *LOST)),
    "REDUCING", "down", "order expired", "order lapsed", "order refused", "order rejected", "rubbish", "sent again",
    "trading: Looked refused, late", "trading: Sent refused, crashed", "trading: Sent refused, down",
    "trading: Sent refused, late", "trading: Sent refused, unknown",
}  # fmt: skip
"""What any three hundred and fifty hit."""


@pytest.fixture(scope="module")
def template(memory: Path) -> Path:
    """A home in which the books are open."""
    (empty := memory / "empty").mkdir()
    return open_books(memory / "template", empty)


def live(seed: int, place: Path, template: Path) -> Counter[str]:
    storm = brew(random.Random(seed))
    venture = Venture(seed, place, template, storm, on_paper=seed % 2 == 1)
    try:
        return venture.tell() + Counter(desks=venture.lives, turns=storm.turn)
    except BaseException:
        print(f"life {venture.lives}, turn {storm.turn}")
        raise


@pytest.mark.parametrize("block", range(2))
def test_no_order_is_sent_twice_or_lost_or_after_a_halt_and_the_books_agree_whatever_befalls_the_desk(
    block: int, memory: Path, template: Path
) -> None:
    half = int(SEEDS or 70) // 2

    hits = hits_of(range(FIRST + block * half, FIRST + (block + 1) * half), memory, partial(live, template=template))

    assert_hit(hits, OFTEN)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(2))
def test_the_same_in_more_storms(block: int, memory: Path, template: Path) -> None:
    half = int(SEEDS or 700) // 2

    hits = hits_of(range(FIRST + block * half, FIRST + (block + 1) * half), memory, partial(live, template=template))

    assert_hit(hits, OFTEN | NOW_AND_THEN)


def killed_at(turns: range, memory: Path, template: Path, *, on_paper: bool) -> None:
    memory = Path(tempfile.mkdtemp(dir=memory))
    whole = Errand(1, memory / "whole", template, Storm(()), on_paper=on_paper)
    told = whole.run()
    for turn in turns:
        if turn >= whole.turns:
            break
        place = memory / f"{turn}"
        errand = Errand(1, place, template, Storm([Fault(turn, "kill")]), on_paper=on_paper)
        try:
            assert errand.run() == told
        except BaseException:
            print(f"killed at turn {turn} of {whole.turns}")
            raise
        assert errand.hits["kill"] == 1
        shutil.rmtree(place)


@pytest.mark.parametrize("on_paper", [False, True])
def test_a_purchase_ends_the_same_whenever_the_desk_is_killed(on_paper: bool, memory: Path, template: Path) -> None:
    killed_at(range(5, 2_000, 40), memory, template, on_paper=on_paper)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("on_paper", [False, True])
def test_the_same_in_more_places(on_paper: bool, memory: Path, template: Path) -> None:
    """Every fourth; between any two messages with PLACES=1."""
    killed_at(range(0, 2_000, int(os.environ.get("PLACES", "4"))), memory, template, on_paper=on_paper)
