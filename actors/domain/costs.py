"""What a paper fill costs: slippage, ticks and fees, always against the trader and never beyond a limit."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from types import MappingProxyType
from typing import Final

from messages.broker import Side
from messages.values import from_units, to_units

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
FINE: Final = Decimal("0.0001")
"""The tick of prices below 1."""
PRECISION: Final = 60
"""Digits of all arithmetic here: a product of two stored amounts has at most 38."""
_EXACT: Final = Context(prec=PRECISION)


@dataclass(frozen=True, slots=True)
class Fees:
    """Of one execution: an amount for each share, a per cent of what it moves, at least a minimum; to the cent, up."""

    per_share: Decimal = ZERO
    per_cent: Decimal = ZERO
    minimum: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Costs:
    """`slippage` is a share of the price, `volume_share` how much of a session's volume all fills may be together."""

    slippage: Decimal = ZERO
    buying: Fees = field(default_factory=Fees)
    selling: Fees = field(default_factory=Fees)
    volume_share: Decimal = Decimal("0.1")


PRESETS: Final[Mapping[str, Costs]] = MappingProxyType({
    "none": Costs(),
    # No commission; on sales what US brokers pass on: 27.80 $ a million (SEC, 2024) and 0.000166 $ a share (FINRA).
    "us_retail": Costs(Decimal("0.0005"), selling=Fees(Decimal("0.000166"), Decimal("0.00278"))),
    # 0.005 $ a share, at least 1 $, as brokers take that let one choose the exchange.
    "us_per_share": Costs(
        Decimal("0.0005"),
        Fees(Decimal("0.005"), minimum=Decimal(1)),
        Fees(Decimal("0.005166"), Decimal("0.00278"), Decimal(1)),
    ),
    "per_cent": Costs(
        Decimal("0.001"),
        Fees(per_cent=Decimal("0.25"), minimum=Decimal(5)),
        Fees(per_cent=Decimal("0.25"), minimum=Decimal(5)),
    ),
})  # fmt: skip
"""Costs by name. Fees are in the desk's currency."""


def costs(name: str, volume_share: Decimal) -> Costs:
    """Those of this name, with this share of a session's volume for all fills together."""
    return replace(PRESETS[name], volume_share=volume_share)


def tick(price: Decimal) -> Decimal:
    """The step of prices there: 0.01, or 0.0001 below 1."""
    return CENT if price >= 1 else FINE


def dearer(side: Side, price: Decimal) -> Decimal:
    """The price on a tick, rounded against the trader; a sale is never at nothing."""
    if side is Side.BUY:
        return price.quantize(tick(price), ROUND_CEILING)
    return max(price.quantize(tick(price), ROUND_FLOOR), FINE)


def cheaper(side: Side, price: Decimal) -> Decimal:
    """The price on a tick, rounded for the trader, as a limit is: it keeps what it promises."""
    return price.quantize(tick(price), ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)


def paid(costs: Costs, side: Side, price: Decimal, limit: Decimal | None) -> Decimal:
    """What is paid or had for a share where the market is at `price`; not worse than the limit, which is on a tick."""
    if side is Side.BUY:
        slipped = dearer(side, price * (1 + costs.slippage))
        return slipped if limit is None else min(slipped, limit)
    slipped = dearer(side, price * (1 - costs.slippage))
    return slipped if limit is None else max(slipped, limit)


def amount(quantity: Decimal, price: Decimal) -> Decimal:
    """What an execution moves, in units of 1e-9 rounded half to even, as the ledger keeps it."""
    return from_units(to_units(_EXACT.multiply(quantity, price)))


def fee(costs: Costs, side: Side, quantity: Decimal, price: Decimal) -> Decimal:
    """What one execution costs besides."""
    fees = costs.buying if side is Side.BUY else costs.selling
    asked = fees.per_share * quantity + fees.per_cent * quantity * price / 100
    return max(asked, fees.minimum).quantize(CENT, ROUND_CEILING)
