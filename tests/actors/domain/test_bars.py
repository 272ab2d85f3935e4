import datetime as dt
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from actors.domain.bars import Fault, adjusted, fault, last, last_session, side_by_side, until, volumes
from messages.market import Bars, Floats
from messages.values import Symbol
from tests.actors.domain.making import LAST, bars, walk


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def row(given: Bars, session: str) -> int:
    return int(np.searchsorted(given.sessions, np.datetime64(session)))


def changed(given: Bars, column: str, at: int, value: float) -> Bars:
    copy = deepcopy(given)
    values: Floats = getattr(copy, column)
    values[at] = value
    return copy


def traded(given: Bars) -> Floats:
    """All volumes, in shares of the last bar."""
    alone: Floats = volumes([given], len(given))[0]
    return alone


def test_cutting_keeps_the_session_asked_for_and_nothing_later(aapl: Bars) -> None:
    cut = until(aapl, day("2005-02-25"))

    assert last_session(cut) == day("2005-02-25")
    assert cut.close[-1] == 88.99
    assert {len(column) for column in (cut.open, cut.high, cut.low, cut.volume, cut.adj_close)} == {len(cut)}


def test_cutting_on_a_day_without_trading_ends_at_the_session_before(aapl: Bars) -> None:
    assert last_session(until(aapl, day("2005-02-27"))) == day("2005-02-25")


def test_cutting_before_the_first_session_leaves_nothing(aapl: Bars) -> None:
    assert len(until(aapl, day("2000-02-29"))) == 0
    assert len(until(aapl, day("2000-03-01"))) == 1


def test_the_last_bars_are_as_many_as_asked_for_or_all(aapl: Bars) -> None:
    assert last_session(last(aapl, 3)) == LAST
    assert len(last(aapl, 3)) == 3
    assert len(last(aapl, 0)) == 0
    assert len(last(aapl, 10_000)) == len(aapl)


def test_the_last_bar_stays_as_traded(aapl: Bars) -> None:
    cut = until(aapl, day("2005-02-25"))

    after = adjusted(cut, 600)

    for column in ("high", "low", "close"):
        assert getattr(after, column)[-1] == getattr(cut, column)[-1]
    assert traded(cut)[-1] == cut.volume[-1]


def test_prices_follow_the_formula_for_every_column(aapl: Bars) -> None:
    after = adjusted(aapl, len(aapl))

    at = row(aapl, "2001-05-01")
    factor = aapl.adj_close[at] / aapl.close[at] * aapl.close[-1] / aapl.adj_close[-1]
    for column in ("high", "low", "close"):
        assert getattr(after, column)[at] == pytest.approx(getattr(aapl, column)[at] * factor, rel=1e-12)


def test_fewer_bars_are_adjusted_to_the_same_prices(aapl: Bars) -> None:
    whole, end = adjusted(aapl, len(aapl)), adjusted(aapl, 600)

    assert len(end) == 600
    for column in ("high", "low", "close"):
        np.testing.assert_array_equal(getattr(end, column), getattr(whole, column)[-600:])


def test_adjusting_twice_changes_nothing(aapl: Bars) -> None:
    once = adjusted(aapl, len(aapl))
    again = replace(aapl, high=once.high, low=once.low, close=once.close, adj_close=once.close, volume=traded(aapl))

    twice = adjusted(again, len(again))

    for column in ("high", "low", "close"):
        np.testing.assert_array_equal(getattr(twice, column), getattr(once, column))
    np.testing.assert_array_equal(traded(again), again.volume)


def test_no_bars_are_adjusted_to_no_bars() -> None:
    assert len(adjusted(bars([]), 600)) == 0


def test_rows_of_several_lengths_end_together() -> None:
    matrix = side_by_side([np.array([1.0, 2.0, 3.0]), np.array([]), np.array([4.0])], 2)

    np.testing.assert_array_equal(matrix, [[2, 3], [np.nan, np.nan], [np.nan, 4]])


@pytest.mark.parametrize(
    ("symbol", "session"), [("AAPL", "2000-06-21"), ("AAPL", "2005-02-28"), ("MSFT", "2003-02-18")]
)
def test_volume_is_doubled_before_a_split_of_two_for_one(
    sample: Mapping[Symbol, Bars], symbol: str, session: str
) -> None:
    given = until(sample[Symbol(symbol)], day(session))

    factors = traded(given) / given.volume

    at = row(given, session)
    assert factors[at] == 1
    assert factors[at - 1] == 2


def test_the_splits_of_the_sample_are_the_known_ones(sample: Mapping[Symbol, Bars]) -> None:
    factors = {symbol: traded(given) / given.volume for symbol, given in sample.items()}

    assert {symbol: sorted(set(theirs.tolist())) for symbol, theirs in factors.items()} == {
        "AAPL": [1, 2, 4],
        "FB": [1],
        "GOOG": [1],
        "IBM": [1],
        "MSFT": [1, 2],
    }


