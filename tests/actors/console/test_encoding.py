"""JSON as it leaves the desk: amounts are digits."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.console.encoding import encoded


@dataclass(frozen=True)
class Line:
    amount: Decimal
    weight: float
    day: dt.date
    parts: tuple[Decimal, ...]


@pytest.mark.parametrize(
    ("amount", "digits"),
    [("0.00000001", "0.00000001"), ("1E-9", "0.000000001"), ("9E+9", "9000000000"), ("10.50", "10.50"), ("-1", "-1")],
)
def test_an_amount_is_a_string_without_an_exponent(amount: str, digits: str) -> None:
    assert encoded({"cash": Decimal(amount)}) == f'{{"cash":"{digits}"}}'.encode()


def test_amounts_deep_inside_are_strings_too_and_all_else_is_as_it_was() -> None:
    line = Line(Decimal("1E-8"), 0.25, dt.date(2013, 3, 1), (Decimal("2E+2"),))

    assert msgspec.json.decode(encoded({"lines": [line], "none": None})) == {
        "lines": [{"amount": "0.00000001", "weight": 0.25, "day": "2013-03-01", "parts": ["200"]}],
        "none": None,
    }


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**10), max_value=10**10))
def test_an_amount_is_exact(amount: Decimal) -> None:
    assert Decimal(msgspec.json.decode(encoded(amount), type=str)) == amount
