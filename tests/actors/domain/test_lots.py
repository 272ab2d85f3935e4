"""Which lot a sale takes, by figures computed by hand."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.lots import BadExecution, NoSuchLot, left, matched, split
from messages.broker import ClientId, Execution, Side
from messages.lots import Closing, Lot, Matched, Method
from messages.values import UNIT, Symbol

MONDAY, SOLD = dt.date(2013, 1, 7), dt.date(2013, 3, 1)
OLD, DEAR, LATE = (
    Lot("old", None, Decimal(10), Decimal(1000)),
    Lot("dear", MONDAY, Decimal(10), Decimal(1500)),
    Lot("late", dt.date(2013, 2, 1), Decimal(10), Decimal(1200)),
)
LOTS = [OLD, DEAR, LATE]


def execution(quantity: str, price: str, side: Side = Side.SELL, fee: str = "0") -> Execution:
    return Execution(
        ClientId("c" * 24), "x1", Symbol("AAPL"), side, Decimal(quantity), Decimal(price), Decimal(fee), SOLD, 0
    )


def closing(lot: Lot, quantity: str, cost: str, proceeds: str) -> Closing:
    return Closing(lot.id, lot.acquired, Decimal(quantity), Decimal(cost), Decimal(proceeds))


# 15 shares sold at 130 bring 1,950. A share of `old` has cost 100, of `dear` 150, of `late` 120.
@pytest.mark.parametrize(
    ("method", "named", "closed", "gains"),
    [
        (Method.FIFO, (), [closing(OLD, "10", "1000", "1300"), closing(DEAR, "5", "750", "650")], [300, -100]),
        (Method.HIGHEST_COST, (), [closing(DEAR, "10", "1500", "1300"), closing(LATE, "5", "600", "650")], [-200, 50]),
        (Method.SPECIFIC, ("late",), [closing(LATE, "10", "1200", "1300"), closing(OLD, "5", "500", "650")],
         [100, 150]),
    ],
)  # fmt: skip
def test_a_sale_takes_lots_in_the_order_of_its_method(
    method: Method, named: tuple[str, ...], closed: list[Closing], gains: list[int]
) -> None:
    done = matched(LOTS, execution("15", "130"), method, named)

    assert done == Matched(tuple(closed), None)
    assert [each.gain for each in done.closed] == gains


def test_what_is_left_after_a_sale_is_the_rest_of_shares_and_cost() -> None:
    assert left(LOTS, matched(LOTS, execution("15", "130"))) == (
        Lot("dear", MONDAY, Decimal(5), Decimal(750)),
        LATE,
    )


def test_a_purchase_opens_a_lot_of_its_own_and_leaves_the_others() -> None:
    new = Lot("x1", SOLD, Decimal("2.5"), Decimal("250.25"))

    done = matched(LOTS, execution("2.5", "100.1", Side.BUY, fee="7"))

    assert done == Matched((), new)
    assert left(LOTS, done) == (*LOTS, new)


def test_more_than_is_held_opens_a_short_lot_and_a_purchase_covers_it_first() -> None:
    short = matched([OLD], execution("12", "130"))

    assert short == Matched((closing(OLD, "10", "1000", "1300"),), Lot("x1", SOLD, Decimal(-2), Decimal(-260)))
    covered = matched(left([OLD], short), execution("3", "100", Side.BUY))

    assert covered.closed == (Closing("x1", SOLD, Decimal(-2), Decimal(-260), Decimal(-200)),)
    assert covered.closed[0].gain == 60
    assert covered.opened == Lot("x1", SOLD, Decimal(1), Decimal(100))


def test_parts_of_a_lot_have_the_whole_cost_and_the_whole_proceeds_to_the_last_unit() -> None:
    lots, third = [Lot("a", MONDAY, Decimal(3), Decimal(100))], execution("1", "33.333333333")

    done = [matched(lots, third)]
    done.append(matched(left(lots, done[0]), third))
    done.append(matched(left(left(lots, done[0]), done[1]), third))

    assert [each.closed[0].cost for each in done] == [
        Decimal("33.333333333"), Decimal("33.333333334"), Decimal("33.333333333"),
    ]  # fmt: skip
    assert left(left(left(lots, done[0]), done[1]), done[2]) == ()


AMOUNTS = st.decimals(UNIT, 1000, places=9)


@given(
    st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=6),
    AMOUNTS,
    AMOUNTS,
    st.sampled_from([*Method]),
    st.sampled_from([*Side]),
)
def test_nothing_is_lost_or_made_by_rounding(
    have: list[tuple[Decimal, Decimal]], quantity: Decimal, price: Decimal, method: Method, side: Side
) -> None:
    lots = [Lot(str(number), MONDAY, *each) for number, each in enumerate(have)]
    one = execution(str(quantity), str(price), side)

    done = matched(lots, one, method)
    after = left(lots, done)

    sign = 1 if side is Side.BUY else -1
    assert sum(lot.quantity for lot in after) == sum(lot.quantity for lot in lots) + sign * quantity
    paid = (done.opened.cost if done.opened else 0) - sum(each.proceeds for each in done.closed)
    assert paid == sign * (quantity * price).quantize(UNIT)
    new = done.opened.cost if done.opened else 0
    assert (
        sum(lot.cost for lot in after) == sum(lot.cost for lot in lots) - sum(each.cost for each in done.closed) + new
    )
    assert all(lot.quantity > 0 for lot in after if lot is not done.opened)


def test_a_split_changes_quantities_and_no_costs() -> None:
    two, tiny = Decimal(2), Lot("tiny", None, UNIT, Decimal(7))

    assert [lot.quantity for lot in split(LOTS, two, Decimal(1))] == [Decimal(20)] * 3
    assert [lot.cost for lot in split(LOTS, two, Decimal(1))] == [lot.cost for lot in LOTS]
    assert [lot.quantity for lot in split([OLD, tiny], Decimal(1), Decimal(3))] == [Decimal("3.333333333"), UNIT]


@pytest.mark.parametrize(
    ("quantity", "price", "words"),
    [("0", "1", "0 shares at 1 cannot"), ("-1", "1", "-1 shares"), ("NaN", "1", "its quantity is NaN"),
     ("1", "-1", "cannot have been"), ("1", "Infinity", "its price is Infinity"),
     ("0.0000000001", "1", "more than nine decimals")],
)  # fmt: skip
def test_an_execution_that_cannot_have_been_is_refused(quantity: str, price: str, words: str) -> None:
    with pytest.raises(BadExecution, match=words):
        matched(LOTS, execution(quantity, price))


@pytest.mark.parametrize("named", [("nowhere",), ("late", "late")])
def test_a_lot_that_is_not_there_cannot_be_named(named: tuple[str, ...]) -> None:
    with pytest.raises(NoSuchLot, match="is not held, or named twice"):
        matched(LOTS, execution("1", "1"), Method.SPECIFIC, named)
