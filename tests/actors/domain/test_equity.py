"""A portfolio rebuilt day by day, against values worked out by hand."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.equity import Closed, Day, NothingHeld, Record, Stale, Unbooked, place, rebuild
from actors.domain.valuation import NoPrice, value
from messages.market import Bars
from messages.performance import Moved, Movement, Spending
from messages.trading import Held
from messages.values import Symbol
from tests.actors.domain.making import ACME, LAST, bars

SPY = Symbol("SPY")
SESSIONS = [LAST - dt.timedelta(back) for back in (3, 2, 1, 0)]
CLOSES = {ACME: bars([100, 110, 99, 120])}


def micros(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, 23, 59, tzinfo=dt.UTC).timestamp()) * 1_000_000


def booked(
    session: int, kind: str, cash: str, quantity: str = "0", cost: str = "0", fees: str = "0", symbol: Symbol = ACME
) -> Movement:
    moved = (Moved(symbol, Decimal(quantity), Decimal(cost)),) if Decimal(quantity) else ()
    return Movement(0, kind, SESSIONS[session], 0, Decimal(cash), Decimal(fees), moved, symbol)


OPENING = booked(0, "opening", "1000", "10", "900")
BUY = booked(1, "trade", "-551", "5", "550", "1")
SALE = booked(2, "trade", "791", "-8", "-720", "1")


def rebuilt(
    movements: Sequence[Movement],
    prices: Mapping[Symbol, Bars] = CLOSES,
    since: dt.date | None = None,
    spent: Sequence[Spending] = (),
) -> Record:
    return rebuild(movements, spent, SESSIONS, prices, since)


def amounts(record: Record, name: str) -> list[Decimal]:
    return [getattr(day, name) for day in record.days]


def test_a_portfolio_is_worth_its_cash_and_its_shares_at_each_close() -> None:
    """10 shares and 1,000; 5 more at 110 and 1 for it; 8 sold at 99 that had cost 90, for 791."""
    record = rebuilt([OPENING, BUY, SALE])

    assert amounts(record, "equity") == [2000, 449 + 1650, 1240 + 693, 1240 + 840]
    assert amounts(record, "alone") == [2000, 2100, 1990, 2200]
    assert amounts(record, "flow") == [2000, 0, 0, 0]
    assert amounts(record, "fees") == [0, 1, 1, 0]
    assert [amounts(record, "bought"), amounts(record, "sold")] == [[0, 550, 0, 0], [0, 0, 792, 0]]
    assert amounts(record, "trades") == [0, 1, 1, 0]
    assert record.closed == (Closed(ACME, SESSIONS[2], Decimal(71)),)
    assert (record.stale, record.unbooked) == ((), ())


def test_the_last_day_is_worth_what_a_valuation_says() -> None:
    record = rebuilt([OPENING, BUY, SALE])

    valued = value(LAST, "USD", [Held(ACME, Decimal(7), Decimal(0))], Decimal(1240), {ACME: Decimal(120)})
    assert record.days[-1].equity == valued.value


def test_deposits_come_to_what_is_left_alone_too() -> None:
    record = rebuilt([OPENING, booked(1, "deposit", "500"), booked(2, "withdrawal", "-100")])

    assert amounts(record, "flow") == [2000, 500, -100, 0]
    assert amounts(record, "equity") == amounts(record, "alone") == [2000, 2600, 2390, 2600]


def test_an_import_in_the_place_of_another_is_shares_put_in_and_taken_out_at_that_close() -> None:
    again = [booked(1, "opening", "0", "3", "1"), booked(1, "reversal", "-1000", "-10", "-900")]

    record = rebuilt([OPENING, *again])

    assert amounts(record, "flow") == [2000, 330 - 2100, 0, 0]
    assert amounts(record, "equity") == amounts(record, "alone") == [2000, 330, 297, 360]


def test_what_a_reversal_takes_back_of_former_fees_is_no_income() -> None:
    back = booked(2, "reversal", "-449", "-15", "-1450", fees="-1")

    record = rebuilt([OPENING, BUY, back, booked(2, "opening", "50")])

    assert amounts(record, "fees") == [0, 1, 0, 0]
    assert amounts(record, "equity") == [2000, 2099, 50, 50]


def test_an_opening_without_a_session_does_not_come_after_a_trade_that_followed_it() -> None:
    """It was booked on the day after the trade's session, before that day had a bar."""
    opening = Movement(1, "opening", None, micros(SESSIONS[2]), OPENING.cash, Decimal(0), OPENING.moved, ACME)

    record = rebuilt([opening, BUY])

    assert record.days[0].session == SESSIONS[1]
    assert amounts(record, "equity") == [2099, 449 + 15 * 99, 449 + 15 * 120]
    assert amounts(record, "flow") == [2100, 0, 0]


