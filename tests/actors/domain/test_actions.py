"""What a split or a dividend makes of an order, by figures computed by hand, and which of them can be true."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.actions import adjusted, best, fault
from messages.broker import Kind, Side, Ticket
from messages.market import Action, ActionKind
from messages.values import UNIT
from tests.actors.domain.making import ACME, LAST, bars
from tests.actors.domain.playing import ticket

BUY, SELL = Side.BUY, Side.SELL
NONE = Decimal(0)


def split(ratio: str, on: dt.date = LAST) -> Action:
    new, old = ratio.split(":")
    return Action(ACME, on, ActionKind.SPLIT, Decimal(new), Decimal(old))


def dividend(value: str, on: dt.date = LAST) -> Action:
    return Action(ACME, on, ActionKind.DIVIDEND, Decimal(value))


# Before, what was filled of it, the action, and after. 100 shares at 90 are 200 at 45 after 2:1; 90/7 is 12.857142857.
@pytest.mark.parametrize(
    ("order", "filled", "action", "after"),
    [
        (ticket(BUY, "100", Kind.LIMIT, limit="90"), "0", split("2:1"), ticket(BUY, "200", Kind.LIMIT, limit="45")),
        (ticket(BUY, "100", Kind.LIMIT, limit="90"), "40", split("2:1"), ticket(BUY, "160", Kind.LIMIT, limit="45")),
        (ticket(SELL, "10", Kind.LIMIT, limit="90"), "0", split("7:1"),
         ticket(SELL, "70", Kind.LIMIT, limit="12.857142857")),
        (ticket(SELL, "7", Kind.STOP, stop="90"), "0", split("3:2"), ticket(SELL, "10", Kind.STOP, stop="60")),
        (ticket(SELL, "7.5", Kind.STOP, stop="90"), "0", split("3:2"), ticket(SELL, "11.25", Kind.STOP, stop="60")),
        (ticket(BUY, "7", Kind.STOP_LIMIT, stop="90", limit="93"), "2", split("3:1"),
         ticket(BUY, "17", Kind.STOP_LIMIT, stop="30", limit="31")),
        (ticket(SELL, "10", Kind.TRAILING_STOP, trail="6"), "0", split("2:1"),
         ticket(SELL, "20", Kind.TRAILING_STOP, trail="3")),
        (ticket(BUY, "10", take_profit="120", stop_loss="80"), "4", split("4:1"),
         ticket(BUY, "28", take_profit="30", stop_loss="20")),
        (ticket(BUY, "10", Kind.LIMIT, limit="90"), "0", dividend("1.25"),
         ticket(BUY, "10", Kind.LIMIT, limit="88.75")),
        (ticket(SELL, "10", Kind.STOP, stop="80"), "3", dividend("1.25"), ticket(SELL, "10", Kind.STOP, stop="78.75")),
        (ticket(SELL, "10", Kind.STOP_LIMIT, stop="80", limit="79"), "0", dividend("0.01"),
         ticket(SELL, "10", Kind.STOP_LIMIT, stop="79.99", limit="78.99")),
        (ticket(BUY, "10", Kind.LIMIT, limit="90", take_profit="120", stop_loss="80"), "0", dividend("1"),
         ticket(BUY, "10", Kind.LIMIT, limit="89", take_profit="120", stop_loss="79")),
        (ticket(SELL, "10", take_profit="80", stop_loss="120"), "0", dividend("1"),
         ticket(SELL, "10", take_profit="79", stop_loss="120")),
    ],
)  # fmt: skip
def test_what_works_goes_on_in_new_shares_and_without_the_dividend(
    order: Ticket, filled: str, action: Action, after: Ticket
) -> None:
    assert adjusted(order, Decimal(filled), action) == after


@pytest.mark.parametrize(
    "order",
    [
        ticket(SELL, "10", Kind.LIMIT, limit="90"), ticket(BUY, "10", Kind.STOP, stop="90"),
        ticket(BUY, "10", Kind.STOP_LIMIT, stop="90", limit="93"), ticket(SELL, "10", Kind.TRAILING_STOP, trail="6"),
        ticket(BUY, "10"),
    ],
)  # fmt: skip
def test_a_dividend_does_not_touch_limits_to_sell_and_stops_to_buy(order: Ticket) -> None:
    assert adjusted(order, NONE, dividend("1.25")) == order


def test_a_dividend_of_less_than_a_cent_touches_nothing() -> None:
    order = ticket(BUY, "10", Kind.LIMIT, limit="90")

    assert adjusted(order, NONE, dividend("0.009999999")) == order
    assert best(Decimal(90), SELL, dividend("0.009999999")) == 90


@pytest.mark.parametrize(
    ("order", "action", "why"),
    [
        (ticket(SELL, "10", Kind.STOP, stop="90"), split("1:10"),
         "ACME was split 1:10, and a reverse split ends what is open"),
        (ticket(BUY, "10", Kind.LIMIT, limit="3"), dividend("3"),
         "ACME has paid 3 a share, and nothing is left of its limit"),
        (ticket(BUY, "10", Kind.LIMIT, limit="0.000000001"), split("2:1"),
         "ACME was split 2:1, and nothing is left of its limit"),
        (ticket(BUY, "9e9", Kind.LIMIT, limit="5"), split("2:1"),
         "ACME was split 2:1, and an order cannot be of 18000000000 shares"),
    ],
)  # fmt: skip
def test_an_order_of_which_nothing_would_be_left_is_cancelled_and_says_why(
    order: Ticket, action: Action, why: str
) -> None:
    assert adjusted(order, NONE, action) == why


def test_the_best_price_of_a_trailing_stop_goes_along() -> None:
    assert best(Decimal(90), SELL, split("2:1")) == best(Decimal(90), BUY, split("2:1")) == 45
    assert [best(Decimal(90), SELL, dividend("1")), best(Decimal(90), BUY, dividend("1"))] == [89, 90]


@given(
    st.decimals(UNIT, 1_000_000, places=9), st.decimals(UNIT, 10_000, places=9), st.integers(1, 60), st.integers(1, 59),
    st.booleans(),
)  # fmt: skip
def test_a_split_never_makes_an_order_larger_than_what_it_was(
    quantity: Decimal, limit: Decimal, new: int, old: int, whole: bool
) -> None:
    quantity = quantity.to_integral_value() + 1 if whole else quantity
    whole = quantity == quantity.to_integral_value()
    after = adjusted(ticket(BUY, f"{quantity:f}", Kind.LIMIT, limit=f"{limit:f}"), NONE, split(f"{new}:{old}"))

    if isinstance(after, str):
        assert new < old or limit < 60 * UNIT
    else:
        assert after.limit is not None
        assert quantity * new - (1 if whole else UNIT) * old < after.quantity * old <= quantity * new
        assert (limit - 60 * UNIT) * old <= after.limit * new <= limit * old
        assert not whole or after.quantity == after.quantity.to_integral_value()


SHOWN, OPENED = "prices do not show a split of ", "before and opened at "
SPLIT_BARS = bars([100, 102, 50, 51])


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (split("2:1", LAST - dt.timedelta(1)), None),
        (split("21:20", LAST), None),
        (split("2:1", LAST + dt.timedelta(5)), None),
        (split("2:1", LAST - dt.timedelta(3)), None),
        (dividend("49.99"), None),
        (split("2:1", LAST - dt.timedelta(2)), SHOWN + "2:1: ACME closed at 100.0 " + OPENED + "102.0"),
        (split("1:2", LAST - dt.timedelta(1)), SHOWN + "1:2: ACME closed at 102.0 " + OPENED + "50.0"),
        (split("7:1", LAST - dt.timedelta(1)), SHOWN + "7:1: ACME closed at 102.0 " + OPENED + "50.0"),
        (dividend("50"), "a dividend of 50 is not below the close before, 50.0"),
        (split("2:1", LAST - dt.timedelta(9)),
         "ACME has no bar of 2013-02-20; write the first session with new shares or without it"),
    ],
)  # fmt: skip
def test_what_the_prices_do_not_show_is_named(action: Action, why: str | None) -> None:
    found = fault(action, SPLIT_BARS)

    assert (found or "").removesuffix("; they must be as traded, and new shares come first") == (why or "")


def test_a_session_between_two_bars_is_named() -> None:
    whole = bars([100, 102, 50, 51])
    gap = replace(whole, **{name: getattr(whole, name)[[0, 1, 3]] for name in type(whole).__slots__})

    assert str(fault(split("2:1", LAST - dt.timedelta(1)), gap)).startswith("ACME has no bar of 2013-02-28; ")
