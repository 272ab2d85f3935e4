"""How far a target and a stop may lie from the close: the same check for every analyst.

The band is |ln(price / close)| <= 3 · volatility · √(horizon / 252), with volatility_252, else volatility_63.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import exp, sqrt
from typing import Final, Literal

from actors.domain.figures import shown
from messages.research import Action, Sheet

DEVIATIONS: Final = 3
"""Half the band's width, in standard deviations of the log return over the horizon."""
WIDEST: Final = 100.0
"""Of the logarithm: keeps the exponential finite however wild the prices were."""


@dataclass(frozen=True, slots=True)
class Band:
    """The close, the lowest and highest price allowed, and how near to the close a stop may be (None: unknown).

    In the desk's currency. Exact in the facts' six digits, so that a price on the border is within.
    """

    close: Decimal
    low: Decimal
    high: Decimal
    half_atr: Decimal | None


@dataclass(frozen=True, slots=True)
class Breach:
    """A field that cannot stand, and why."""

    field: Literal["target", "stop"]
    sentence: str


def band(sheet: Sheet, horizon_days: int) -> Band | None:
    """The band over this many sessions; None where the sheet has no close or no volatility."""
    close, atr = sheet.fact("close"), sheet.fact("atr_14")
    sigma = sheet.fact("volatility_252") or sheet.fact("volatility_63")
    if close is None or sigma is None:
        return None
    reach = min(DEVIATIONS * sigma.value * sqrt(horizon_days / 252), WIDEST)
    return Band(
        _exact(close.value),
        _exact(close.value * exp(-reach)),
        _exact(close.value * exp(reach)),
        None if atr is None else _exact(atr.value) / 2,
    )


def breaches(band: Band | None, action: Action, target: Decimal | None, stop: Decimal | None) -> tuple[Breach, ...]:
    """What is wrong with these two prices; nothing where they may stand.

    BUY: stop < close < target. SELL: target < close < stop. HOLD: stop < close < target, both or neither.
    Within the band, the stop at least half an ATR from the close; without a band or with ABSTAIN, neither.
    With BUY and SELL a price may be None: whether one must be given is the caller's to say.
    """
    found = list[Breach]()
    if target is not None:
        found.extend(Breach("target", sentence) for sentence in _target(band, action, target))
    if stop is not None:
        found.extend(Breach("stop", sentence) for sentence in _stop(band, action, stop))
    if action is Action.HOLD and (target is None) != (stop is None):
        found.append(Breach("target" if target is None else "stop", "HOLD has both a target and a stop, or neither"))
    return tuple(found)


def fitted(band: Band, price: Decimal) -> Decimal:
    """The price moved into the band and on to a tick, towards the close: 0.01, or 0.0001 below 1."""
    price = min(max(price, band.low), band.high)
    tick = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    return price.quantize(tick, ROUND_FLOOR if price > band.close else ROUND_CEILING)


def _target(band: Band | None, action: Action, target: Decimal) -> list[str]:
    if band is None or action is Action.ABSTAIN:
        return [_no_band("target", action, target)]
    return _side("target", band, target, above=action is not Action.SELL) + _reach("target", band, target)


def _stop(band: Band | None, action: Action, stop: Decimal) -> list[str]:
    if band is None or action is Action.ABSTAIN:
        return [_no_band("stop", action, stop)]
    found = _side("stop", band, stop, above=action is Action.SELL) + _reach("stop", band, stop)
    if band.half_atr is None:
        found.append(f"stop {stop} cannot be checked, since atr_14 is missing")
    elif abs(stop - band.close) < band.half_atr:
        found.append(
            f"stop {stop} is less than half an ATR, {_shown(band.half_atr)}, from the close {_shown(band.close)}"
        )
    return found


def _no_band(field: str, action: Action, price: Decimal) -> str:
    why = "no view is taken" if action is Action.ABSTAIN else "neither close nor volatility may be missing for one"
    return f"{field} {price} must be null, {why}"


def _side(field: str, band: Band, price: Decimal, *, above: bool) -> list[str]:
    if (price > band.close) if above else (price < band.close):
        return []
    return [f"{field} {price} must be {'above' if above else 'below'} the close {_shown(band.close)}"]


def _reach(field: str, band: Band, price: Decimal) -> list[str]:
    if band.low <= price <= band.high:
        return []
    return [
        f"{field} {price} is outside of {_shown(band.low)} to {_shown(band.high)}, three deviations over the horizon"
    ]


def _shown(price: Decimal) -> str:
    return shown(float(price))


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
