"""The sections [trading] and [risk], and which of their limits would contradict one another."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from actors.domain.figures import plain
from actors.domain.orders import Limits
from actors.domain.sizing import target
from actors.settings.numbers import Number, Share
from messages.trading import OnStop, TradingTerms

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)
_TERMS, _LIMITS = TradingTerms(), Limits()


class Trading(BaseModel):
    """How the desk trades; see `messages.trading.TradingTerms`."""

    model_config = _STRICT
    analysts: tuple[Literal["claude", "rules"], ...] = _TERMS.analysts
    broker: Literal["paper", "alpaca"] = _TERMS.broker
    approval_hours: Annotated[int, Field(ge=1, le=720)] = _TERMS.approval_hours
    reconcile_minutes: Annotated[int, Field(ge=1, le=1440)] = _TERMS.reconcile_minutes
    costs: Literal["none", "us_retail", "us_per_share", "per_cent"] = _TERMS.costs
    volume_share: Annotated[Share, Field(gt=0)] = _TERMS.volume_share
    target_weight: Share = _TERMS.target_weight
    band: Share = _TERMS.band
    risk_per_trade: Annotated[Share, Field(gt=0)] = _TERMS.risk_per_trade
    when_halted: Literal["cancel", "flatten"] = _TERMS.when_halted
    on_stop: OnStop = _TERMS.on_stop
    url_override: str = _TERMS.url_override
    stream_override: str = _TERMS.stream_override
    money: Literal["paper", "real"] = _TERMS.money
    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{0,32}$")] = _TERMS.account


class Risk(BaseModel):
    """What an order may not go beyond; see `actors.domain.orders.Limits`."""

    model_config = _STRICT
    max_position: Share = _LIMITS.max_position
    max_symbol: Share = _LIMITS.max_symbol
    max_sector: Share = _LIMITS.max_sector
    max_gross: Share = _LIMITS.max_gross
    max_net: Share = _LIMITS.max_net
    max_daily_loss: Annotated[Share, Field(gt=0)] = _LIMITS.max_daily_loss
    max_drawdown: Annotated[Share, Field(gt=0)] = _LIMITS.max_drawdown
    max_orders_a_day: Annotated[int, Field(ge=0, le=100_000)] = _LIMITS.max_orders_a_day
    max_orders_a_minute: Annotated[int, Field(ge=0, le=100_000)] = _LIMITS.max_orders_a_minute
    price_collar: Share = _LIMITS.price_collar
    max_price_age: Annotated[int, Field(ge=0, le=30)] = _LIMITS.max_price_age
    min_conviction: Annotated[float, Field(ge=0, le=1)] = _LIMITS.min_conviction
    allow_short: bool = _LIMITS.allow_short
    cash_buffer: Share = _LIMITS.cash_buffer
    lot: Annotated[Number, Field(gt=0, le=1_000_000)] = _LIMITS.lot
    min_value: Annotated[Number, Field(ge=0, le=1_000_000)] = _LIMITS.min_value


ALSO_ASCENDING: Final = (
    (("trading", "target_weight"), ("risk", "max_position"), ("risk", "max_symbol"), ("risk", "max_net")),
    (("risk", "max_symbol"), ("risk", "max_sector"), ("risk", "max_gross")),
    (("risk", "max_net"), ("risk", "max_gross")),
    (("trading", "risk_per_trade"), ("risk", "max_daily_loss"), ("risk", "max_drawdown")),
    (("risk", "max_orders_a_minute"), ("risk", "max_orders_a_day")),
)
"""Section and key; of these no one may be set above a later one, which would make it mean nothing."""


def never_buys(trading: Trading, risk: Risk) -> tuple[str, str, str] | None:
    """Section and key of what was set so that the target lies within the band around nothing, and what is wrong.

    A target of 0 is no mistake: nothing is to be bought.
    """
    weight, band = target(terms(trading), limits(risk)), trading.band
    if not weight or weight > band:
        return None
    so = "so that nothing would ever be bought; lower the band or raise the weight"
    if "band" in trading.model_fields_set:
        return "trading", "band", f"is not below the target weight, {plain(weight)}, {so}"
    weights = {"target_weight": trading.target_weight, "max_position": risk.max_position, "max_symbol": risk.max_symbol}
    key = min(weights, key=lambda each: weights[each])
    return "trading" if key == "target_weight" else "risk", key, f"is not above [trading] band = {plain(band)}, {so}"


def not_real(trading: Trading, source: str) -> tuple[str, str] | None:
    """The key of [trading] that says something of real money that does not fit, and what is wrong."""
    if trading.money != "real":
        return ("account", 'is for money = "real"; leave it out') if trading.account else None
    if trading.broker != "alpaca":
        return "money", 'is for broker = "alpaca"; set that, or leave it out'
    if not trading.account:
        return "money", 'needs account = "NUMBER" below it, the one account that is meant'
    if source == "sample":
        return "money", "is not traded on sample prices, which end in 2013; set [market] source, or leave it out"
    return None


def terms(trading: Trading) -> TradingTerms:
    """As the desk has them."""
    return TradingTerms(**dict(trading))


def limits(risk: Risk) -> Limits:
    """As the desk has them."""
    return Limits(**dict(risk))