def test_an_import_after_trades_takes_the_place_of_what_was_left_alone_too() -> None:
    """Own: 15 shares and 449 at 99, 1,934 in all; left alone: 10 and 1,000, 1,990. Both become 2 shares."""
    again = [booked(2, "reversal", "-449", "-15", "-1450"), booked(2, "opening", "0", "2", "1")]

    record = rebuilt([OPENING, BUY, *again])

    assert amounts(record, "equity") == [2000, 2099, 198, 240]
    assert amounts(record, "alone") == [2000, 2100, 198, 240]
    assert amounts(record, "flow") == [2000, 0, 198 - 1934, 0]
    assert amounts(record, "alone_flow") == [2000, 0, 198 - 1990, 0]


def test_splits_and_dividends_come_to_what_is_left_alone_in_proportion() -> None:
    """Of 10 shares 5 are sold; the rest are split 2 to 1 and pay 20: those left alone become 20 and are paid 40."""
    half = {ACME: bars([100, 100, 50, 50], adj_close=[50, 50, 50, 50])}
    movements = [
        booked(0, "opening", "0", "10", "900"),
        booked(1, "trade", "500", "-5", "-450"),
        booked(2, "split", "0", "5"),
        booked(3, "dividend", "20"),
    ]

    record = rebuilt(movements, half)

    assert amounts(record, "equity") == [1000, 1000, 1000, 1020]
    assert amounts(record, "alone") == [1000, 1000, 1000, 1040]
    assert record.unbooked == ()
    assert amounts(record, "trades") == [0, 1, 0, 0]


def test_what_was_sold_altogether_is_split_where_it_is_left_alone() -> None:
    half = {ACME: bars([100, 100, 50, 60], adj_close=[50, 50, 50, 60])}

    record = rebuilt([booked(0, "opening", "0", "10", "900"), booked(1, "trade", "1000", "-10", "-900")], half)

    assert amounts(record, "alone") == [1000, 1000, 1000, 1200]
    assert record.unbooked == ()


def test_a_split_that_prices_show_and_the_books_do_not_is_named() -> None:
    half = {ACME: bars([100, 100, 50, 60], adj_close=[50, 50, 50, 60])}

    record = rebuilt([OPENING], half)

    assert record.unbooked == (Unbooked(ACME, SESSIONS[2], 2.0),)


def test_a_position_owed_is_worth_less_than_nothing_and_closed_by_buying_back() -> None:
    """5 sold short at 110 for 550, bought back at 99 for 495."""
    movements = [OPENING, booked(1, "trade", "1650", "-15", "-1450"), booked(2, "trade", "-495", "5", "550")]

    record = rebuilt(movements)

    assert amounts(record, "short") == [0, 550, 0, 0]
    assert amounts(record, "equity") == [2000, 2650 - 550, 2155, 2155]
    assert record.closed == (Closed(ACME, SESSIONS[2], Decimal(55)),)


