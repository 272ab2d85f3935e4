"""When losses halt trading."""

from decimal import Decimal

import pytest

from actors.domain.orders import Limits
from actors.domain.trading_state import watch
from messages.trading import TradingState

LIMITS = Limits()
"""Three per cent in a day, fifteen from the peak."""


def seen(equity: str, day_start: str, peak: str) -> tuple[TradingState, str]:
    return watch(Decimal(equity), Decimal(day_start), Decimal(peak), LIMITS)


@pytest.mark.parametrize(
    ("equity", "day_start", "peak", "state"),
    [
        ("97000", "100000", "100000", TradingState.ACTIVE),
        ("96999.99", "100000", "100000", TradingState.HALTED),
        ("85000", "85000", "100000", TradingState.ACTIVE),
        ("84999.99", "85000", "100000", TradingState.HALTED),
        ("110000", "100000", "100000", TradingState.ACTIVE),
        ("0", "0", "0", TradingState.ACTIVE),
        ("-1", "0", "0", TradingState.HALTED),
        ("nan", "100000", "100000", TradingState.HALTED),
        ("100000", "nan", "100000", TradingState.HALTED),
        ("100000", "100000", "inf", TradingState.HALTED),
    ],
)
def test_trading_halts_once_more_is_lost_than_may_be(
    equity: str, day_start: str, peak: str, state: TradingState
) -> None:
    found, sentence = seen(equity, day_start, peak)

    assert found is state
    assert bool(sentence) == (state is TradingState.HALTED)


def test_the_sentence_names_the_loss_its_limit_and_what_to_do() -> None:
    assert seen("95500", "100000", "100000")[1] == (
        "4.5% was lost since the day's start, 100,000.00 to 95,500.00; max_daily_loss is 3%; look at what happened, "
        "then resume, or raise the limit"
    )
    assert seen("80000", "80000", "100000")[1].startswith(
        "20% was lost since its peak, 100,000.00 to 80,000.00; max_drawdown is 15%"
    )
    assert seen("-1", "0", "0")[1].startswith("1.00 of 0.00 was lost since the day's start")
