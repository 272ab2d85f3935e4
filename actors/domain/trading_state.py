"""What losses make of whether anything may be sent."""

from decimal import Decimal

from actors.domain.figures import money, part, percent
from actors.domain.orders import EXACT, Code, Denied, Limits
from messages.trading import TradingState


def watch(equity: Decimal, day_start: Decimal, peak: Decimal, limits: Limits) -> tuple[TradingState, str]:
    """HALTED, with the reason, where more was lost since the day's start or the peak than may be; else ACTIVE and "".

    It says what the figures say now. Whoever halts by it stays so until a person resumes, also when they are better.
    """
    denied = day_loss(equity, day_start, limits) or drawdown(equity, peak, limits)
    if denied is None:
        return TradingState.ACTIVE, ""
    return TradingState.HALTED, f"{denied.sentence}; look at what happened, then resume, or raise the limit"


def day_loss(equity: Decimal, day_start: Decimal, limits: Limits) -> Denied | None:
    """Whether more was lost since the day's start than may be; what to do about it is for the caller to add."""
    return _lost(Code.DAILY_LOSS, "the day's start", equity, day_start, limits.max_daily_loss)


def drawdown(equity: Decimal, peak: Decimal, limits: Limits) -> Denied | None:
    """Whether more was lost since the highest equity than may be; what to do about it is for the caller to add."""
    return _lost(Code.DRAWDOWN, "its peak", equity, peak, limits.max_drawdown)


def _lost(code: Code, since: str, equity: Decimal, before: Decimal, limit: Decimal) -> Denied | None:
    if not (equity.is_finite() and before.is_finite()):
        return Denied(code, f"what was lost since {since} cannot be told: the equity was {before} and is {equity}")
    lost = EXACT.subtract(before, equity)
    if lost <= EXACT.multiply(limit, max(before, Decimal(0))):
        return None
    return Denied(
        code,
        f"{part(lost, before)} was lost since {since}, {money(before)} to {money(equity)}; max_{code} is "
        f"{percent(limit)}",
    )