def test_from_a_later_day_on_what_was_there_then_is_what_it_began_with() -> None:
    record = rebuilt([OPENING, BUY, SALE], since=SESSIONS[1])

    assert [day.session for day in record.days] == SESSIONS[1:]
    assert amounts(record, "equity") == [2099, 1933, 2080]
    assert amounts(record, "flow") == [2099, 0, 0]
    assert amounts(record, "alone") == [2099, 449 + 15 * 99, 449 + 15 * 120]
    assert amounts(record, "trades") == [0, 1, 0]
    assert record.closed == (Closed(ACME, SESSIONS[2], Decimal(71)),)


def test_from_a_day_before_the_opening_it_begins_with_that() -> None:
    assert rebuilt([OPENING, BUY], since=dt.date(1990, 1, 1)) == rebuilt([OPENING, BUY])


def test_a_day_after_the_last_session_is_refused() -> None:
    with pytest.raises(NothingHeld, match="since 2013-03-02: the last session is 2013-03-01"):
        rebuilt([OPENING], since=LAST + dt.timedelta(1))


def test_books_that_were_never_opened_are_refused() -> None:
    with pytest.raises(NothingHeld, match=r"nothing was ever held here; `run\.py import FILE`"):
        rebuilt([])


def test_the_close_before_stands_in_for_a_missing_one_and_is_named_when_it_is_old() -> None:
    sessions = [LAST - dt.timedelta(back) for back in range(9, -1, -1)]
    own = bars([100] * 10)
    few = Bars(
        *(getattr(own, each)[:4] for each in ("sessions", "open", "high", "low", "close", "volume", "adj_close"))
    )

    def named(until: int) -> tuple[Stale, ...]:
        opening = Movement(0, "opening", sessions[0], 0, Decimal(0), Decimal(0), OPENING.moved, ACME)
        return rebuild([opening], (), sessions[:until], {ACME: few}).stale

    assert named(9) == ()
    assert named(10) == (Stale(ACME, sessions[3], 6),)


def test_something_held_that_never_had_a_close_is_named() -> None:
    with pytest.raises(NoPrice, match=f"SPY: no close is known up to {SESSIONS[0]}"):
        rebuilt([booked(0, "opening", "0", "1", "1", symbol=SPY)])


@pytest.mark.parametrize(
    ("session", "at", "counts_for"),
    [
        (SESSIONS[1], micros(LAST), 1),
        (None, micros(SESSIONS[2]), 2),
        (None, micros(LAST + dt.timedelta(5_000)), 3),
        (None, micros(dt.date(1999, 1, 1)), 0),
    ],
)
def test_a_booking_counts_for_its_session_or_the_last_one_there_was(
    session: dt.date | None, at: int, counts_for: int
) -> None:
    assert place(SESSIONS, session, at) == counts_for


def test_what_claude_has_cost_counts_for_the_day_it_was_asked() -> None:
    spent = [Spending(micros(SESSIONS[1]), Decimal("0.25")), Spending(micros(SESSIONS[1]), Decimal("0.5"))]

    assert amounts(rebuilt([OPENING], spent=spent), "claude") == [0, Decimal("0.75"), 0, 0]
    assert amounts(rebuilt([OPENING], since=SESSIONS[1], spent=spent), "claude") == [0, 0, 0]


QUANTITY = st.decimals(Decimal("-1e6"), Decimal("1e6"), places=9)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["trade", "deposit"]), QUANTITY.filter(bool), QUANTITY)))
def test_whatever_was_booked_each_day_is_worth_the_sum_of_it(
    entries: list[tuple[int, str, Decimal, Decimal]],
) -> None:
    movements = [OPENING, *(booked(day, kind, f"{cash}", f"{shares}") for day, kind, cash, shares in entries)]

    days: tuple[Day, ...] = rebuilt(movements).days

    closes = np.array([100, 110, 99, 120])
    for number, day in enumerate(days):
        cash = Decimal(1000) + sum(cash for at, _, cash, _ in entries if at <= number)
        shares = Decimal(10) + sum(shares for at, _, _, shares in entries if at <= number)
        assert day.equity == cash + shares * int(closes[number])
        assert day.equity - day.long + day.short == cash
