"""Whether an order may be sent: a pure function of the order, the limits, and how things stand.

An order is *reducing* where it brings a position towards zero and, with the open orders of its side, not past it: a
SELL of what is held, or a BUY that covers what is short. Which checks apply to which orders:

every order            quantity, price, unknown_symbol, trading_state (HALTED), stale_price, price_collar, duplicate,
                       orders_a_day, orders_a_minute, conviction of its call
every SELL             short
every BUY              cash
all but reducing ones  trading_state (REDUCING), daily_loss, drawdown, position, symbol_after_fill, sector, gross, net;
                       conviction also where the order stands on no call

So what reduces a position is not denied by a limit that this improves, however far beyond it things are. A limit is
kept where the figure is at most the limit. All shares are of the equity. `mandate` is said by `actors.domain.mandates`;
`calendar_unknown`, `market_closed` and, where there is a calendar, `stale_price` by `actors.domain.hours`.
"""

from decimal import Decimal, localcontext
from typing import Final

from actors.domain.exposure import exceeded, held, queued
from actors.domain.figures import money, part, percent, plain
from actors.domain.orders import (
    EXACT,
    Accepted,
    Code,
    Denied,
    Limits,
    Proposal,
    Quote,
    Standing,
    named,
    reserve,
    worth,
)
from actors.domain.trading_state import day_loss, drawdown
from messages.broker import Kind, Side
from messages.trading import TradingState
from messages.values import LARGEST, UNIT

_MOST: Final = LARGEST * UNIT
"""What an amount that can be stored is below."""


def check(order: Proposal, limits: Limits, at: Standing) -> Accepted | Denied:
    """May this order be sent as things stand? The first check that fails says why not."""
    with localcontext(EXACT):
        if denied := _quantity(order) or _prices(order):
            return denied
        if (quote := at.quote) is None:
            return Denied(
                Code.UNKNOWN_SYMBOL,
                f"{named(order)}: no price of it is known; see whether it is spelled as the source of prices has it, "
                "and still listed",
            )
        if denied := _market(order, limits, at, quote):
            return denied
        has, taken = held(order, at), queued(order, at)
        reducing = order.quantity + taken <= has
        reserves = reserve(order, limits, quote)
        denied = (
            _size(order, limits, has, quote)
            or _stop(order, quote)
            or _collar(order, limits, quote)
            or _pace(order, limits, at)
            or _conviction(order, limits, reducing)
            or (None if reducing else _short(order, limits, has, taken) or _raising(order, limits, at, quote))
            or _cash(order, reserves, at)
        )
        return denied or Accepted(order.quantity, reserves)


def _amount(value: Decimal) -> str | None:
    """What is wrong with a quantity or a price that has to be above zero."""
    if not value.is_finite():
        return "is no number"
    if value <= 0:
        return "is not above 0"
    if value >= _MOST:
        return "is above 9.2e9"
    if value % UNIT:
        return "has more than nine decimals"
    return None


def _quantity(order: Proposal) -> Denied | None:
    if (why := _amount(order.quantity)) is None:
        return None
    return Denied(
        Code.QUANTITY,
        f"{order.side.upper()} {order.symbol}: the quantity {order.quantity:.12g} {why}; write one above 0, "
        "with at most nine decimals",
    )


_NEEDED: Final = {
    Kind.MARKET: (False, False, False),
    Kind.LIMIT: (True, False, False),
    Kind.STOP: (False, True, False),
    Kind.STOP_LIMIT: (True, True, False),
    Kind.TRAILING_STOP: (False, False, True),
}
"""Whether limit, stop and trail belong to an order of this kind."""


def _prices(order: Proposal) -> Denied | None:
    given = (("limit", order.limit), ("stop", order.stop), ("trail", order.trail))
    for (name, price), needed in zip(given, _NEEDED[order.kind], strict=True):
        if price is None and needed:
            return _price(order, f"has no {name}; {order.kind} needs one")
        if price is not None and not needed:
            return _price(order, f"has the {name} {price:.12g}; {order.kind} has none, so leave it out")
        if price is not None and (why := _amount(price)):
            return _price(order, f"the {name} {price:.12g} {why}; write a price above 0, with at most nine decimals")
    for name, price in (("take_profit", order.take_profit), ("stop_loss", order.stop_loss)):
        if price is not None and (why := _amount(price)):
            return _price(order, f"the {name} {price:.12g} {why}; write a price above 0, with at most nine decimals")
    return None


def _price(order: Proposal, why: str) -> Denied:
    return Denied(Code.PRICE, f"{named(order)}: {why}")


def _market(order: Proposal, limits: Limits, at: Standing, quote: Quote) -> Denied | None:
    if at.state is TradingState.HALTED:
        return Denied(
            Code.TRADING_STATE, f"{named(order)}: trading is HALTED, and nothing is sent; resume it to send orders"
        )
    age = (at.today - quote.session).days
    if not quote.price.is_finite() or not 0 < quote.price < _MOST:
        why = f"the last price is {quote.price:.12g}"
    elif age < 0:
        why = f"the last price is of {quote.session}, after the market's day {at.today}"
    elif age > limits.max_price_age:
        why = (
            f"the last price is of {quote.session}, {age} days before {at.today}; max_price_age is "
            f"{limits.max_price_age}"
        )
    else:
        return None
    return Denied(Code.STALE_PRICE, f"{named(order)}: {why}; refresh the prices, and order then")


