"""TA-Lib, typed: each indicator at the last bar, NaN where it is not defined.

Inputs are float64 arrays in order of session, long enough for the indicator and without NaN: TA-Lib carries
one on to all that follows. Recursive indicators depend on where the input begins; see `facts.WINDOW`.
"""

import importlib
import sys
from math import nan
from types import ModuleType
from typing import Any, Final

from messages.market import Floats

ALSO_TAKEN: Final = ("pandas", "polars")
"""What TA-Lib imports where it is installed, to take its series, too: 0.2 s and 60 MB for each process, and a look at
each argument of each call."""


def _talib() -> Any:
    """TA-Lib for arrays alone."""
    before: dict[str, ModuleType] = {name: sys.modules[name] for name in ALSO_TAKEN if name in sys.modules}
    sys.modules.update(dict.fromkeys(ALSO_TAKEN))  # type: ignore[arg-type]  # None: there is no such module
    try:
        return importlib.import_module("talib")
    finally:
        for name in ALSO_TAKEN:
            del sys.modules[name]
        sys.modules.update(before)


talib: Final = _talib()


def sma(close: Floats, sessions: int) -> float:
    """Simple moving average, in price."""
    return float(talib.SMA(close[-sessions:], sessions)[-1])


def rsi(close: Floats) -> float:
    """Relative strength index over 14 sessions, Wilder's smoothing, 0 to 100.

    TA-Lib says 0, fully oversold, where no price ever moved; that is no RSI.
    """
    value = float(talib.RSI(close, 14)[-1])
    return nan if value == 0 and close.min() == close.max() else value


def macd(close: Floats) -> tuple[float, float, float]:
    """MACD of 12 and 26 sessions, its signal of 9, and the difference of the two, in price."""
    line, signal, histogram = talib.MACD(close, 12, 26, 9)
    return float(line[-1]), float(signal[-1]), float(histogram[-1])


def atr(high: Floats, low: Floats, close: Floats) -> float:
    """Average true range over 14 sessions, Wilder's smoothing, in price."""
    return float(talib.ATR(high, low, close, 14)[-1])


def adx(high: Floats, low: Floats, close: Floats) -> float:
    """Average directional index over 14 sessions, 0 to 100; without any movement of high or low there is none."""
    value = float(talib.ADX(high, low, close, 14)[-1])
    return nan if value == 0 and high.min() == high.max() and low.min() == low.max() else value


def bollinger(close: Floats) -> tuple[float, float, float]:
    """Upper, middle and lower band: mean of 20 sessions, and two standard deviations (ddof 0) around it, in price."""
    upper, middle, lower = talib.BBANDS(close[-20:], 20, 2.0, 2.0)
    return float(upper[-1]), float(middle[-1]), float(lower[-1])
