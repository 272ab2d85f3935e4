"""A halt of the schema before positions could be closed by one is held to what it was for."""

import pytest

from messages.trading import TradingState
from storage import states
from storage.connections import Reader, fetch
from storage.home import Home
from storage.migrations import known, open_for_writing
from tests.storage.conftest import FIXED

BEFORE = next(number for number, step in enumerate(known()) if step.name.endswith("_exits"))


@pytest.mark.parametrize(
    ("why", "cause"),
    [
        ("reconciliation: paper has 1 of cash, the books say 2", "books"),
        ("execution e1: its order is none of this desk", "books"),
        ("ledger: entries do not sum to zero", "books"),
        ("4.1 % was lost since the day's start", "person"),
        ("a person has halted it", "person"),
    ],
)
def test_what_was_halted_for_the_books_is_never_flattened_by_them(home: Home, why: str, cause: str) -> None:
    old = open_for_writing(home, FIXED, 0, steps=known()[:BEFORE])
    fetch(old.raw, "INSERT INTO trading_states (scope, state, why, at) VALUES ('paper', 'HALTED', ?, 7)", (why,))
    old.close()
    open_for_writing(home, FIXED, 0).close()

    read = Reader(home.database)

    assert states.state(read, "paper") == (TradingState.HALTED, why)
    assert states.halts(read, "paper") == [states.Halt("paper", why, cause, flatten=False, at=7)]  # type: ignore[arg-type]
