"""How a figure is rounded, and how it is shown."""

from decimal import Decimal


def rounded(value: float) -> float:
    """To six significant digits, as every fact is, once; never minus zero. NaN and infinity stay what they are."""
    return float(f"{value:.6g}") + 0.0


def shown(value: float) -> str:
    """In six significant digits without trailing zeros; with an exponent only from 1e15 up and below 1e-9."""
    text = f"{rounded(value):.6g}"
    return format(Decimal(text), "f") if value == 0 or 1e-9 <= abs(value) < 1e15 else text
