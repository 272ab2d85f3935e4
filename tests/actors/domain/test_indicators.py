import math

import numpy as np
import pytest

from actors.domain import indicators
from actors.domain.bars import adjusted
from messages.market import Bars

STILL = np.full(100, 50.0)
"""A price that never moves."""


def test_the_indicators_of_aapl_are_those_on_which_three_libraries_agree(aapl: Bars) -> None:
    bars = adjusted(aapl, len(aapl))

    assert indicators.rsi(bars.close) == pytest.approx(33.337867, abs=5e-7)
    assert indicators.macd(bars.close) == pytest.approx((-12.091656, -11.584484, -0.507172), abs=5e-7)
    assert indicators.atr(bars.high, bars.low, bars.close) == pytest.approx(11.801693, abs=5e-7)
    assert indicators.adx(bars.high, bars.low, bars.close) == pytest.approx(31.957209, abs=5e-7)
    assert indicators.bollinger(bars.close) == pytest.approx((480.097131, 454.982359, 429.867587), abs=5e-7)
    assert indicators.sma(bars.close, 200) == pytest.approx(569.792165, abs=5e-7)


def test_a_price_that_never_moved_has_neither_rsi_nor_adx() -> None:
    assert math.isnan(indicators.rsi(STILL))
    assert math.isnan(indicators.adx(STILL, STILL, STILL))


def test_a_price_that_only_fell_has_an_rsi_of_nought() -> None:
    assert indicators.rsi(np.linspace(100, 50, 100)) == 0
