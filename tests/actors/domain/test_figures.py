import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.figures import all_rounded, rounded, shown

FINITE = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, max_value=1e300, min_value=-1e300)


@given(FINITE)
def test_a_rounded_figure_has_six_digits_and_is_near(value: float) -> None:
    figure = rounded(value)

    assert len(Decimal(repr(figure)).normalize().as_tuple().digits) <= 6
    assert figure == pytest.approx(value, rel=5.1e-6, abs=0)


@given(FINITE)
def test_rounding_again_changes_nothing(value: float) -> None:
    assert rounded(rounded(value)) == rounded(value)


def test_there_is_no_minus_zero() -> None:
    assert math.copysign(1, rounded(-0.0)) == 1


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(rounded(math.nan))
    assert rounded(-math.inf) == -math.inf


ANY = st.floats(allow_subnormal=False) | st.floats(-1e7, 1e7)


def beside(value: float, steps: int) -> float:
    """The float so many places above or below."""
    for _ in range(abs(steps)):
        value = math.nextafter(value, math.copysign(math.inf, steps))
    return value


def near_a_tie(digits: int, power: int, steps: int) -> float:
    return beside(float(f"{digits}5e{power}"), steps)


def near_a_power(power: int, steps: int, off: float) -> float:
    return beside(float(f"1e{power}"), steps) * (1 - off)


STEPS, POWERS = st.integers(-2, 2), st.integers(-300, 300)
NEAR_TIES = st.builds(near_a_tie, st.integers(100_000, 999_999), st.integers(-40, 40), STEPS)
NEAR_POWERS = st.builds(near_a_power, POWERS, STEPS, st.just(0.0) | st.floats(0, 1e-5))


@given(st.lists(ANY | NEAR_TIES | NEAR_POWERS, min_size=1, max_size=40))
def test_many_figures_are_rounded_to_the_bit_as_each_one_is(values: list[float]) -> None:
    figures = all_rounded(np.array([values, values[::-1]]))

    expected = np.array([[rounded(value) for value in values], [rounded(value) for value in values[::-1]]])
    known = ~np.isnan(expected)
    assert (np.isnan(figures) == ~known).all()
    assert figures[known].tobytes() == expected[known].tobytes()


@given(FINITE.map(rounded))
def test_what_is_shown_is_the_figure(value: float) -> None:
    assert float(shown(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (33.3378671, "33.3379"),
        (430.0, "430"),
        (-0.5, "-0.5"),
        (0.0, "0"),
        (123456789.0, "123457000"),
        (0.0000123, "0.0000123"),
        (1e15, "1e+15"),
        (1.5e-10, "1.5e-10"),
    ],
)
def test_figures_of_ordinary_size_are_shown_without_an_exponent(value: float, text: str) -> None:
    assert shown(value) == text
