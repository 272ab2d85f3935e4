"""A desk that is killed while it asks Claude: no program outlives it, and nothing is lost, doubled or paid unseen."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM
from threading import Event
from typing import Final

import pytest

from tests.end_to_end.claude_places import ClaudePlace, actions, analysts, claude_place
from tests.end_to_end.places import ENDED, Program, until
from tests.stub.analyst import Analyst, asked
from tests.stub.behaviours import SaysNothing

SYMBOLS: Final = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
AMPLE: Final = {"TROUPE_CLAUDE__MAX_USD_PER_ROUND": "20", "TROUPE_CLAUDE__MAX_USD_PER_DAY": "20"}
"""Dollars; what was reserved when the desk was killed is charged in full, and a round is over after a few kills."""


@pytest.fixture
def place() -> Iterator[ClaudePlace]:
    with claude_place() as made:
        yield made


def start(place: ClaudePlace) -> Program:
    """Begin a round by Claude."""
    return place.start("once", "--claude", "on", "--json")


def commands(place: ClaudePlace) -> list[str]:
    """What the processes of this place were started as."""
    found = list[str]()
    for pid in place.children:
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode())
        except OSError:
            continue
    return found


def claudes(place: ClaudePlace) -> int:
    """How many Claude programs of this place are alive."""
    return sum(command.endswith("claude") for command in commands(place))


def gone(place: ClaudePlace) -> None:
    """No process of this place is left, two seconds later at the latest, and the stub has noticed."""
    until(lambda: not place.children, "end of all processes", 2.0)
    assert place.stub.wait_until(lambda stub: stub.in_flight == 0)


def in_the_middle(place: ClaudePlace) -> Program:
    """A desk whose first question is being answered, for a long time."""
    place.hold()
    place.stub.default = Analyst(seconds=60.0)
    program = start(place)
    place.stub.wait_for_request(within=60.0)
    assert claudes(place) == 1
    return program


@pytest.mark.long
def test_a_desk_killed_while_an_answer_streams_leaves_no_program(place: ClaudePlace) -> None:
    program = in_the_middle(place)

    program.send(SIGKILL)

    assert program.wait().code == -SIGKILL
    gone(place)


@pytest.mark.long
def test_a_desk_told_to_stop_while_an_answer_streams_ends_in_time_and_leaves_no_program(place: ClaudePlace) -> None:
    program = in_the_middle(place)

    program.send(SIGTERM)
    ended = program.wait()

    assert (ended.code, ended.out) == (130, ""), ended
    assert ended.err.splitlines()[-1] == "interrupted; what was committed is kept"
    assert "did not stop in time" not in ended.err
    gone(place)
    assert place.left == []
    ((cost, reserved, outcome),) = place.rows("SELECT cost, reserved, outcome FROM claude_questions")
    assert 0 < cost <= reserved
    assert outcome == "cancelled"
    place.stub.default = Analyst()
    report = place.ask()
    assert actions(report) == {"AAPL": "SELL"}


@pytest.mark.long
def test_a_second_signal_ends_the_desk_at_once_and_its_program_with_it(place: ClaudePlace) -> None:
    program = in_the_middle(place)

    program.send(SIGTERM)
    program.send(SIGTERM)

    program.wait()
    gone(place)


@pytest.mark.long
def test_what_was_under_way_is_charged_in_full_and_asked_again(place: ClaudePlace) -> None:
    program = in_the_middle(place)
    program.send(SIGKILL)
    program.wait()
    gone(place)
    place.stub.default = Analyst()

    report = place.ask()

    first, second = place.rows("SELECT cost, reserved, outcome FROM claude_questions ORDER BY asked_at")
    assert first[0] == first[1]
    assert first[2] == "crash"
    assert second[0] < second[1]
    assert second[2] == "answered"
    assert (analysts(report), len(place.stub.requests)) == ({"claude"}, 2)
    assert place.rows("SELECT symbol FROM decisions") == [("AAPL",)]


@pytest.mark.long
def test_a_program_killed_from_outside_is_no_view_and_the_next_question_is_answered(place: ClaudePlace) -> None:
    place.hold("symbol,quantity,cost\nAAPL,10,100\nIBM,10,100\n")
    place.stub.will(SaysNothing())
    program = start(place)
    place.stub.wait_for_request(within=60.0)
    (pid,) = [
        pid for pid in place.children if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"claude")
    ]

    os.kill(pid, SIGKILL)
    report = program.wait().json

    lost = asked(place.stub.requests[0].body).symbol
    assert actions(report) == {"AAPL": "SELL", "IBM": "BUY"} | {lost: "ABSTAIN"}
    assert report["claude"]["state"] == "partial"
    assert report["claude"]["cause"].startswith("crash: ")
    gone(place)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(2))
def test_kills_at_random_moments_ask_only_what_was_in_flight_again(place: ClaudePlace, number: int) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}, test {number}")
    chance = random.Random(seed)
    place.stub.default = Analyst(seconds=0.3)
    place.environment |= AMPLE
    kills = 0

    for _ in range(6):
        program = start(place)
        until((place.home / "lock").exists, "start")
        kills += killed_after(place, program, chance.uniform(0.0, 3.0))
    report = place.ask()

    assert report["claude"]["state"] == "answered"
    assert Decimal(report["claude"]["cost_usd"]) == place.spent
    assert_whole(place, kills)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(2))
def test_kills_at_each_question_ask_only_that_one_again(place: ClaudePlace, number: int) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}, test {number}")
    chance = random.Random(seed)
    place.stub.default = Analyst(seconds=0.3)
    place.environment |= AMPLE
    kills = 0

    for request in (1, 2, 4, 6):
        program = start(place)
        until(partial(asked_or_ended, place, program, request), f"request {request}", 60.0)
        kills += killed_after(place, program, chance.uniform(0.0, 0.35))
    report = place.ask()

    assert kills >= 1
    assert report["claude"]["state"] == "answered"
    assert Decimal(report["claude"]["cost_usd"]) == place.spent
    assert_whole(place, kills)


def asked_or_ended(place: ClaudePlace, program: Program, number: int) -> bool:
    """Whether so many requests have come, or no more will."""
    return len(place.stub.requests) >= number or program.ended


def killed_after(place: ClaudePlace, program: Program, seconds: float) -> bool:
    """Kill the round so many seconds later; False if it had ended."""
    Event().wait(seconds)
    if not program.ended:
        program.send(SIGKILL)
    code = program.wait().code
    assert code in (0, -SIGKILL)
    gone(place)
    return code != 0


def assert_whole(place: ClaudePlace, kills: int) -> None:
    """One round, each symbol decided once and by Claude, and of each kill at most one question asked again."""
    assert place.rows("SELECT symbol FROM decisions ORDER BY symbol") == [(symbol,) for symbol in SYMBOLS]
    assert place.rows("SELECT DISTINCT payload ->> 'analyst' FROM decisions") == [("claude",)]
    assert set(Counter(state for (state,) in place.rows("SELECT state FROM tasks"))) <= ENDED
    assert len(place.stub.requests) <= len(SYMBOLS) + kills
    assert max(place.asked.values()) <= 1 + kills
    assert place.stub.most_in_flight == 1
    rows = place.rows("SELECT symbol, cost, reserved, outcome, ended_at FROM claude_questions")
    assert len(rows) >= len(place.stub.requests)
    assert all(cost is not None and ended is not None for _, cost, _, _, ended in rows)
    assert all(cost == reserved for _, cost, reserved, outcome, _ in rows if outcome == "crash")
    answered = Counter(symbol for symbol, *_, outcome, _ in rows if outcome == "answered")
    assert sorted(answered) == SYMBOLS
    assert answered.total() <= len(SYMBOLS) + kills  # one may have been settled and not yet decided
    assert place.rows("PRAGMA integrity_check") == [("ok",)]
