import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.band import Band, band, breaches, fitted
from messages.research import Action, Sheet
from tests.actors.domain.making import sheet

KNOWN = sheet({"close": 100.0, "atr_14": 2.0, "volatility_252": 0.2, "volatility_63": 0.4})
REACH = 3 * 0.2 * math.sqrt(63 / 252)


def found(
    given: Sheet, action: Action, target: str | None, stop: str | None, horizon_days: int = 63
) -> list[tuple[str, str]]:
    prices = (None if price is None else Decimal(price) for price in (target, stop))
    return [(breach.field, breach.sentence) for breach in breaches(band(given, horizon_days), action, *prices)]


def fields(given: Sheet, action: Action, target: str | None, stop: str | None, horizon_days: int = 63) -> list[str]:
    return [field for field, _ in found(given, action, target, stop, horizon_days)]


def test_the_band_is_three_deviations_over_the_horizon_wide() -> None:
    limits = band(KNOWN, 63)

    assert limits is not None
    assert float(limits.high) == pytest.approx(100 * math.exp(REACH))
    assert float(limits.low) == pytest.approx(100 * math.exp(-REACH))
    assert limits.close == 100
    assert limits.half_atr == 1


def test_the_volatility_of_a_quarter_stands_in_for_that_of_a_year() -> None:
    limits = band(sheet({"close": 100.0, "volatility_63": 0.4}), 63)

    assert limits is not None
    assert float(limits.high) == pytest.approx(100 * math.exp(2 * REACH))


def test_without_close_or_volatility_there_is_no_band() -> None:
    assert band(sheet({"close": 100.0, "atr_14": 2.0}), 63) is None
    assert band(sheet({"atr_14": 2.0, "volatility_252": 0.2}), 63) is None


def test_a_volatility_of_nought_is_known_and_leaves_no_room() -> None:
    assert band(sheet({"close": 100.0, "volatility_252": 0.0, "volatility_63": 0.4}), 63) == Band(
        Decimal(100), Decimal(100), Decimal(100), None
    )


def test_a_wild_volatility_does_not_overflow() -> None:
    limits = band(sheet({"close": 100.0, "volatility_252": 1e6}), 126)

    assert limits is not None
    assert limits.high.is_finite()


@pytest.mark.parametrize(
    ("action", "target", "stop"),
    [
        (Action.BUY, "110", "95"),
        (Action.BUY, None, None),
        (Action.SELL, "90", "105"),
        (Action.SELL, "90", None),
        (Action.HOLD, None, None),
        (Action.HOLD, "110", "95"),
        (Action.ABSTAIN, None, None),
        (Action.BUY, "100.01", "99"),  # a stop half an ATR away
        (Action.BUY, "134.98", "74.09"),  # the borders are 134.986 and 74.082
    ],
)
def test_prices_on_their_sides_and_within_the_band_stand(action: Action, target: str | None, stop: str | None) -> None:
    assert found(KNOWN, action, target, stop) == []


@pytest.mark.parametrize(
    ("action", "target", "stop", "failing"),
    [
        (Action.BUY, "100", "95", ["target"]),
        (Action.BUY, "90", "95", ["target"]),
        (Action.BUY, "110", "105", ["stop"]),
        (Action.SELL, "110", "105", ["target"]),
        (Action.SELL, "90", "95", ["stop"]),
        (Action.HOLD, "90", "95", ["target"]),
        (Action.HOLD, "110", "105", ["stop"]),
        (Action.HOLD, "110", None, ["stop"]),
        (Action.HOLD, None, "95", ["target"]),
        (Action.ABSTAIN, "110", "95", ["target", "stop"]),
        (Action.BUY, "134.99", "74.08", ["target", "stop"]),
        (Action.SELL, "74.08", "134.99", ["target", "stop"]),
        (Action.BUY, "110", "99.01", ["stop"]),
        (Action.SELL, "90", "100.99", ["stop"]),
    ],
)
def test_prices_on_the_wrong_side_too_far_or_too_near_do_not(
    action: Action, target: str | None, stop: str | None, failing: list[str]
) -> None:
    assert fields(KNOWN, action, target, stop) == failing


def test_a_shorter_horizon_makes_the_band_narrower() -> None:
    assert fields(KNOWN, Action.BUY, "120", "95", 63) == []
    assert fields(KNOWN, Action.BUY, "120", "95", 5) == ["target"]


def test_without_a_band_no_price_may_be_named() -> None:
    assert fields(sheet({"close": 100.0, "atr_14": 2.0}), Action.BUY, "110", "95") == ["target", "stop"]
    assert fields(sheet({"close": 100.0, "atr_14": 2.0}), Action.BUY, None, None) == []


def test_without_an_atr_a_stop_cannot_be_checked() -> None:
    assert fields(sheet({"close": 100.0, "volatility_252": 0.2}), Action.BUY, "110", "95") == ["stop"]


def test_half_an_atr_is_exact_in_the_digits_of_the_facts() -> None:
    narrow = sheet({"close": 10.0, "atr_14": 0.2, "volatility_252": 0.2})  # 10 - 9.9 < 0.1 in binary floats

    assert fields(narrow, Action.BUY, None, "9.9") == []


def test_a_breach_names_the_price_and_what_would_do() -> None:
    assert found(KNOWN, Action.BUY, "140", "99.5") == [
        ("target", "target 140 is outside of 74.0818 to 134.986, three deviations over the horizon"),
        ("stop", "stop 99.5 is less than half an ATR, 1, from the close 100"),
    ]


@pytest.mark.parametrize(
    ("price", "tick"),
    [("110.129", "110.12"), ("95.121", "95.13"), ("200", "134.98"), ("1", "74.09"), ("110.1", "110.10")],
)
def test_a_price_is_fitted_into_the_band_and_rounded_towards_the_close(price: str, tick: str) -> None:
    limits = band(KNOWN, 63)

    assert limits is not None
    assert str(fitted(limits, Decimal(price))) == tick


@given(
    close=st.floats(0.001, 1e6),
    volatility=st.floats(0.01, 5),
    horizon_days=st.sampled_from([5, 21, 63, 126]),
    share=st.floats(-3, 3),
)
def test_a_fitted_price_is_in_the_band_and_no_farther_than_asked(
    close: float, volatility: float, horizon_days: int, share: float
) -> None:
    limits = band(sheet({"close": close, "volatility_252": volatility}), horizon_days)
    assert limits is not None
    asked = limits.close + limits.close * Decimal(repr(share))

    price = fitted(limits, asked)

    tick = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    assert price % tick == 0
    side = 1 if asked > limits.close else -1
    assert side * (price - limits.close) <= side * (asked - limits.close)
    if side * (price - limits.close) > 0:
        reach = 3 * volatility * math.sqrt(horizon_days / 252)
        assert abs(math.log(float(price) / close)) <= reach + 1e-12
