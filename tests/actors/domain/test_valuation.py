from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.valuation import NoPrice, value
from messages.trading import Held, Position
from messages.values import Symbol
from tests.actors.domain.making import LAST

AAPL, IBM = Symbol("AAPL"), Symbol("IBM")
AMOUNT = st.decimals(Decimal("0.000000001"), Decimal("9200000000"), places=9)


def test_positions_and_cash_make_the_value() -> None:
    holdings = [Held(IBM, Decimal(10), Decimal(1500)), Held(AAPL, Decimal("2.5"), Decimal("1200.25"))]

    found = value(LAST, "USD", holdings, Decimal("924.825"), {AAPL: Decimal("430.47"), IBM: Decimal("202.91")})

    assert (found.as_of, found.currency) == (LAST, "USD")
    assert (found.value, found.cash) == (Decimal("4030.1"), Decimal("924.825"))
    assert found.positions == (
        Position(AAPL, Decimal("2.5"), Decimal("430.47"), Decimal("1076.175"), 0.267034, Decimal("-124.075")),
        Position(IBM, Decimal(10), Decimal("202.91"), Decimal("2029.1"), 0.503486, Decimal("529.1")),
    )


def test_a_holding_without_a_close_is_named_and_nothing_is_valued() -> None:
    with pytest.raises(NoPrice, match="IBM: no close is known up to 2013-03-01; refresh its bars") as raised:
        value(LAST, "USD", [Held(IBM, Decimal(1), Decimal(1))], Decimal(0), {AAPL: Decimal(1)})

    assert (raised.value.symbol, raised.value.as_of) == (IBM, LAST)


def test_cash_alone_is_a_portfolio() -> None:
    found = value(LAST, "USD", [], Decimal("0.1"), {})

    assert (found.value, found.positions) == (Decimal("0.1"), ())


def test_where_the_whole_is_worth_nothing_weights_are_nought() -> None:
    found = value(LAST, "USD", [Held(IBM, Decimal(1), Decimal(5))], Decimal(-2), {IBM: Decimal(2)})

    assert found.value == 0
    assert found.positions[0].weight == 0


@given(quantity=AMOUNT, price=AMOUNT, cost=AMOUNT, cash=AMOUNT)
def test_money_is_exact_and_the_weight_has_six_digits(
    quantity: Decimal, price: Decimal, cost: Decimal, cash: Decimal
) -> None:
    found = value(LAST, "USD", [Held(IBM, quantity, cost)], cash, {IBM: price})

    position, worth = found.positions[0], Fraction(quantity) * Fraction(price)
    assert Fraction(position.value) == worth
    assert Fraction(position.unrealised) == worth - Fraction(cost)
    assert Fraction(found.value) == worth + Fraction(cash)
    assert position.weight == float(f"{float(worth / (worth + Fraction(cash))):.6g}")
