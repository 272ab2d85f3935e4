"""How much of a symbol a decision makes us buy or sell: by rule, from the decision and how things stand.

BUY      raises the position to the target weight, once: the weight is a level, so that the next BUY finds it reached
SELL     lowers it to nothing; of a symbol that is not held it means "avoid"
HOLD     leaves it and its stops as they are, and so does ABSTAIN

The quantity is the smallest of what weight, risk to the stop, cash and the bar's volume allow, in whole lots. A
difference to the target of `band` of the equity or less is left alone.

Conviction gates and does no more: below `min_conviction` nothing is done, above it the quantity is the same for all.
It is to scale quantities only when at least 100 scored calls show that it is calibrated, and none has been scored yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, localcontext
from enum import StrEnum

from actors.domain.figures import money, part, percent, plain
from actors.domain.orders import EXACT, Limits, Quote
from messages.broker import Side
from messages.research import Action, Decision
from messages.trading import TradingTerms
from messages.values import LARGEST, UNIT


class Bound(StrEnum):
    """What a quantity was limited by."""

    WEIGHT = "weight"
    STOP = "stop"
    CASH = "cash"
    VOLUME = "volume"
    HELD = "held"


class Leave(StrEnum):
    """Why nothing is ordered."""

    ANALYST = "analyst"
    ABSTAIN = "abstain"
    HOLD = "hold"
    CONVICTION = "conviction"
    NO_PRICE = "no_price"
    AVOID = "avoid"
    STOP_REACHED = "stop_reached"
    IN_BAND = "in_band"
    TOO_SMALL = "too_small"


@dataclass(frozen=True, slots=True)
class Have:
    """What there is to size with: shares of the symbol, cash that is not reserved, and the equity they are part of."""

    held: Decimal
    cash: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order to be checked. `bound` limited it; `allowed` is what each of the bounds would have, in shares."""

    side: Side
    quantity: Decimal
    bound: Bound
    allowed: Mapping[Bound, Decimal]


@dataclass(frozen=True, slots=True)
class Unwanted:
    """No order, and why."""

    code: Leave
    sentence: str


def size(decision: Decision, have: Have, quote: Quote | None, terms: TradingTerms, limits: Limits) -> Wanted | Unwanted:
    """What this decision makes us order. Where `max_position` or `max_symbol` is smaller, that is the target."""
    symbol, action, conviction = decision.symbol, decision.action, decision.conviction
    if decision.analyst not in terms.analysts:
        return Unwanted(
            Leave.ANALYST,
            f"{symbol}: {decision.analyst} is not among analysts = {', '.join(terms.analysts)}, so this is only shown",
        )
    if action is Action.ABSTAIN:
        return Unwanted(Leave.ABSTAIN, f"{symbol}: there is no view, so all is left as it is")
    if action is Action.HOLD:
        return Unwanted(Leave.HOLD, f"{symbol}: the position and its stops are left as they are")
    if conviction is None or not limits.min_conviction <= conviction <= 1:
        return Unwanted(
            Leave.CONVICTION,
            f"{symbol}: the conviction is {conviction if conviction is None else format(conviction, '.6g')}; "
            f"min_conviction is {limits.min_conviction:.6g}",
        )
    if quote is None or not quote.price.is_finite() or not UNIT <= quote.price < LARGEST * UNIT:
        return Unwanted(
            Leave.NO_PRICE,
            f"{symbol}: the last price is {'not known' if quote is None else format(quote.price, '.12g')}; refresh "
            "its prices",
        )
    if not have.equity.is_finite():
        return Unwanted(Leave.NO_PRICE, f"{symbol}: the equity is {have.equity}; refresh the prices of what is held")
    with localcontext(EXACT):
        if action is Action.SELL:
            return _sell(decision, have, quote, terms, limits)
        return _buy(decision, have, quote, terms, limits)


def target(terms: TradingTerms, limits: Limits) -> Decimal:
    """The weight that a BUY raises to, as a share of the equity."""
    return min(terms.target_weight, limits.max_position, limits.max_symbol)


def _sell(decision: Decision, have: Have, quote: Quote, terms: TradingTerms, limits: Limits) -> Wanted | Unwanted:
    if have.held <= 0:
        return Unwanted(Leave.AVOID, f"{decision.symbol}: is not held, so SELL means to avoid it")
    value, band = have.held * quote.price, terms.band * have.equity
    if value <= band:
        return Unwanted(
            Leave.IN_BAND,
            f"{decision.symbol}: all of it is worth {money(value)}, within the band of {_of(terms, have)} around 0",
        )
    allowed = {Bound.HELD: have.held, Bound.VOLUME: _lots(_volume(quote, terms), limits)}
    return _smallest(decision, Side.SELL, allowed, quote, limits)


def _buy(decision: Decision, have: Have, quote: Quote, terms: TradingTerms, limits: Limits) -> Wanted | Unwanted:
    price, stop, weight = quote.price, decision.stop, target(terms, limits)
    if stop is not None and stop >= price:
        return Unwanted(
            Leave.STOP_REACHED,
            f"{decision.symbol}: the stop {plain(stop)} is not below the last price {plain(price)}, so that the call "
            "is overtaken; ask anew",
        )
    lacking = weight * have.equity - have.held * price
    if lacking <= terms.band * have.equity or lacking <= 0:
        return Unwanted(
            Leave.IN_BAND,
            f"{decision.symbol}: {money(have.held * price)} is held, {part(have.held * price, have.equity)} of the "
            f"equity; the target is {percent(weight)}, and what is within the band of {_of(terms, have)} is left",
        )
    allowed = {Bound.WEIGHT: lacking / price}
    if stop is not None:
        allowed[Bound.STOP] = terms.risk_per_trade * have.equity / (price - stop)
    allowed[Bound.CASH] = have.cash / (price * (1 + limits.cash_buffer))
    allowed[Bound.VOLUME] = _volume(quote, terms)
    return _smallest(decision, Side.BUY, {bound: _lots(most, limits) for bound, most in allowed.items()}, quote, limits)


def _smallest(
    decision: Decision, side: Side, allowed: Mapping[Bound, Decimal], quote: Quote, limits: Limits
) -> Wanted | Unwanted:
    """The first of the bounds where several are the smallest. All that is held is sold however little it is."""
    bound = min(allowed, key=lambda each: allowed[each])
    quantity = allowed[bound]
    value = quantity * quote.price
    if quantity > 0 and (value >= limits.min_value or bound is Bound.HELD):
        return Wanted(side, quantity, bound, allowed)
    return Unwanted(
        Leave.TOO_SMALL,
        f"{decision.symbol}: {bound} allows {plain(quantity)} shares, worth {money(value)}; "
        f"lot is {plain(limits.lot)}, min_value {plain(limits.min_value)}",
    )


def _lots(quantity: Decimal, limits: Limits) -> Decimal:
    """Rounded down, and never below nothing."""
    return max((quantity / limits.lot).to_integral_value(ROUND_FLOOR) * limits.lot, Decimal(0))


def _volume(quote: Quote, terms: TradingTerms) -> Decimal:
    """Nothing where it is not known how much was traded."""
    return terms.volume_share * quote.volume if quote.volume.is_finite() else Decimal(0)


def _of(terms: TradingTerms, have: Have) -> str:
    return f"{percent(terms.band)} of {money(have.equity)}"
