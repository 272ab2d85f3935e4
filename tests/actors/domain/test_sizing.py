"""How much a decision makes us order, and which limit bound it."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from actors.domain.orders import Accepted, Limits, Proposal, Quote, Stake
from actors.domain.risk import check
from actors.domain.sizing import Bound, Have, Leave, Unwanted, Wanted, size
from messages.broker import Side
from messages.research import Action, Decision
from messages.trading import TradingTerms
from tests.actors.domain.trading import ACME, AT, BOLT, TODAY

ALL = replace(TradingTerms(), analysts=("claude", "rules"))
LIMITS = replace(Limits(), cash_buffer=Decimal(0))
"""Target weight and risk to the stop are 5 and 1 per cent, the band 1 per cent, the volume's share 10 per cent."""
HAVE = Have(held=Decimal(0), cash=Decimal(50_000), equity=Decimal(100_000))
QUOTE = Quote(Decimal(30), TODAY, Decimal(1_000_000))
BUY = Decision(
    ACME, TODAY, "claude", Action.BUY, 0.6, 21, Decimal(36), Decimal(27), "It rises.", (), None, Decimal(0)
)  # fmt: skip
SELL = replace(BUY, action=Action.SELL, target=Decimal(25), stop=Decimal(33))


def held(shares: str) -> Have:
    return replace(HAVE, held=Decimal(shares))


def wanted(
    decision: Decision,
    have: Have = HAVE,
    quote: Quote | None = QUOTE,
    terms: TradingTerms = ALL,
    limits: Limits = LIMITS,
) -> tuple[Side, Decimal, Bound]:
    found = size(decision, have, quote, terms, limits)
    assert isinstance(found, Wanted), found
    assert found.quantity == found.allowed[found.bound] == min(found.allowed.values())
    return found.side, found.quantity, found.bound


def left(
    decision: Decision,
    have: Have = HAVE,
    quote: Quote | None = QUOTE,
    terms: TradingTerms = ALL,
    limits: Limits = LIMITS,
) -> Leave:
    found = size(decision, have, quote, terms, limits)
    assert isinstance(found, Unwanted), found
    assert found.sentence.startswith("ACME: ")
    assert "\n" not in found.sentence
    return found.code


def test_a_buy_raises_to_the_target_weight_in_whole_lots() -> None:
    assert wanted(BUY) == (Side.BUY, Decimal(166), Bound.WEIGHT)  # 5,000 at 30
    assert wanted(BUY, held("100")) == (Side.BUY, Decimal(66), Bound.WEIGHT)
    assert wanted(BUY, limits=replace(LIMITS, lot=Decimal("0.001"))) == (Side.BUY, Decimal("166.666"), Bound.WEIGHT)
    assert wanted(BUY, limits=replace(LIMITS, lot=Decimal(100))) == (Side.BUY, Decimal(100), Bound.WEIGHT)


def test_a_buy_covers_what_is_short_too() -> None:
    assert wanted(replace(BUY, stop=None), held("-10")) == (Side.BUY, Decimal(176), Bound.WEIGHT)


def test_a_buy_of_what_has_its_target_weight_finds_nothing_to_do() -> None:
    assert left(BUY, held("166")) is Leave.IN_BAND
    assert left(BUY, held("1000")) is Leave.IN_BAND


def test_an_order_arises_only_outside_the_band() -> None:
    at_border = replace(QUOTE, price=Decimal(40))

    assert left(BUY, held("100"), at_border) is Leave.IN_BAND  # 4,000 of 5,000, the band is 1,000
    assert wanted(BUY, held("99"), at_border)[:2] == (Side.BUY, Decimal(26))
    assert left(SELL, held("25"), at_border) is Leave.IN_BAND
    assert wanted(SELL, held("26"), at_border)[:2] == (Side.SELL, Decimal(26))


def test_without_a_band_a_target_that_is_reached_is_still_left_alone() -> None:
    terms = replace(ALL, band=Decimal(0))

    assert left(BUY, held("500"), terms=terms) is Leave.IN_BAND
    assert left(BUY, held("166"), terms=terms) is Leave.TOO_SMALL


def test_the_largest_position_bounds_the_target_weight() -> None:
    for limits in (replace(LIMITS, max_position=Decimal("0.03")), replace(LIMITS, max_symbol=Decimal("0.03"))):
        assert wanted(BUY, limits=limits) == (Side.BUY, Decimal(100), Bound.WEIGHT)


BOUNDS = [
    (BUY, HAVE, QUOTE, Decimal(166), Bound.WEIGHT),
    (replace(BUY, stop=Decimal(20)), HAVE, QUOTE, Decimal(100), Bound.STOP),  # 1,000 over 10
    (replace(BUY, stop=None), replace(HAVE, cash=Decimal("3029.99")), QUOTE, Decimal(100), Bound.CASH),
    (BUY, replace(HAVE, cash=Decimal(3030)), QUOTE, Decimal(101), Bound.CASH),
    (BUY, HAVE, replace(QUOTE, volume=Decimal(999)), Decimal(99), Bound.VOLUME),
    (SELL, held("166.5"), QUOTE, Decimal("166.5"), Bound.HELD),
    (SELL, held("166.5"), replace(QUOTE, volume=Decimal(999)), Decimal(99), Bound.VOLUME),
]