def test_a_special_dividend_changes_prices_and_not_volume(sample: Mapping[Symbol, Bars]) -> None:
    given = until(sample[Symbol("MSFT")], day("2004-11-15"))

    after = adjusted(given, len(given))

    at = row(given, "2004-11-12")
    assert traded(given)[at] == given.volume[at]
    assert after.close[at] == pytest.approx(given.close[at] / 1.1124498, rel=1e-6)


@pytest.mark.parametrize(
    ("jump", "factor"),
    [
        (5 / 4, 5 / 4),
        (4 / 3, 4 / 3),
        (1.5, 1.5),
        (2, 2),
        (2.05, 2),  # with a dividend on the same day
        (2.5, 2.5),
        (3, 3),
        (7, 7),
        (50, 50),
        (1 / 2, 1 / 2),
        (1 / 10, 1 / 10),
        (1 / 1.5, 1 / 1.5),
        (1.19, 1),  # below the least split
        (1 / 1.19, 1),
        (1.8, 1),  # no usual ratio
        (1 / 1.8, 1),
        (60, 1),
    ],
)
def test_only_a_jump_near_a_usual_ratio_is_a_split(jump: float, factor: float) -> None:
    given = bars([100, 100, 100], adj_close=[100 / jump, 100 / jump, 100])

    assert (traded(given) / given.volume).tolist() == pytest.approx([factor, factor, 1])


def test_no_symbol_of_the_sample_has_a_fault(sample: Mapping[Symbol, Bars]) -> None:
    assert sorted(sample) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert {symbol: fault(given) for symbol, given in sample.items()} == dict.fromkeys(sample)


def test_no_bars_at_all_are_a_fault() -> None:
    assert fault(bars([])) == Fault(0, "there are no bars")


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "adj_close"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0, 9.2e9])
def test_a_price_that_is_none_is_named_with_its_column_and_value(column: str, value: float) -> None:
    found = fault(changed(bars(walk(9)), column, 4, value))

    assert found == Fault(4, f"{column} is {value}, a price must be a number above 0 and below 9.2e9")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_volume_that_is_none_is_named(value: float) -> None:
    found = fault(changed(bars(walk(9)), "volume", 4, value))

    assert found == Fault(4, f"volume is {value}, it must be a number of at least 0")


def test_a_session_without_any_trade_is_no_fault() -> None:
    assert fault(changed(bars(walk(9)), "volume", 4, 0.0)) is None


def test_a_high_below_its_low_is_a_fault() -> None:
    found = fault(changed(changed(bars(walk(9)), "high", 4, 7.0), "low", 4, 8.0))

    assert found == Fault(4, "high 7.0 is below low 8.0")


@pytest.mark.parametrize(("column", "value"), [("close", 50.0), ("close", 102.02), ("open", 97.99), ("open", 9e9)])
def test_an_open_or_close_outside_of_low_and_high_is_a_fault(column: str, value: float) -> None:
    found = fault(changed(ranging(), column, 4, value))

    assert found == Fault(4, f"{column} {value} is not between low 99.0 and high 101.0")


@pytest.mark.parametrize("column", ["open", "close"])
@pytest.mark.parametrize("value", [98.02, 102.0])
def test_what_is_outside_by_no_more_than_rounding_is_none(column: str, value: float) -> None:
    assert fault(changed(ranging(), column, 4, value)) is None


def ranging() -> Bars:
    """Bars around 100, with a low of 99 and a high of 101."""
    return bars([100.0] * 9)


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        (["2013-01-02", "2013-01-03", "2013-01-13"], None),
        (
            ["2013-01-02", "2013-01-03", "2013-01-14"],
            Fault(2, "date 2013-01-14 comes 11 days after 2013-01-03, more than 10"),
        ),
        (
            ["2013-01-02", "2013-01-03", "2013-01-03"],
            Fault(2, "date 2013-01-03 does not come after 2013-01-03, the one before it"),
        ),
        (
            ["2013-01-03", "2013-01-02", "2013-01-04"],
            Fault(1, "date 2013-01-02 does not come after 2013-01-03, the one before it"),
        ),
        (["2013-01-02", "NaT", "2013-01-04"], Fault(1, "date is missing")),
    ],
)
def test_dates_come_in_order_once_and_without_long_gaps(dates: list[str], found: Fault | None) -> None:
    given = replace(bars([1.0, 1.0, 1.0]), sessions=np.array(dates, "datetime64[D]"))

    assert fault(given) == found


@pytest.mark.parametrize(("column", "at"), [("open", 6), ("volume", 3), ("low", 3), ("adj_close", 2)])
def test_of_several_faults_the_one_in_the_first_row_is_reported(column: str, at: int) -> None:
    given = changed(changed(bars(walk(9)), "close", 2, 0.0), column, at, -1.0)

    assert fault(given) == Fault(2, "close is 0.0, a price must be a number above 0 and below 9.2e9")
