"""SIGKILL of the pid alone, at every commit and at any moment: what was accepted is done once, and nothing is lost."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from signal import SIGKILL
from threading import Event

import pytest

from tests.end_to_end.conftest import Undisturbed
from tests.end_to_end.places import ENDED, Place, until

DYING = Path(__file__).with_name("dying.py")
SHARES = 4
"""Tests among which the commits are dealt out, so that they run side by side."""


def killed_at(place: Place, when: str, number: int) -> bool:
    """Run `once` with a kill at this commit; False if it has not that many."""
    ended = place.run(when, str(number), "once", "--json", script=DYING)
    assert ended.code in (-SIGKILL, 0), ended
    until(lambda: not place.children, "end of all processes", 2.0)
    return ended.code != 0


def assert_whole(place: Place, undisturbed: Undisturbed) -> None:
    """An undisturbed `once` ends well, as on a desk that nothing has happened to, and all is there once."""
    assert place.once() == undisturbed.report

    states = Counter(state for (state,) in place.rows("SELECT state FROM tasks"))
    assert set(states) <= ENDED, states
    keys = [key for (key,) in place.rows("SELECT key FROM tasks WHERE type <> 'refresh_bars'")]
    assert len(keys) == len(set(keys)) == 11
    symbols = [("AAPL",), ("FB",), ("GOOG",), ("IBM",), ("MSFT",)]
    for table in ("decisions", "fact_sheets"):
        assert place.rows(f"SELECT symbol FROM {table} ORDER BY symbol") == symbols
    assert place.rows("SELECT count(*) FROM valuations") == [(1,)]
    assert place.rows("SELECT count(*), min(kind) FROM ledger_transactions") == [(1, "opening")]
    assert place.rows("SELECT sum(amount) FROM ledger_entries") == [(0,)]
    by_symbol = "SELECT symbol, sum(quantity), count(*) FROM ledger_entries GROUP BY symbol ORDER BY symbol"
    assert place.rows(by_symbol) == [(None, 0, 2), *((symbol, 0, 2) for (symbol,) in symbols)]
    assert place.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(("when", "number"), [("after", 3), ("before", 6), ("after", 9)])
def test_a_kill_at_a_commit_loses_nothing_and_doubles_nothing(
    place: Place, undisturbed: Undisturbed, when: str, number: int
) -> None:
    assert killed_at(place, when, number)

    assert_whole(place, undisturbed)


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("when", "share"), [("before", 0), ("after", 1), ("before", 2), ("after", 3)])
def test_a_kill_at_any_commit_loses_nothing_and_doubles_nothing(
    places: Callable[[], Place], undisturbed: Undisturbed, when: str, share: int
) -> None:
    died = 0
    for number in count(share + 1, SHARES):
        place = places()
        if not killed_at(place, when, number):
            break
        died += 1
        assert_whole(place, undisturbed)
    assert died >= 2, "these were not all commits"


@pytest.mark.long
@pytest.mark.parametrize("number", range(4))
def test_a_desk_killed_commit_after_commit_comes_to_the_same_end(
    place: Place, undisturbed: Undisturbed, number: int
) -> None:
    for when in ("before", "after", "before"):
        killed_at(place, when, 5 + 2 * number)

    assert_whole(place, undisturbed)


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("test", range(2))
def test_kills_at_random_moments_lose_nothing_and_double_nothing(
    places: Callable[[], Place], undisturbed: Undisturbed, test: int
) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)

    for kills in (1, 2, 1 + test):
        place = places()
        for _ in range(kills):
            kill_after(place, chance.uniform(0.0, 0.8))
        assert_whole(place, undisturbed)


def kill_after(place: Place, seconds: float) -> None:
    """Kill `once` so many seconds after it has begun to make its home its own."""
    program = place.start("once", "--json")
    until(lambda: program.ended or (place.home / "lock").exists(), "start")
    Event().wait(seconds)
    program.kill()
    until(lambda: not place.children, "end of all processes", 2.0)
