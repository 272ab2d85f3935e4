"""Bars as brokers see them: new ones are noticed, and years do not matter."""

import datetime as dt
from decimal import Decimal

import pytest

from actors.brokers.prices import LOOK_AGAIN, Prices
from actors.kernel.testing import ManualClock
from messages.values import Symbol
from storage.home import Home
from tests.actors.brokers.driving import Desk, days, flat

ACME, IBM = Symbol("ACME"), Symbol("IBM")


@pytest.fixture
def desk(home: Home) -> Desk:
    made = Desk(home)
    made.store("ACME", days("2012-12-29", *(flat(price) for price in (1, 2, 3, 4, 5))))
    return made


def test_the_newest_bar_is_that_of_the_last_look(desk: Desk) -> None:
    prices = Prices(desk.read, ManualClock())
    before = prices.newest(ACME)
    desk.store("ACME", days("2012-12-29", *(flat(price) for price in (1, 2, 3, 4, 5, 6.25))))

    assert before is not None
    assert (before.session, before.close) == (dt.date(2013, 1, 2), Decimal("5.0"))
    assert prices.newest(ACME) == before
    prices.look_again()
    after = prices.newest(ACME)
    assert after is not None
    assert (after.session, after.close) == (dt.date(2013, 1, 3), Decimal("6.25"))
    assert prices.newest(IBM) is None


def test_bars_between_two_sessions_go_over_the_turn_of_a_year(desk: Desk) -> None:
    prices = Prices(desk.read, ManualClock())

    between = prices.between(ACME, dt.date(2012, 12, 30), dt.date(2013, 1, 1))

    assert [(str(bar.session), str(bar.open)) for bar in between] == [("2012-12-31", "3.0"), ("2013-01-01", "4.0")]


def test_a_session_is_stale_more_than_ten_days_before_the_newest_of_all(desk: Desk) -> None:
    clock = ManualClock()
    prices = Prices(desk.read, clock)
    assert prices.stale(dt.date(2012, 12, 23)) is None
    assert prices.stale(dt.date(2012, 12, 22)) == dt.date(2013, 1, 2)

    desk.store("IBM", days("2013-01-04", flat(1)))

    assert prices.stale(dt.date(2012, 12, 24)) is None  # it looks once a minute
    clock.now += LOOK_AGAIN
    assert prices.stale(dt.date(2012, 12, 24)) == dt.date(2013, 1, 4)