def _size(order: Proposal, limits: Limits, has: Decimal, quote: Quote) -> Denied | None:
    value = worth(order, quote)
    if value >= _MOST:
        return Denied(
            Code.QUANTITY, f"{named(order)} would be worth {money(value)}, more than 9.2e9 can be booked; order less"
        )
    if order.quantity == has:  # all of it: what is left over may be a broken lot, and worth little
        return None
    if order.quantity % limits.lot:
        return Denied(
            Code.QUANTITY,
            f"{named(order)}: the quantity is no multiple of lot = {plain(limits.lot)}; order a multiple of it, or "
            "set a smaller lot",
        )
    if value < limits.min_value:
        return Denied(
            Code.QUANTITY,
            f"{named(order)} is worth {money(value)}, less than min_value = {plain(limits.min_value)}; order more, "
            "or lower it",
        )
    return None


def _stop(order: Proposal, quote: Quote) -> Denied | None:
    """A stop on the wrong side of the market is filled at once, which nobody means by it."""
    buys, stop, last = order.side is Side.BUY, order.stop, quote.price
    if stop is not None and (stop <= last if buys else stop >= last):
        side = "above" if buys else "below"
        return _price(
            order,
            f"the stop {plain(stop)} is not {side} the last price {plain(last)}, and would be filled at once; set it "
            f"{side}, or order at the market",
        )
    if not buys and order.trail is not None and order.trail >= last:
        return _price(order, f"the trail {plain(order.trail)} is not below the last price {plain(last)}; set it nearer")
    return _bracket(order, order.limit or stop or last)


def _bracket(order: Proposal, entry: Decimal) -> Denied | None:
    """Both ends of a bracket are away from where it is entered, or it would end as it begins."""
    low, high = (order.stop_loss, order.take_profit) if order.side is Side.BUY else (order.take_profit, order.stop_loss)
    for price, wrong, side in (
        (low, low is not None and low >= entry, "below"),
        (high, high is not None and high <= entry, "above"),
    ):
        if price is not None and wrong:
            name = "stop_loss" if price is order.stop_loss else "take_profit"
            return _price(
                order,
                f"the {name} {plain(price)} is not {side} the entry at {plain(entry)}; set it {side}, or leave it out",
            )
    return None


def _collar(order: Proposal, limits: Limits, quote: Quote) -> Denied | None:
    """How much worse than the market a limit is; the market of a stop-limit order is its stop."""
    if (limit := order.limit) is None:
        return None
    market = quote.price if order.stop is None else order.stop
    worse, side = (limit - market, "above") if order.side is Side.BUY else (market - limit, "below")
    if worse <= limits.price_collar * market:
        return None
    return Denied(
        Code.PRICE_COLLAR,
        f"{named(order)}: the limit {plain(limit)} is {part(worse, market)} {side} {plain(market)}; price_collar is "
        f"{percent(limits.price_collar)}: set it nearer, or raise that",
    )


def _pace(order: Proposal, limits: Limits, at: Standing) -> Denied | None:
    for other in at.working:
        if (other.symbol, other.side, other.leg) == (order.symbol, order.side, order.leg):
            return Denied(
                Code.DUPLICATE,
                f"{named(order)}: {order.side.upper()} {plain(other.quantity)} {order.symbol} is open already as the "
                f"same leg, {order.leg}; one is the limit: wait for it, or cancel it",
            )
    if at.orders_today >= limits.max_orders_a_day:
        return Denied(
            Code.ORDERS_A_DAY,
            f"{named(order)}: {at.orders_today} orders were sent today; max_orders_a_day is "
            f"{limits.max_orders_a_day}: wait until tomorrow, or raise it",
        )
    if at.orders_last_minute >= limits.max_orders_a_minute:
        return Denied(
            Code.ORDERS_A_MINUTE,
            f"{named(order)}: {at.orders_last_minute} orders were sent within a minute; max_orders_a_minute is "
            f"{limits.max_orders_a_minute}: wait a minute, or raise it",
        )
    return None


def _conviction(order: Proposal, limits: Limits, reducing: bool) -> Denied | None:
    if order.conviction is None:
        if reducing or not limits.min_conviction:
            return None
        what = "no call with a conviction stands behind it"
    elif limits.min_conviction <= order.conviction <= 1:
        return None
    else:
        what = f"its conviction is {order.conviction:.6g}"
    return Denied(
        Code.CONVICTION,
        f"{named(order)}: {what}; min_conviction is {limits.min_conviction:.6g}, of 1 at most: wait for a stronger "
        "call, or lower it",
    )


def _short(order: Proposal, limits: Limits, has: Decimal, taken: Decimal) -> Denied | None:
    if limits.allow_short or order.side is Side.BUY:
        return None
    return Denied(
        Code.SHORT,
        f"{named(order)}: {plain(has)} are held, and open orders sell {plain(taken)}; the limit is "
        f"{plain(max(has - taken, Decimal(0)))}: sell no more, cancel those orders, or set allow_short",
    )


def _raising(order: Proposal, limits: Limits, at: Standing, quote: Quote) -> Denied | None:
    """All that holds for an order that raises exposure."""
    if at.state is TradingState.REDUCING:
        return Denied(
            Code.TRADING_STATE,
            f"{named(order)}: trading is REDUCING, and this would not bring the position nearer to 0; resume trading, "
            "or order what does",
        )
    if lost := day_loss(at.equity, at.day_start, limits) or drawdown(at.equity, at.peak, limits):
        return Denied(lost.code, f"{named(order)}: {lost.sentence}: only reduce what is held, or raise the limit")
    return exceeded(order, limits, at, quote)


def _cash(order: Proposal, needed: Decimal, at: Standing) -> Denied | None:
    free = at.cash - at.reserved
    if order.side is Side.SELL or needed <= free:
        return None
    return Denied(
        Code.CASH,
        f"{named(order)}: takes {money(needed)}, slippage and fees included; {money(free)} may be spent, "
        f"{money(at.cash)} less {money(at.reserved)} for other orders: order less, or wait for those",
    )
