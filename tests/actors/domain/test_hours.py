"""Whether the market lets an order go: on holidays and weekends, around an early close, and where the calendar ends."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.domain.hours import closed, deadline, hours
from actors.domain.orders import Code, Quote
from messages.market import TradingDay
from tests.actors.domain.days import SUMMER, WINTER, day, utc
from tests.actors.domain.trading import BUY

THANKSGIVING = [
    day("2026-11-24"), day("2026-11-25"), day("2026-11-27", closes=13), day("2026-11-30"), day("2026-12-01"),
]  # fmt: skip
"""The 26th is the holiday, and the 27th ends at 13:00, 18:00 UTC."""
OPEN = "open"


def said(at: str, last: str, days: list[TradingDay] = THANKSGIVING) -> str:
    """The code of the refusal, if there is one, of an order at this moment whose price is of that session."""
    quote = Quote(Decimal(100), dt.date.fromisoformat(last), Decimal(1))
    denied = closed(BUY, quote, hours("XNYS", days, utc(at)))
    return OPEN if denied is None else denied.code


@pytest.mark.parametrize(
    ("at", "last", "expected"),
    [
        ("2026-11-25 04:59", "2026-11-24", OPEN),  # the evening of the 24th in New York
        ("2026-11-25 05:00", "2026-11-24", OPEN),  # before the open
        ("2026-11-25 20:59", "2026-11-24", OPEN),
        ("2026-11-25 21:00", "2026-11-24", Code.STALE_PRICE),  # it closes, and that price is missing
        ("2026-11-25 21:00", "2026-11-25", OPEN),
        ("2026-11-26 04:59", "2026-11-25", OPEN),
        ("2026-11-26 05:00", "2026-11-25", Code.MARKET_CLOSED),  # the holiday begins
        ("2026-11-27 04:59", "2026-11-25", Code.MARKET_CLOSED),
        ("2026-11-27 05:00", "2026-11-25", OPEN),
        ("2026-11-27 17:59", "2026-11-25", OPEN),
        ("2026-11-27 18:00", "2026-11-25", Code.STALE_PRICE),  # the early close
        ("2026-11-27 18:00", "2026-11-27", OPEN),
        ("2026-11-28 05:00", "2026-11-27", Code.MARKET_CLOSED),  # Saturday
        ("2026-11-30 04:59", "2026-11-27", Code.MARKET_CLOSED),
        ("2026-11-30 05:00", "2026-11-27", OPEN),
        ("2026-11-30 15:00", "2026-11-30", OPEN),  # a bar of the session that is under way
        ("2026-12-02 04:59", "2026-12-01", OPEN),  # the last session that is known
        ("2026-12-02 05:00", "2026-12-01", Code.CALENDAR_UNKNOWN),  # where the calendar ends
        ("2026-11-24 20:59", "2026-11-24", Code.CALENDAR_UNKNOWN),  # and before it begins
    ],
)
def test_an_order_goes_on_the_day_of_a_session_with_the_price_of_the_last_that_is_over(
    at: str, last: str, expected: str
) -> None:
    assert said(at, last) == expected


def test_without_any_session_nobody_knows() -> None:
    assert said("2026-11-30 15:00", "2026-11-27", []) == Code.CALENDAR_UNKNOWN


def test_the_day_ends_an_hour_later_in_utc_once_summer_time_is_over() -> None:
    days = [day("2026-10-29", behind=SUMMER), day("2026-10-30", behind=SUMMER), day("2026-11-02", behind=WINTER)]

    assert said("2026-10-31 03:59", "2026-10-30", days) == OPEN
    assert said("2026-10-31 04:00", "2026-10-30", days) == Code.MARKET_CLOSED
    assert said("2026-11-02 04:59", "2026-10-30", days) == Code.MARKET_CLOSED
    assert said("2026-11-02 05:00", "2026-10-30", days) == OPEN
    assert said("2026-11-02 20:30", "2026-10-30", days) == OPEN  # in summer it would be over


def test_a_market_that_opens_on_the_evening_before_is_open_then() -> None:
    sunday = replace(day("2026-11-30"), begins=utc("2026-11-29 23:00"), opens=utc("2026-11-29 23:00"))
    days = [day("2026-11-27"), sunday]

    assert said("2026-11-29 22:59", "2026-11-27", days) == Code.MARKET_CLOSED
    assert said("2026-11-29 23:00", "2026-11-27", days) == OPEN


@pytest.mark.parametrize(
    ("at", "last", "sentence"),
    [
        (
            "2026-11-26 12:00", "2026-11-25",
            "BUY 10 ACME: the market is closed until session 2026-11-27, which opens at 2026-11-27 14:30 UTC; order on "
            "that day",
        ),
        (
            "2026-11-27 18:00", "2026-11-25",
            "BUY 10 ACME: the last price is of 2026-11-25, and session 2026-11-27 is over; refresh the prices, and "
            "order then",
        ),
        (
            "2027-01-01 12:00", "2026-12-01",
            "BUY 10 ACME: calendar XNYS does not say whether the market is open; `run.py status` shows how far it goes",
        ),
    ],
)  # fmt: skip
def test_the_sentence_names_what_it_waits_for(at: str, last: str, sentence: str) -> None:
    quote = Quote(Decimal(100), dt.date.fromisoformat(last), Decimal(1))

    denied = closed(BUY, quote, hours("XNYS", THANKSGIVING, utc(at)))

    assert denied is not None
    assert denied.sentence == sentence


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("2026-11-25 22:00", "2026-11-25 22:00"),
        ("2026-11-26 05:00", "2026-11-28 05:00"),  # over the holiday, to the end of the short day
        ("2026-11-28 04:59", "2026-11-28 04:59"),
        ("2026-11-28 15:00", "2026-12-01 05:00"),  # over the weekend, Monday's evening included
        ("2027-01-01 12:00", "2027-01-01 12:00"),  # nobody knows
    ],
)
def test_no_deadline_passes_while_the_market_is_closed(end: str, expected: str) -> None:
    assert deadline(hours("XNYS", THANKSGIVING, utc(end))) == utc(expected)
