"""The sessions of exchanges, as worked out by the package that knows them."""

import datetime as dt
import importlib
from itertools import pairwise
from typing import Any

from actors.domain.calendars import Inputs, compute
from actors.settings.exchanges import NAMES
from messages.market import TradingDay
from tests.actors.domain.days import SUMMER, day

TODAY = dt.date(2026, 11, 30)


def by_date(calendar: str, today: dt.date = TODAY) -> dict[str, TradingDay]:
    [found] = compute([Inputs(calendar, today)])
    assert found.calendar == calendar
    return {str(each.session): each for each in found.days}


def test_new_york_with_its_holidays_early_closes_and_summer_time() -> None:
    found = by_date("XNYS")

    assert "2026-11-26" not in found  # Thanksgiving
    assert "2026-11-28" not in found  # a Saturday
    assert found["2026-11-25"] == day("2026-11-25")
    assert found["2026-11-27"] == day("2026-11-27", closes=13)
    assert found["2026-10-30"] == day("2026-10-30", behind=SUMMER)
    assert found["2026-11-02"] == day("2026-11-02")
    assert (min(found), max(found)) == ("2025-12-01", "2028-01-04")


def test_the_same_day_gives_the_same_sessions_whatever_the_clock_says() -> None:
    found = by_date("XNYS", dt.date(2013, 3, 1))

    assert (min(found), max(found)) == ("2012-03-01", "2014-04-04")
    assert "2012-10-29" not in found  # the storm


def test_a_calendar_that_ends_has_sessions_to_its_end_and_none_after_it() -> None:
    assert max(by_date("XBOM")) == "2026-12-31"
    assert by_date("XBOM", dt.date(2028, 11, 30)) == {}


def test_what_is_always_open_has_days_without_a_gap() -> None:
    found = list(by_date("24/7").values())

    assert all(day.begins == day.opens and day.closes == day.ends for day in found)
    assert all(day.ends == after.begins for day, after in pairwise(found))


def test_a_market_that_opens_on_the_evening_before_begins_then() -> None:
    monday = by_date("CMES")["2026-11-30"]

    assert monday.begins == monday.opens < day("2026-11-30").begins


def test_the_names_that_may_be_set_are_those_of_the_package() -> None:
    package: Any = importlib.import_module("exchange_calendars")

    assert list(NAMES) == package.get_calendar_names(include_aliases=False)
