"""Splits and dividends by the real program: a file beside the prices, a round, and SIGKILL in between."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.end_to_end.places import Place, until

DYING = Path(__file__).with_name("dying.py")
HEADER = "date,open,high,low,close,volume\n"
BEFORE = "2013-02-27,100,101,99,100,90000\n2013-02-28,100,101,99,100,90000\n2013-03-01,100,101,99,100,90000\n"
BOOKS = (
    """SELECT account, symbol, quantity, amount FROM ledger_balances WHERE quantity <> 0 OR amount <> 0 ORDER BY 1, 2"""
)
BOOKED = "SELECT kind, session, reference FROM ledger_transactions WHERE kind <> 'opening' ORDER BY id"
WHOLE = 10**9


def opened(place: Place) -> Place:
    """Ten shares and a hundred in cash, valued once."""
    place.settings('[market]\nsource = "csv"\nfolder = "prices"\n')
    (place.home / "prices").mkdir()
    (place.home / "prices" / "ACME.csv").write_text(HEADER + BEFORE)
    (place.path / "mine.csv").write_text("symbol,quantity,cost\nACME,10,80\nCASH:USD,100,1\n")
    assert place.run("import", "mine.csv").code == 0
    place.once()
    return place


def split(place: Place) -> Place:
    """On the next session two new shares come for an old one, which has paid 1.50."""
    (place.home / "prices" / "ACME.csv").write_text(f"{HEADER}{BEFORE}2013-03-04,49,50,48,49,90000\n")
    (place.home / "prices" / "actions.csv").write_text(
        "symbol,session,kind,value\nACME,2013-03-04,split,2:1\nACME,2013-03-04,dividend,1.50\n"
    )
    return place


def assert_booked_once(place: Place) -> None:
    made = place.once()

    [position] = made["positions"]
    assert (position["quantity"], position["value"], made["cash"]) == ("20", "980.0", "115")
    assert place.rows(BOOKED) == [
        ("dividend", "2013-03-04", "ACME 2013-03-04"), ("split", "2013-03-04", "ACME 2013-03-04"),
    ]  # fmt: skip
    amounts = {
        (account, symbol): (shares / WHOLE, money / WHOLE) for account, symbol, shares, money in place.rows(BOOKS)
    }
    assert amounts == {
        ("holdings", "ACME"): (20, 800), ("opening", "ACME"): (-10, -800), ("market", "ACME"): (-10, 0),
        ("cash", ""): (0, 115), ("opening", ""): (0, -100), ("dividends", "ACME"): (0, -15),
    }  # fmt: skip


def test_a_split_and_a_dividend_are_in_the_round_of_their_session_and_a_bad_line_fails_it(place: Place) -> None:
    split(opened(place))
    file = place.home / "prices" / "actions.csv"
    good = file.read_text()
    file.write_text(good.replace("2:1", "1:2"))

    refused = place.run("once")
    file.write_text(good)

    assert refused.code == 1
    assert f"{file.name} line 2: prices do not show a split of 1:2: ACME closed at 100.0 before" in refused.err
    assert_booked_once(place)
    assert place.rows("SELECT * FROM trading_states") == []


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_kill_at_any_commit_books_them_once(places: Callable[[], Place]) -> None:
    """Each third commit, by turns before and after it is on disk."""
    beginning, died = split(opened(places())), 0
    for number in count(1, 3):
        place = places()
        place.copy_home(beginning.home)
        ended = place.run("before" if number % 2 else "after", str(number), "once", "--json", script=DYING)
        assert ended.code in (-SIGKILL, 0), ended
        until(lambda place=place: not place.children, "end of all processes", 2.0)  # type: ignore[misc]
        assert_booked_once(place)
        if ended.code == 0:
            break
        died += 1
    assert died >= 3, "these were not all commits"
