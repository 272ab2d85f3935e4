"""What an order is before it is sent, what bounds it, and how things stand when it is checked."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from actors.domain.figures import plain
from messages.broker import Kind, Side
from messages.trading import TradingState
from messages.values import Symbol

if TYPE_CHECKING:
    from actors.domain.exposure import Exposure

EXACT: Final = Context(prec=100, traps=[InvalidOperation])
"""A product of stored amounts and a share has at most 57 digits."""


class Code(StrEnum):
    """Why an order is denied."""

    QUANTITY = "quantity"
    PRICE = "price"
    UNKNOWN_SYMBOL = "unknown_symbol"
    TRADING_STATE = "trading_state"
    CALENDAR_UNKNOWN = "calendar_unknown"
    MARKET_CLOSED = "market_closed"
    STALE_PRICE = "stale_price"
    PRICE_COLLAR = "price_collar"
    DUPLICATE = "duplicate"
    ORDERS_A_DAY = "orders_a_day"
    ORDERS_A_MINUTE = "orders_a_minute"
    CONVICTION = "conviction"
    SHORT = "short"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    POSITION = "position"
    SYMBOL_AFTER_FILL = "symbol_after_fill"
    SECTOR = "sector"
    GROSS = "gross"
    NET = "net"
    CASH = "cash"
    MANDATE = "mandate"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an order may not go beyond; `max_` with a share of the equity where no unit is said.

    `max_position` is for what is held and this order, `max_symbol` for all open orders of the symbol as well.
    `price_collar` is the share by which a limit may be worse than the market, `max_price_age` is in calendar days,
    `cash_buffer` the share that is kept for slippage and fees when a BUY is paid for. Quantities are multiples of
    `lot`, and an order is worth `min_value` or more, unless it sells all that is held.
    """

    max_position: Decimal = Decimal("0.10")
    max_symbol: Decimal = Decimal("0.10")
    max_sector: Decimal = Decimal("0.30")
    max_gross: Decimal = Decimal(1)
    max_net: Decimal = Decimal(1)
    max_daily_loss: Decimal = Decimal("0.03")
    max_drawdown: Decimal = Decimal("0.15")
    max_orders_a_day: int = 20
    max_orders_a_minute: int = 5
    price_collar: Decimal = Decimal("0.05")
    max_price_age: int = 4
    min_conviction: float = 0.55
    allow_short: bool = False
    cash_buffer: Decimal = Decimal("0.01")
    lot: Decimal = Decimal(1)
    min_value: Decimal = Decimal(100)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An order before it is checked; see `messages.broker.Ticket` for which price belongs to which kind.

    `conviction` is that of the call it stands on, None where a rule or a person wants it; `leg` is its part in the
    decision, such as "entry" or "stop".
    """

    symbol: Symbol
    side: Side
    quantity: Decimal
    kind: Kind = Kind.MARKET
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    conviction: float | None = None
    leg: str = "entry"


@dataclass(frozen=True, slots=True)
class Quote:
    """The last price of a symbol, of which session it is, and the volume of that session in shares."""

    price: Decimal
    session: dt.date
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Stake:
    """What is held of a symbol, in shares, below zero where it is short, and what a share is worth."""

    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Working:
    """Another order that may still be filled: staged, on its way, or at the broker.

    `quantity` is what is not filled of it, `price` what a share of it is valued at. Of those of one `group`, unless
    that is empty, at most one is filled.
    """

    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    leg: str = "entry"
    group: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand, the order that is checked left out; money in the desk's currency.

    `cash` may be spent, but for what is `reserved` for other orders. `positions` are all that is held, `working` all
    open orders, of whichever symbol. `quote` is the ordered symbol's, None where there is none. `today` is the
    market's day, `day_start` and `peak` are equities. Orders are counted for the account, the refused ones not.
    `exposure` is what positions and working come to by these sectors, the order's own rest included; without it that is
    worked out.
    """

    equity: Decimal
    cash: Decimal
    reserved: Decimal
    positions: Mapping[Symbol, Stake]
    working: tuple[Working, ...]
    quote: Quote | None
    today: dt.date
    day_start: Decimal
    peak: Decimal
    orders_today: int
    orders_last_minute: int
    state: TradingState
    sectors: Mapping[Symbol, str]
    exposure: "Exposure | None" = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """It may be sent. `reserves` is the cash to be kept for it until it is filled or has ended; 0 for a SELL."""

    quantity: Decimal
    reserves: Decimal


@dataclass(frozen=True, slots=True)
class Denied:
    """It may not be sent, and why: the figure, the limit, and what to do."""

    code: Code
    sentence: str


def reserve(order: Proposal, limits: Limits, quote: Quote) -> Decimal:
    """The cash that is kept for a BUY, slippage and fees included; 0 for a SELL."""
    if order.side is Side.SELL:
        return Decimal(0)
    return EXACT.multiply(EXACT.multiply(order.quantity, _paid(order, quote)), 1 + limits.cash_buffer)


def worth(order: Proposal, quote: Quote) -> Decimal:
    """What an order counts for in a limit: at the last price, or at its own where that is higher."""
    return EXACT.multiply(order.quantity, max(_paid(order, quote), quote.price))


def named(order: Proposal) -> str:
    """As a sentence begins that is about it."""
    return f"{order.side.upper()} {plain(order.quantity)} {order.symbol}"


def _paid(order: Proposal, quote: Quote) -> Decimal:
    """What a share of it is expected to change hands at, at most."""
    if order.limit is not None:
        return order.limit
    market = quote.price + (order.trail or 0) if order.side is Side.BUY else quote.price
    return max(market, order.stop or market)
