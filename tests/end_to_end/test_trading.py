"""Trading by the real program: from a round to fills, by a person's yes, under a mandate, and through SIGKILL."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from tests.end_to_end.places import Place, until

DYING = Path(__file__).with_name("dying.py")
HOLDINGS = "symbol,quantity,cost\nAAPL,25,460\nGOOG,12,546\nMSFT,300,17.53\nCASH:USD,10000,1\n"
SHARES = 8
"""Each eighth commit is died at, so that the proofs stay within a quarter of an hour."""


def prepared(place: Place, *, mandate: bool) -> Place:
    """The books of two positions that the rules sell, and rules that are traded on."""
    (place.path / "mine.csv").write_text(HOLDINGS)
    place.settings('[trading]\nanalysts = ["rules"]\n')
    assert place.run("import", "mine.csv").code == 0
    if mandate:
        assert place.run("mandate", "--max-order-value", "20000", "--min-conviction", "0.6").code == 0
    return place


def orders(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.run("orders", "--json").json["orders"]
    return sorted(found, key=lambda order: str(order["ticket"]["symbol"]))


def test_a_person_says_yes_and_no_and_sees_the_whole_chain(place: Place) -> None:
    prepared(place, mandate=False)
    place.once()
    apple, microsoft = orders(place)

    yes = place.run("approve", apple["ticket"]["client_id"][:6])
    twice = place.run("approve", apple["ticket"]["client_id"])
    no = place.run("reject", microsoft["ticket"]["client_id"], "--reason", "I keep it")
    why = place.run("why", apple["ticket"]["client_id"])

    assert (apple["state"], microsoft["state"], yes.code, no.code, twice.code) == ("staged", "staged", 0, 0, 1)
    assert yes.out.rstrip().endswith("it is filled.")
    assert "is filled, not staged" in twice.err
    assert [order["state"] for order in orders(place)] == ["filled", "rejected"]
    for part in ("rsi_14", "staged: sized by held", "approved: by person", "fill: 25 at 430.25", "Fill "):
        assert part in why.out, why.out
    assert place.run("doctor", "--audit").code in (0, 1)  # 1 where this machine has no Claude program
    assert "books" in place.run("doctor", "--audit").out


@pytest.mark.parametrize("way", [pytest.param("command", marks=pytest.mark.long), "file"])
def test_while_it_is_halted_nothing_is_sent(place: Place, way: str) -> None:
    prepared(place, mandate=False)
    place.once()
    apple = orders(place)[0]["ticket"]["client_id"]
    if way == "file":
        (place.home / "HALT").touch()
    else:
        assert place.run("halt", "--why", "enough").code == 0

    refused = place.run("approve", apple)
    shown = place.run("orders").out
    if way == "file":
        (place.home / "HALT").unlink()
    else:
        assert place.run("resume").code == 0

    assert refused.code == 1
    assert "HALTED" in refused.err
    assert "Trading is HALTED" in shown
    assert place.run("approve", apple).out.rstrip().endswith("it is filled.")


def test_a_desk_that_serves_takes_the_same_orders_over_its_socket(place: Place) -> None:
    prepared(place, mandate=True)
    program = place.serve()

    place.once()
    until(lambda: [order["state"] for order in orders(place)] == ["filled", "filled"], "two fills")
    narrowed = place.run("mandate", "--max-order-value", "90000", "--narrow")
    withdrawn = place.run("mandate", "--withdraw")
    halted = place.run("halt")

    assert (narrowed.code, withdrawn.code, halted.code) == (1, 0, 0)
    assert "would be wider" in narrowed.err
    assert "There is no mandate" in place.run("mandate").out
    program.kill()


def settled(place: Place) -> list[tuple[str, str, str]]:
    """What was ordered and filled, when all of it has ended.

    A round begun anew when some of it is sold already is another round, whose orders are denied: there is one already.
    """
    for _ in range(4):
        place.once()
        found = [order for order in orders(place) if order["state"] != "denied"]
        if len(found) >= 2 and all(order["state"] == "filled" for order in found):
            return [(order["ticket"]["symbol"], order["ticket"]["side"], order["filled"]) for order in found]
    raise AssertionError(orders(place))


MONEY = "SELECT account, symbol, quantity, amount FROM ledger_balances WHERE quantity <> 0 OR amount <> 0 ORDER BY 1, 2"
FILLS = "SELECT quantity, price, fee, session FROM trading_fills ORDER BY 1"


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("when", "share"), [("before", 0), ("after", 4)])
def test_a_kill_at_any_commit_leaves_the_orders_cash_and_value_of_an_undisturbed_run(
    places: Callable[[], Place], when: str, share: int
) -> None:
    beginning = prepared(places(), mandate=True)
    whole = places()
    whole.copy_home(beginning.home)
    filled = settled(whole)
    money, fills = whole.rows(MONEY), whole.rows(FILLS)
    assert len(fills) == 2

    died = 0
    for number in count(share + 1, SHARES):
        place = places()
        place.copy_home(beginning.home)
        ended = place.run(when, str(number), "once", "--json", script=DYING)
        assert ended.code in (-SIGKILL, 0), ended
        until(lambda place=place: not place.children, "end of all processes", 2.0)  # type: ignore[misc]
        assert settled(place) == filled
        assert place.rows(MONEY) == money
        assert place.rows(FILLS) == fills
        if ended.code == 0:
            break
        died += 1
    assert died >= 2, "these were not all commits"
