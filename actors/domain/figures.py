"""How a figure is rounded, and how it is shown."""

from decimal import Decimal
from typing import Final

import numpy as np

from messages.market import Floats

_POWERS: Final = np.array([float(f"1e{power}") for power in range(23)])
"""Those powers of ten that a float64 holds exactly."""
_NEAR_A_TIE: Final = 1e-9
"""Scaling to six digits before the point is off by 2^-34 at most, so that further from .5 it rounds the right way."""


def rounded(value: float) -> float:
    """To six significant digits, as every fact is, once; never minus zero. NaN and infinity stay what they are."""
    return float(f"{value:.6g}") + 0.0


def all_rounded(values: Floats) -> Floats:
    """`rounded` of each, to the last bit; in a tenth of the time.

    Six digits before the point are rounded to a whole number; that and the power of ten are exact, so that scaling it
    back rounds once, to the float64 nearest to the decimal figure. What is too large, too small or too near to a tie
    for that is rounded singly.
    """
    size = np.abs(values)
    with np.errstate(all="ignore"):
        shift = 5 - np.floor(np.log10(size))
        up = np.take(_POWERS, np.where(shift > 0, shift, 0).astype(np.int64), mode="clip")
        down = np.take(_POWERS, np.where(shift < 0, -shift, 0).astype(np.int64), mode="clip")
        digits = size * up / down
        whole = np.rint(digits)
        sure = (np.abs(shift) < len(_POWERS)) & (digits >= 1e5) & (digits < 1e6)
        sure &= np.abs(np.abs(digits - whole) - 0.5) > _NEAR_A_TIE
    figures = np.where(sure, np.copysign(whole * down / up, values), values + 0.0)
    for place in np.flatnonzero(~sure & np.isfinite(values) & (size > 0)).tolist():
        figures.flat[place] = rounded(float(values.flat[place]))
    return figures


def shown(value: float) -> str:
    """In six significant digits without trailing zeros; with an exponent only from 1e15 up and below 1e-9."""
    text = f"{rounded(value):.6g}"
    return format(Decimal(text), "f") if value == 0 or 1e-9 <= abs(value) < 1e15 else text


def plain(amount: Decimal) -> str:
    """An exact amount as a person writes it, without trailing zeros."""
    return f"{amount.normalize():f}"


def money(amount: Decimal) -> str:
    """To the cent, with commas."""
    return f"{amount:,.2f}"


def percent(share: Decimal) -> str:
    """A share that somebody has set, exactly."""
    return f"{plain(share * 100)}%"


def part(amount: Decimal, whole: Decimal) -> str:
    """How much of the whole an amount is, in per cent; in words where the whole is nothing."""
    return f"{shown(float(amount / whole * 100))}%" if whole > 0 else f"{money(amount)} of {money(whole)}"
