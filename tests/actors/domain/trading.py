"""An account of 100,000 whose figures are easy to reckon with, and an order for it that may be sent."""

import datetime as dt
from decimal import Decimal

from actors.domain.orders import Limits, Proposal, Quote, Stake, Standing
from messages.broker import Side
from messages.trading import TradingState
from messages.values import Symbol

TODAY = dt.date(2013, 3, 1)
ACME, BOLT, CORE = Symbol("ACME"), Symbol("BOLT"), Symbol("CORE")
LIMITS = Limits(cash_buffer=Decimal(0))
"""The defaults; nothing is kept for fees, so that what a share costs is its price."""
AT = Standing(
    equity=Decimal(100_000),
    cash=Decimal(40_000),
    reserved=Decimal(0),
    positions={ACME: Stake(Decimal(20), Decimal(100)), BOLT: Stake(Decimal(580), Decimal(100))},
    working=(),
    quote=Quote(Decimal(100), TODAY, Decimal(1_000_000)),
    today=TODAY,
    day_start=Decimal(100_000),
    peak=Decimal(100_000),
    orders_today=0,
    orders_last_minute=0,
    state=TradingState.ACTIVE,
    sectors={},
)
"""2,000 in ACME, 58,000 in BOLT; the quote is ACME's."""
BUY = Proposal(ACME, Side.BUY, Decimal(10), conviction=0.6)
SELL = Proposal(ACME, Side.SELL, Decimal(10), conviction=0.6)
