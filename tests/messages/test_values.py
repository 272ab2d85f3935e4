"""Amounts as integers of 1e-9: exact, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.values import LARGEST, UNIT, OutOfRange, from_units, to_units

WHOLE = st.integers(-LARGEST + 1, LARGEST - 1)


@given(WHOLE)
def test_what_was_stored_comes_back_exactly(units: int) -> None:
    amount = from_units(units)

    assert to_units(amount) == units
    assert amount == Decimal(units).scaleb(-9)


@given(WHOLE)
def test_an_amount_is_written_without_exponent_and_without_trailing_zeros(units: int) -> None:
    text = str(from_units(units)) if abs(units) >= 1_000 or not units else f"{from_units(units):f}"

    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


@given(st.decimals(Decimal("-9200000000"), Decimal("9200000000"), places=12))
def test_more_than_nine_decimals_are_rounded_by_half_a_unit_at_most(amount: Decimal) -> None:
    assert abs(from_units(to_units(amount)) - amount) <= UNIT / 2


@pytest.mark.parametrize(("amount", "units"), [("0.5e-9", 0), ("1.5e-9", 2), ("2.5e-9", 2), ("-1.5e-9", -2)])
def test_a_half_is_rounded_to_even(amount: str, units: int) -> None:
    assert to_units(Decimal(amount)) == units


@pytest.mark.parametrize(
    "amount", ["NaN", "sNaN", "Infinity", "-Infinity", "9223372036.854775807", "-9223372037", "1e300", "1e1000000"]
)
def test_what_the_database_cannot_hold_is_refused_and_never_cut(amount: str) -> None:
    with pytest.raises(OutOfRange, match=r"is not an amount between -9\.2e9 and 9\.2e9"):
        to_units(Decimal(amount))


def test_the_largest_amount_is_held() -> None:
    assert to_units(Decimal("9223372036.854775806")) == LARGEST - 1