@pytest.mark.parametrize(("decision", "have", "quote", "quantity", "bound"), BOUNDS)
def test_the_quantity_is_the_smallest_and_says_what_bound_it(
    decision: Decision, have: Have, quote: Quote, quantity: Decimal, bound: Bound
) -> None:
    assert wanted(decision, have, quote) == (Side[decision.action], quantity, bound)


def test_the_cash_has_to_pay_for_slippage_and_fees() -> None:
    limits = replace(LIMITS, cash_buffer=Decimal("0.01"))

    assert wanted(BUY, replace(HAVE, cash=Decimal(3030)), limits=limits) == (Side.BUY, Decimal(100), Bound.CASH)


def test_a_sell_of_what_is_not_held_means_to_avoid_it() -> None:
    assert left(SELL) is Leave.AVOID
    assert left(SELL, held("-10")) is Leave.AVOID


def test_hold_and_abstain_leave_things() -> None:
    assert left(replace(BUY, action=Action.HOLD), held("10")) is Leave.HOLD
    assert left(replace(BUY, action=Action.ABSTAIN, conviction=None, stop=None), held("10")) is Leave.ABSTAIN


@pytest.mark.parametrize("conviction", [None, 0.549, float("nan"), 1.01, -1.0])
def test_conviction_only_gates(conviction: float | None) -> None:
    assert left(replace(BUY, conviction=conviction)) is Leave.CONVICTION
    assert wanted(replace(BUY, conviction=0.55)) == wanted(replace(BUY, conviction=1.0))


def test_an_analyst_who_is_not_named_is_shown_only() -> None:
    assert left(replace(BUY, analyst="rules"), terms=TradingTerms()) is Leave.ANALYST
    assert wanted(replace(BUY, analyst="rules")) == wanted(BUY)
    assert wanted(BUY, terms=TradingTerms()) == wanted(BUY)


@pytest.mark.parametrize("price", [None, "0", "-1", "nan", "inf", "1e300", "1e-10"])
def test_without_a_price_there_is_no_order(price: str | None) -> None:
    quote = None if price is None else replace(QUOTE, price=Decimal(price))

    assert left(BUY, HAVE, quote) is Leave.NO_PRICE
    assert left(SELL, held("10"), quote) is Leave.NO_PRICE


@pytest.mark.parametrize("volume", ["0", "nan", "9"])
def test_without_a_volume_there_is_no_order(volume: str) -> None:
    assert left(BUY, HAVE, replace(QUOTE, volume=Decimal(volume))) is Leave.TOO_SMALL


def test_a_call_whose_stop_the_price_has_reached_is_overtaken() -> None:
    assert left(replace(BUY, stop=Decimal(30))) is Leave.STOP_REACHED
    assert wanted(replace(BUY, stop=Decimal("29.99"))) == wanted(BUY)


def test_less_than_the_least_value_is_not_ordered() -> None:
    limits = replace(LIMITS, min_value=Decimal(4_980))

    assert wanted(BUY, limits=limits) == wanted(BUY)
    assert left(BUY, limits=replace(limits, min_value=Decimal("4980.01"))) is Leave.TOO_SMALL
    assert left(BUY, replace(HAVE, cash=Decimal(-5))) is Leave.TOO_SMALL


def test_without_an_equity_that_is_known_there_is_no_order() -> None:
    assert left(BUY, replace(HAVE, equity=Decimal("nan"))) is Leave.NO_PRICE
    assert left(SELL, replace(held("10"), equity=Decimal("nan"))) is Leave.NO_PRICE


@pytest.mark.parametrize("equity", ["0", "-100"])
def test_without_equity_nothing_is_bought(equity: str) -> None:
    assert left(BUY, replace(HAVE, equity=Decimal(equity))) is Leave.IN_BAND


def test_the_sentence_says_what_is_held_and_what_is_wanted() -> None:
    assert size(BUY, held("150"), QUOTE, ALL, LIMITS) == Unwanted(
        Leave.IN_BAND,
        "ACME: 4,500.00 is held, 4.5% of the equity; the target is 5%, and what is within the band of 1% of "
        "100,000.00 is left",
    )


def test_what_is_sized_passes_the_checks_and_is_never_sold_short() -> None:
    seen = Counter[Bound]()
    for seed in range(2_000):
        dice = Random(seed)
        price = Decimal(dice.randint(2_701, 5_000)) / 100
        quote = Quote(price, TODAY, Decimal(dice.choice([500, 5_000, 1_000_000])))
        shares, cash = Decimal(dice.choice([0, dice.randint(-20, 200)])), Decimal(dice.randint(0, 20_000))
        others = Decimal(dice.randint(0, 100_000))
        have = Have(shares, cash, shares * price + cash + others)
        limits = replace(LIMITS, lot=dice.choice([Decimal(1), Decimal("0.001"), Decimal(10)]))
        decision = dice.choice([BUY, replace(BUY, stop=Decimal(15)), replace(BUY, stop=None), SELL])

        found = size(decision, have, quote, ALL, limits)

        if isinstance(found, Wanted):
            seen[found.bound] += 1
            stakes = {ACME: Stake(shares, price), BOLT: Stake(Decimal(1), others)}
            equity = have.equity
            at = replace(
                AT, equity=equity, day_start=equity, peak=equity, cash=cash, positions=stakes, quote=quote
            )  # fmt: skip
            verdict = check(Proposal(ACME, found.side, found.quantity, conviction=0.6), limits, at)
            assert verdict == Accepted(found.quantity, found.quantity * price * (found.side is Side.BUY)), seed
    assert set(seen) == set(Bound)
    assert min(seen.values()) >= 20, seen
