"""The rule-based analyst: what the desk recommends where Claude is not asked.

BUY   in an up-trend (close above its 200-day average, and the 50-day average too), with MACD above its signal,
      unless RSI is 70 or more: what has just run away is not chased.
SELL  the mirror image: below, below, below, unless RSI is 30 or less.
HOLD  otherwise.

The thresholds are the customary ones of Wilder (RSI 30 and 70, ADX 25) and Appel (MACD 12, 26, 9). The conviction
is *not* calibrated: .55, and .05 more each where ADX says that the trend is strong and where the return of a year
points the same way; .5 for HOLD. It only ranks.
"""

from decimal import Decimal
from typing import Final

from actors.domain.band import band, breaches, fitted
from actors.domain.thesis import placeholders
from messages.research import Action, Decision, Fact, Sheet

NEEDED: Final = ("close", "sma_50", "sma_200", "macd_histogram", "rsi_14", "adx_14")
"""Without one of these there is no view. A return of a year, ATR and volatility are used where they are known."""
STALE_DAYS: Final = 10
"""Calendar days after which a close says nothing about today."""
OVERBOUGHT, OVERSOLD, STRONG = 70, 30, 25
"""Points: of RSI from which up and down to which a price has run away, and of ADX from which a trend is strong."""
TARGET_ATRS, STOP_ATRS = 3, 2
"""How far target and stop are from the close, in ATR."""
STRONG_HORIZON, HORIZON = 63, 21
"""Sessions a trend is given: a quarter where it is strong, else a month."""


def recommend(sheet: Sheet) -> Decision:
    """Apply the rules; ABSTAIN with `missing_facts` or `stale_prices` where they cannot be applied.

    Target and stop of BUY and SELL are 3 and 2 ATR from the close, drawn into the band of `actors.domain.band`;
    None where ATR or volatility is missing, or no tick in the band is far enough from the close.
    """
    close = sheet.fact("close")
    if close is not None and (age := (sheet.as_of - close.as_of).days) > STALE_DAYS:
        return _abstain(sheet, f"stale_prices: the last close is of {close.as_of}, {age} days before {sheet.as_of}")
    known = {fact.name: fact for fact in sheet.facts}
    if lacking := [name for name in NEEDED if name not in known]:
        return _abstain(sheet, f"missing_facts: {'; '.join(_lack(sheet, name) for name in lacking)}")
    return _judge(sheet, *(known[name] for name in NEEDED))


def _judge(sheet: Sheet, close: Fact, short: Fact, long: Fact, macd: Fact, rsi: Fact, adx: Fact) -> Decision:
    rising = min(close.value, short.value) > long.value and macd.value > 0
    falling = max(close.value, short.value) < long.value and macd.value < 0
    if rising and rsi.value < OVERBOUGHT:
        action, sign = Action.BUY, 1
    elif falling and rsi.value > OVERSOLD:
        action, sign = Action.SELL, -1
    else:
        action, sign = Action.HOLD, 0
    year = sheet.fact("return_252")
    strong = sign != 0 and adx.value >= STRONG
    agrees = year is not None and sign * year.value > 0
    sentences = [_trend(close, short, long), _momentum(macd, rsi)]
    if strong:
        sentences.append(f"ADX at {_cite(adx)} says that the trend is strong.")
    if agrees and year is not None:
        sentences.append(f"The return of the past year, {_cite(year)}, points the same way.")
    thesis = " ".join([*sentences, _CONCLUSIONS[action]])
    horizon_days = STRONG_HORIZON if strong else HORIZON
    target, stop = _levels(sheet, action, sign, horizon_days)
    return Decision(
        symbol=sheet.symbol,
        as_of=sheet.as_of,
        analyst="rules",
        action=action,
        conviction=(0.55, 0.60, 0.65)[strong + agrees] if sign else 0.5,
        horizon_days=horizon_days,
        target=target,
        stop=stop,
        thesis=thesis,
        cited=placeholders(thesis),
        cause=None,
        cost_usd=Decimal(0),
    )


_CONCLUSIONS: Final = {
    Action.BUY: "Trend and momentum point up, and the price has not run away.",
    Action.SELL: "Trend and momentum point down, and the price is not sold out.",
    Action.HOLD: "Trend, momentum and RSI do not agree on a direction, so nothing changes.",
}


def _trend(close: Fact, short: Fact, long: Fact) -> str:
    return (
        f"The close of {_cite(close)} is {_against(close, long)} its 200-day average of {_cite(long)}, "
        f"the 50-day average of {_cite(short)} is {_against(short, long)} it."
    )


def _momentum(macd: Fact, rsi: Fact) -> str:
    state = "overbought" if rsi.value >= OVERBOUGHT else "oversold" if rsi.value <= OVERSOLD else "in its middle range"
    return f"MACD minus its signal is {_cite(macd)}, RSI at {_cite(rsi)} is {state}."


def _levels(sheet: Sheet, action: Action, sign: int, horizon_days: int) -> tuple[Decimal | None, Decimal | None]:
    limits = band(sheet, horizon_days)
    if limits is None or limits.half_atr is None or not sign:
        return None, None
    atr = 2 * limits.half_atr
    target = fitted(limits, limits.close + sign * TARGET_ATRS * atr)
    stop = fitted(limits, limits.close - sign * STOP_ATRS * atr)
    return (
        target if not breaches(limits, action, target, None) else None,
        stop if not breaches(limits, action, None, stop) else None,
    )


def _abstain(sheet: Sheet, cause: str) -> Decision:
    return Decision(
        sheet.symbol, sheet.as_of, "rules", Action.ABSTAIN, None, None, None, None, None, (), cause, Decimal(0)
    )


def _lack(sheet: Sheet, name: str) -> str:
    missing = next((missing for missing in sheet.missing if missing.name == name), None)
    if missing is None:
        return f"{name} is not on the sheet"
    if missing.has >= missing.needs:
        return f"{name} is not defined for these prices"
    return f"{name} needs {missing.needs} sessions and has {missing.has}"


def _against(one: Fact, other: Fact) -> str:
    return "above" if one.value > other.value else "below" if one.value < other.value else "at"


def _cite(fact: Fact) -> str:
    return f"{{{fact.id}}}"
