"""Other prices for an order on paper: from the next bar on, in its place, on disk before it is answered."""

from decimal import Decimal
from typing import Any

import pytest

from messages.addresses import Refused
from messages.broker import Absent, ClientId, InForce, Kind, Replace, Side, Stage
from storage.home import Home
from tests.actors.brokers.broker import ticket
from tests.actors.brokers.driving import Desk, days, fills, flat, seen

STOP = ClientId("stop")


@pytest.fixture
def desk(home: Home) -> Desk:
    """AAPL at 100, and a stop at 90 for what is held of it."""
    made = Desk(home)
    made.store("AAPL", days("2013-02-28", flat(100)))
    made.send(ticket(Kind.STOP, side=Side.SELL, in_force=InForce.GTC, client_id=STOP, stop="90"))
    return made


def replaced(desk: Desk, number: int = 1, *, id_: str = STOP, limit: str | None = None, stop: str | None = None) -> Any:
    limit_price, stop_price = (None if price is None else Decimal(price) for price in (limit, stop))
    return desk.asked(lambda reply_to: Replace(ClientId(id_), number, limit_price, stop_price, reply_to))


def test_bars_that_come_meet_the_new_stop_and_those_that_were_there_the_old_one(desk: Desk) -> None:
    answer = seen(replaced(desk, stop="97"))
    desk.store("AAPL", days("2013-02-28", flat(100), (98, 98, 96, 97, 1e6)))

    assert (answer.stage, answer.change) == (Stage.WORKING, 1)
    assert fills(desk.view()) == ["03-01 stop 10 97.00"]


def test_a_bar_that_was_there_before_it_was_asked_for_goes_first(desk: Desk) -> None:
    desk.store("AAPL", days("2013-02-28", flat(100), (95, 95, 89, 95, 1e6)))

    answer = seen(replaced(desk, stop="80"))

    assert (answer.stage, answer.change) == (Stage.FILLED, 0)
    assert fills(desk.view()) == ["03-01 stop 10 90.00"]


def test_it_is_on_disk_when_it_is_answered_and_asked_for_again_it_changes_nothing(desk: Desk) -> None:
    replaced(desk, stop="97")
    after = desk.died()
    commits = after.commits()

    assert seen(replaced(after, stop="97")).change == 1
    assert after.commits() == commits
    order = after.look_up(STOP)
    assert order is not None
    assert order.change == 1
    after.store("AAPL", days("2013-02-28", flat(100), (98, 98, 96, 97, 1e6)))
    assert fills(after.view()) == ["03-01 stop 10 97.00"]


def test_it_keeps_its_place(home: Home) -> None:
    desk = Desk(home)
    desk.store("AAPL", days("2013-02-28", flat(100)))
    for name in ("first", "second"):
        order = ticket(Kind.LIMIT, "600", in_force=InForce.GTC, client_id=ClientId(name), limit="95")
        desk.send(order)
    replaced(desk, id_="first", limit="96")
    desk.store("AAPL", days("2013-02-28", flat(100), (100, 100, 94, 95, 8_000)))

    assert fills(desk.view()) == ["03-01 first 600 96.00", "03-01 second 200 95.00"]


def test_a_leg_of_a_bracket_is_moved_and_grows_at_its_new_price(home: Home) -> None:
    desk = Desk(home)
    desk.store("AAPL", days("2013-02-28", flat(100, 1_000)))
    desk.send(ticket(quantity="150", in_force=InForce.GTC, client_id=ClientId("entry"), stop_loss="90"))
    answer = seen(replaced(desk, id_="entry-sl", stop="92"))
    desk.store("AAPL", days("2013-02-28", flat(100, 1_000), flat(100), (95, 95, 91, 95, 1e6)))

    assert answer.change == 1
    assert fills(desk.view())[-1] == "03-02 entry-sl 150 92.00"


def test_halted_declined_and_absent_change_nothing(desk: Desk) -> None:
    desk.halt = lambda: "the file HALT is there"
    halted = replaced(desk, stop="97")
    desk.halt = lambda: None
    absent = replaced(desk, id_="nobody", stop="97")
    desk.store("AAPL", days("2013-02-28", flat(100), (88, 88, 88, 88, 20)))
    begun = replaced(desk, stop="80")

    assert isinstance(halted, Refused)
    assert (halted.code, halted.sentence) == ("halted", "the file HALT is there")
    assert absent == Absent("asker")
    assert isinstance(begun, Refused)
    assert (begun.code, "a part of it was filled already" in begun.sentence) == ("declined", True)
    assert fills(desk.view()) == ["03-01 stop 2 88.00"]


def test_what_touches_halt_right_before_the_write_stops_it(desk: Desk) -> None:
    looks = iter([None, "the file HALT is there"])
    desk.halt = lambda: next(looks, "the file HALT is there")

    answer = replaced(desk, stop="97")

    assert isinstance(answer, Refused)
    assert answer.code == "halted"
    order = desk.look_up(STOP)
    assert order is not None
    assert order.change == 0
