import datetime as dt
import math
import re
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.band import band, breaches
from actors.domain.bars import until
from actors.domain.rules import recommend
from actors.domain.thesis import LONGEST, fill, placeholders
from messages.market import Bars
from messages.research import Action, Decision, Missing
from messages.values import Symbol
from tests.actors.domain.making import ACME, LAST, sheet, sheet_of

RISING = {
    "close": 120.0,
    "sma_50": 110.0,
    "sma_200": 100.0,
    "rsi_14": 60.0,
    "macd_histogram": 0.5,
    "adx_14": 20.0,
    "atr_14": 2.0,
    "volatility_252": 0.3,
    "return_252": -0.1,
}
FALLING = RISING | {"close": 80.0, "sma_50": 90.0, "rsi_14": 40.0, "macd_histogram": -0.5, "return_252": 0.1}


def decide(facts: Mapping[str, float], **changes: float) -> Decision:
    return recommend(sheet({**facts, **changes}))


def without(facts: Mapping[str, float], *names: str) -> dict[str, float]:
    return {name: value for name, value in facts.items() if name not in names}


def test_an_up_trend_with_momentum_is_bought() -> None:
    decision = decide(RISING)

    assert (decision.action, decision.conviction, decision.horizon_days) == (Action.BUY, 0.55, 21)
    assert (decision.target, decision.stop) == (Decimal("126.00"), Decimal("116.00"))


def test_a_down_trend_with_momentum_is_sold() -> None:
    decision = decide(FALLING)

    assert (decision.action, decision.conviction, decision.horizon_days) == (Action.SELL, 0.55, 21)
    assert (decision.target, decision.stop) == (Decimal("74.00"), Decimal("84.00"))


@pytest.mark.parametrize(
    "changes",
    [
        {"close": 99.0},
        {"close": 100.0},
        {"sma_50": 99.0},
        {"macd_histogram": -0.1},
        {"macd_histogram": 0.0},
        {"rsi_14": 70.0},
    ],
)
def test_what_does_not_agree_with_an_up_trend_is_held(changes: Mapping[str, float]) -> None:
    decision = decide(RISING, **changes)

    assert (decision.action, decision.conviction, decision.horizon_days) == (Action.HOLD, 0.5, 21)
    assert (decision.target, decision.stop, decision.cause) == (None, None, None)


@pytest.mark.parametrize(
    "changes", [{"close": 101.0}, {"sma_50": 101.0}, {"macd_histogram": 0.1}, {"macd_histogram": 0.0}, {"rsi_14": 30.0}]
)
def test_what_does_not_agree_with_a_down_trend_is_held(changes: Mapping[str, float]) -> None:
    assert decide(FALLING, **changes).action is Action.HOLD


@pytest.mark.parametrize("facts", [RISING, FALLING])
def test_a_strong_trend_and_an_agreeing_year_raise_the_conviction(facts: Mapping[str, float]) -> None:
    agreeing = -facts["return_252"]

    assert decide(facts, adx_14=25.0).conviction == 0.6
    assert decide(facts, return_252=agreeing).conviction == 0.6
    assert decide(facts, adx_14=25.0, return_252=agreeing).conviction == 0.65


def test_a_strong_trend_is_given_a_quarter() -> None:
    assert decide(RISING, adx_14=25.0).horizon_days == 63


def test_the_return_of_a_year_may_be_missing() -> None:
    decision = decide(without(RISING, "return_252"))

    assert (decision.action, decision.conviction) == (Action.BUY, 0.55)


@pytest.mark.parametrize("missing", [("atr_14",), ("volatility_252",)])
def test_without_atr_or_volatility_there_is_neither_target_nor_stop(missing: tuple[str, ...]) -> None:
    decision = decide(without(RISING, *missing))

    assert (decision.action, decision.target, decision.stop) == (Action.BUY, None, None)


def test_target_and_stop_are_drawn_into_a_narrow_band() -> None:
    decision = decide(RISING, volatility_252=0.04)

    reach = 3 * 0.04 * math.sqrt(21 / 252)  # 116.00 to 124.23; 126 would be the target
    assert decision.target == Decimal("124.22")
    assert float(decision.target or 0) <= 120 * math.exp(reach)
    assert decision.stop == Decimal("116.00")


def test_a_stop_that_the_band_holds_within_half_an_atr_is_left_out() -> None:
    decision = decide(RISING, volatility_252=0.001)

    assert decision.target == Decimal("120.10")
    assert decision.stop is None


def test_a_price_that_stands_still_has_no_target() -> None:
    decision = decide(RISING, volatility_252=0.0, atr_14=0.0)

    assert (decision.target, decision.stop) == (None, None)


def test_prices_below_one_are_rounded_to_a_hundredth_of_a_cent() -> None:
    decision = decide(RISING, close=0.75557, sma_50=0.6, sma_200=0.5, atr_14=0.01234)

    assert (decision.target, decision.stop) == (Decimal("0.7925"), Decimal("0.7309"))


def test_a_missing_fact_is_no_view_and_says_what_it_needs(sample: Mapping[Symbol, Bars]) -> None:
    young = Symbol("FB")
    decision = recommend(sheet_of(young, LAST, sample[young], {}, {}))

    assert decision == Decision(
        symbol=young,
        as_of=LAST,
        analyst="rules",
        action=Action.ABSTAIN,
        conviction=None,
        horizon_days=None,
        target=None,
        stop=None,
        thesis=None,
        cited=(),
        cause="missing_facts: sma_200 needs 200 sessions and has 196",
        cost_usd=Decimal(0),
    )


@pytest.mark.parametrize("name", ["close", "sma_50", "sma_200", "macd_histogram", "rsi_14", "adx_14"])
def test_each_needed_fact_is_missed_by_name(name: str) -> None:
    assert decide(without(RISING, name)).cause == f"missing_facts: {name} is not on the sheet"


def test_all_missing_facts_are_named() -> None:
    lacking = (Missing("sma_200", 200, 40), Missing("rsi_14", 15, 40))

    decision = recommend(sheet(without(RISING, "sma_200", "rsi_14"), lacking))

    assert decision.cause == (
        "missing_facts: sma_200 needs 200 sessions and has 40; rsi_14 is not defined for these prices"
    )


def test_a_close_of_more_than_ten_days_ago_is_stale() -> None:
    ten, eleven = (recommend(sheet(RISING, closed=LAST - dt.timedelta(days))) for days in (10, 11))

    assert ten.action is Action.BUY
    assert eleven.action is Action.ABSTAIN
    assert eleven.cause == "stale_prices: the last close is of 2013-02-18, 11 days before 2013-03-01"


def test_the_thesis_reads_well_when_filled_in() -> None:
    facts = RISING | {"adx_14": 31.5, "return_252": 0.25}
    thesis = decide(facts).thesis

    assert thesis is not None
    assert fill(thesis, sheet(facts)) == (
        "The close of 120 is above its 200-day average of 100, the 50-day average of 110 is above it. "
        "MACD minus its signal is 0.5, RSI at 60 is in its middle range. ADX at 31.5 says that the trend is strong. "
        "The return of the past year, 0.25, points the same way. "
        "Trend and momentum point up, and the price has not run away."
    )


PRICE, RATIO = st.floats(0.01, 1e6), st.floats(-1, 3)


@given(
    st.fixed_dictionaries(
        {
            "close": PRICE,
            "sma_50": PRICE,
            "sma_200": PRICE,
            "rsi_14": st.floats(0, 100),
            "macd_histogram": st.floats(-100, 100),
            "adx_14": st.floats(0, 100),
        },
        optional={
            "atr_14": st.floats(0, 1e6),
            "volatility_252": st.floats(0, 10),
            "volatility_63": st.floats(0, 10),
            "return_252": RATIO,
        },
    )
)
def test_whatever_is_recommended_passes_the_checks_that_claude_must_pass(facts: dict[str, float]) -> None:
    given = sheet(facts)

    decision = recommend(given)

    assert decision.action is not Action.ABSTAIN
    assert decision.thesis is not None
    assert len(decision.thesis) <= LONGEST
    assert decision.cited == placeholders(decision.thesis)
    words = re.sub(r"\{f\d+\}", "", decision.thesis).replace("200-day", "").replace("50-day", "")
    assert not re.search(r"\d", words)
    assert decision.conviction is not None
    assert 0.5 <= decision.conviction <= 0.65
    assert decision.horizon_days in (5, 21, 63, 126)
    assert breaches(band(given, decision.horizon_days), decision.action, decision.target, decision.stop) == ()


def test_the_sample_of_thirteen_years_is_judged_in_every_way(aapl: Bars) -> None:
    seen = set[Action]()
    for at in range(0, len(aapl), 21):
        as_of = dt.date.fromisoformat(str(aapl.sessions[at]))
        decision = recommend(sheet_of(ACME, as_of, until(aapl, as_of), {}, {}))
        seen.add(decision.action)
        if decision.action in (Action.BUY, Action.SELL):
            assert decision.target is not None
            assert decision.stop is not None

    assert seen == set(Action)
