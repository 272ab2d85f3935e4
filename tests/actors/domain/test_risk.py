"""The checks of an order: each code on both sides of its border, rubbish, and what holds for all orders."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from actors.domain.exposure import Exposure, queued
from actors.domain.orders import (
    Accepted,
    Code,
    Denied,
    Limits,
    Proposal,
    Quote,
    Stake,
    Standing,
    Working,
    reserve,
    worth,
)
from actors.domain.risk import check
from actors.domain.sizing import Leave
from messages.broker import Kind, Side
from messages.trading import TradingState
from messages.values import Symbol
from tests.actors.domain.trading import ACME, AT, BOLT, BUY, CORE, LIMITS, SELL, TODAY


def d(text: str) -> Decimal:
    return Decimal(text)


def quote(price: str, session: dt.date = TODAY) -> Quote:
    return Quote(d(price), session, d("1e6"))


def limit(price: str, side: Proposal = BUY) -> Proposal:
    return replace(side, kind=Kind.LIMIT, limit=d(price))


def working(side: Side, quantity: int, symbol: Symbol = ACME, leg: str = "other", group: str = "") -> Working:
    return Working(symbol, side, Decimal(quantity), Decimal(100), leg, group)


SHORT = replace(LIMITS, allow_short=True)


def waiting(order: Working) -> Standing:
    return replace(AT, working=(order,))


HELD_SHORT = replace(AT, positions={ACME: Stake(d("-20"), d("100"))})
BESIDE = working(Side.SELL, 99, BOLT), working(Side.BUY, 20)
SECTORS = {ACME: "tools", BOLT: "tools", CORE: "apples"}

BORDERS: list[tuple[Code, str, tuple[Proposal, Limits, Standing], tuple[Proposal, Limits, Standing]]] = [
    # the code, what is at its border, what is just allowed, and what is just not
    (Code.QUANTITY, "zero", (replace(BUY, quantity=d("1")), LIMITS, AT), (replace(BUY, quantity=d("0")), LIMITS, AT)),
    (
        Code.QUANTITY, "nine decimals",
        (replace(BUY, quantity=d("1.000000001")), replace(LIMITS, lot=d("1e-9")), AT),
        (replace(BUY, quantity=d("1.0000000001")), replace(LIMITS, lot=d("1e-9")), AT),
    ),
    (
        Code.QUANTITY, "the lot",
        (replace(BUY, quantity=d("1.50")), replace(LIMITS, lot=d("0.5")), AT),
        (replace(BUY, quantity=d("1.75")), replace(LIMITS, lot=d("0.5")), AT),
    ),
    (
        Code.QUANTITY, "the least value",
        (replace(BUY, quantity=d("1")), replace(LIMITS, min_value=d("100")), AT),
        (replace(BUY, quantity=d("1")), replace(LIMITS, min_value=d("100.01")), AT),
    ),
    (
        Code.QUANTITY, "a broken lot of little worth is sold if it is all there is",
        (replace(SELL, quantity=d("0.3")), LIMITS, replace(AT, positions={ACME: Stake(d("0.3"), d("100"))})),
        (replace(SELL, quantity=d("0.3")), LIMITS, replace(AT, positions={ACME: Stake(d("0.4"), d("100"))})),
    ),
    (Code.PRICE, "a limit", (limit("100"), LIMITS, AT), (limit("0"), LIMITS, AT)),
    (Code.PRICE, "the kind's prices", (limit("100"), LIMITS, AT), (replace(BUY, limit=d("100")), LIMITS, AT)),
    (Code.PRICE, "a missing price", (limit("100"), LIMITS, AT), (replace(BUY, kind=Kind.LIMIT), LIMITS, AT)),
    (
        Code.PRICE, "a stop to buy",
        (replace(BUY, kind=Kind.STOP, stop=d("100.01")), LIMITS, AT),
        (replace(BUY, kind=Kind.STOP, stop=d("100")), LIMITS, AT),
    ),
    (
        Code.PRICE, "a stop to sell",
        (replace(SELL, kind=Kind.STOP, stop=d("99.99")), LIMITS, AT),
        (replace(SELL, kind=Kind.STOP, stop=d("100")), LIMITS, AT),
    ),
    (
        Code.PRICE, "a trail",
        (replace(SELL, kind=Kind.TRAILING_STOP, trail=d("99.99")), LIMITS, AT),
        (replace(SELL, kind=Kind.TRAILING_STOP, trail=d("100")), LIMITS, AT),
    ),
    (
        Code.PRICE, "a bracket's stop",
        (replace(BUY, stop_loss=d("99.99"), take_profit=d("100.01")), LIMITS, AT),
        (replace(BUY, stop_loss=d("100"), take_profit=d("100.01")), LIMITS, AT),
    ),
    (
        Code.PRICE, "a bracket's target, from its limit on",
        (replace(limit("98"), take_profit=d("98.01")), LIMITS, AT),
        (replace(limit("98"), take_profit=d("98")), LIMITS, AT),
    ),
    (
        Code.PRICE, "a short one's bracket",
        (replace(SELL, stop_loss=d("100.01"), take_profit=d("99.99")), LIMITS, AT),
        (replace(SELL, stop_loss=d("99.99")), LIMITS, AT),
    ),
    (Code.UNKNOWN_SYMBOL, "a quote", (BUY, LIMITS, AT), (BUY, LIMITS, replace(AT, quote=None))),
    (
        Code.TRADING_STATE, "REDUCING, what reduces",
        (SELL, LIMITS, replace(AT, state=TradingState.REDUCING)),
        (BUY, LIMITS, replace(AT, state=TradingState.REDUCING)),
    ),
    (
        Code.TRADING_STATE, "HALTED, what reduces",
        (SELL, LIMITS, replace(AT, state=TradingState.REDUCING)),
        (SELL, LIMITS, replace(AT, state=TradingState.HALTED)),
    ),
    (
        Code.TRADING_STATE, "REDUCING, all that is held and one more",
        (replace(SELL, quantity=d("20")), SHORT, replace(AT, state=TradingState.REDUCING)),
        (replace(SELL, quantity=d("21")), SHORT, replace(AT, state=TradingState.REDUCING)),
    ),
    (
        Code.TRADING_STATE, "REDUCING, what covers a short position",
        (replace(BUY, quantity=d("20")), SHORT, replace(HELD_SHORT, state=TradingState.REDUCING)),
        (replace(BUY, quantity=d("21")), SHORT, replace(HELD_SHORT, state=TradingState.REDUCING)),
    ),
    (
        Code.STALE_PRICE, "the age",
        (BUY, LIMITS, replace(AT, quote=quote("100", TODAY - dt.timedelta(4)))),
        (BUY, LIMITS, replace(AT, quote=quote("100", TODAY - dt.timedelta(5)))),
    ),
    (
        Code.STALE_PRICE, "a price from later",
        (BUY, LIMITS, AT), (BUY, LIMITS, replace(AT, quote=quote("100", TODAY + dt.timedelta(1)))),
    ),
    (
        Code.STALE_PRICE, "a price that is none",
        (BUY, LIMITS, AT), (BUY, LIMITS, replace(AT, quote=quote("0"))),
    ),
    (
        Code.STALE_PRICE, "what is held cannot be valued, and it is reduced",
        (SELL, LIMITS, replace(AT, positions={**AT.positions, CORE: Stake(d("1"), d("nan"))})),
        (BUY, LIMITS, replace(AT, positions={**AT.positions, CORE: Stake(d("1"), d("nan"))})),
    ),
    (Code.PRICE_COLLAR, "of a BUY", (limit("105"), LIMITS, AT), (limit("105.01"), LIMITS, AT)),
    (Code.PRICE_COLLAR, "of a SELL", (limit("95", SELL), LIMITS, AT), (limit("94.99", SELL), LIMITS, AT)),
    (
        Code.PRICE_COLLAR, "of a stop-limit, from its stop on",
        (replace(BUY, kind=Kind.STOP_LIMIT, stop=d("120"), limit=d("126")), LIMITS, AT),
        (replace(BUY, kind=Kind.STOP_LIMIT, stop=d("120"), limit=d("126.01")), LIMITS, AT),
    ),
    (
        Code.DUPLICATE, "another leg",
        (BUY, LIMITS, waiting(working(Side.BUY, 1))),
        (BUY, LIMITS, waiting(working(Side.BUY, 1, leg="entry"))),
    ),
    (
        Code.DUPLICATE, "the other side",
        (BUY, LIMITS, waiting(working(Side.SELL, 1, leg="entry"))),
        (SELL, LIMITS, waiting(working(Side.SELL, 1, leg="entry"))),
    ),
    (
        Code.ORDERS_A_DAY, "the count",
        (BUY, LIMITS, replace(AT, orders_today=19)), (BUY, LIMITS, replace(AT, orders_today=20)),
    ),
    (
        Code.ORDERS_A_MINUTE, "the count",
        (BUY, LIMITS, replace(AT, orders_last_minute=4)), (BUY, LIMITS, replace(AT, orders_last_minute=5)),
    ),
    (
        Code.CONVICTION, "the least",
        (replace(BUY, conviction=0.55), LIMITS, AT), (replace(BUY, conviction=0.549), LIMITS, AT),
    ),
    (
        Code.CONVICTION, "of a SELL that stands on a call",
        (replace(SELL, conviction=0.55), LIMITS, AT), (replace(SELL, conviction=0.54), LIMITS, AT),
    ),
    (
        Code.CONVICTION, "none, where it reduces",
        (replace(SELL, conviction=None), LIMITS, AT), (replace(BUY, conviction=None), LIMITS, AT),
    ),
    (
        Code.CONVICTION, "the most there is",
        (replace(BUY, conviction=1.0), LIMITS, AT), (replace(BUY, conviction=1.01), LIMITS, AT),
    ),
    (
        Code.SHORT, "what is held",
        (replace(SELL, quantity=d("20")), LIMITS, AT), (replace(SELL, quantity=d("21")), LIMITS, AT),
    ),
    (
        Code.SHORT, "what other orders sell",
        (SELL, LIMITS, waiting(working(Side.SELL, 10))),
        (SELL, LIMITS, waiting(working(Side.SELL, 11))),
    ),
    (
        Code.SHORT, "what other orders sell of this symbol, not what they buy or sell of others",
        (SELL, LIMITS, replace(AT, working=(*BESIDE, working(Side.SELL, 10)))),
        (SELL, LIMITS, replace(AT, working=(*BESIDE, working(Side.SELL, 11)))),
    ),
    (
        Code.SHORT, "two orders of which one cancels the other",
        (SELL, LIMITS, replace(AT, working=tuple(working(Side.SELL, 10, leg=leg, group="g") for leg in "ab"))),
        (SELL, LIMITS, replace(AT, working=tuple(working(Side.SELL, 10, leg=leg) for leg in "ab"))),
    ),
    (
        Code.SHORT, "whether it is allowed",
        (replace(SELL, quantity=d("21")), SHORT, AT), (replace(SELL, quantity=d("21")), LIMITS, AT),
    ),
    (
        Code.DAILY_LOSS, "the loss",
        (BUY, LIMITS, replace(AT, equity=d("97000"))), (BUY, LIMITS, replace(AT, equity=d("96999.99"))),
    ),
    (
        Code.DAILY_LOSS, "what reduces",
        (SELL, LIMITS, replace(AT, equity=d("96000"))), (BUY, LIMITS, replace(AT, equity=d("96000"))),
    ),
    (
        Code.DRAWDOWN, "the loss",
        (BUY, LIMITS, replace(AT, equity=d("85000"), day_start=d("85000"))),
        (BUY, LIMITS, replace(AT, equity=d("84999.99"), day_start=d("85000"))),
    ),
    (
        Code.POSITION, "its share",
        (replace(BUY, quantity=d("80")), LIMITS, AT), (replace(BUY, quantity=d("81")), LIMITS, AT),
    ),
    (
        Code.POSITION, "its share at a stop above the market",
        (replace(BUY, quantity=d("64"), kind=Kind.STOP, stop=d("125")), LIMITS, AT),
        (replace(BUY, quantity=d("64"), kind=Kind.STOP, stop=d("125.01")), LIMITS, AT),
    ),
    (
        Code.POSITION, "of a short one",
        (replace(SELL, quantity=d("120")), SHORT, AT), (replace(SELL, quantity=d("121")), SHORT, AT),
    ),
    (
        Code.SYMBOL_AFTER_FILL, "its share",
        (replace(BUY, quantity=d("50")), LIMITS, waiting(working(Side.BUY, 30))),
        (replace(BUY, quantity=d("50")), LIMITS, waiting(working(Side.BUY, 31))),
    ),
    (
        Code.SYMBOL_AFTER_FILL, "a limit of its own",
        (replace(BUY, quantity=d("50")), replace(LIMITS, max_symbol=d("0.2")), waiting(working(Side.BUY, 130))),
        (replace(BUY, quantity=d("50")), replace(LIMITS, max_symbol=d("0.2")), waiting(working(Side.BUY, 131))),
    ),
    (
        Code.SECTOR, "its share",
        (BUY, replace(LIMITS, max_sector=d("0.61")), replace(AT, sectors=SECTORS)),
        (replace(BUY, quantity=d("11")), replace(LIMITS, max_sector=d("0.61")), replace(AT, sectors=SECTORS)),
    ),
    (
        Code.SECTOR, "only where it is known",
        (BUY, LIMITS, replace(AT, sectors={BOLT: "tools"})), (BUY, LIMITS, replace(AT, sectors=SECTORS)),
    ),
    (
        Code.SECTOR, "its open orders",
        (BUY, replace(LIMITS, max_sector=d("0.62")), replace(waiting(working(Side.BUY, 10, BOLT)), sectors=SECTORS)),
        (BUY, replace(LIMITS, max_sector=d("0.62")), replace(waiting(working(Side.BUY, 11, BOLT)), sectors=SECTORS)),
    ),
    (
        Code.GROSS, "its share",
        (BUY, replace(LIMITS, max_gross=d("0.61")), AT), (BUY, replace(LIMITS, max_gross=d("0.6099")), AT),
    ),
    (
        Code.GROSS, "of long and short",
        (replace(SELL, quantity=d("40")), replace(SHORT, max_gross=d("0.60")), AT),
        (replace(SELL, quantity=d("41")), replace(SHORT, max_gross=d("0.60")), AT),
    ),
    (
        Code.GROSS, "open orders of a symbol that is not held",
        (BUY, replace(LIMITS, max_gross=d("0.62")), waiting(working(Side.BUY, 10, CORE))),
        (BUY, replace(LIMITS, max_gross=d("0.62")), waiting(working(Side.BUY, 11, CORE))),
    ),
    (
        Code.NET, "its share",
        (BUY, replace(LIMITS, max_net=d("0.61")), AT), (BUY, replace(LIMITS, max_net=d("0.6099")), AT),
    ),
    (
        Code.NET, "short in all",
        (replace(SELL, quantity=d("80")), replace(SHORT, max_net=d("0.1")), HELD_SHORT),
        (replace(SELL, quantity=d("80")), replace(SHORT, max_net=d("0.0999")), HELD_SHORT),
    ),
    (
        Code.CASH, "what there is",
        (BUY, LIMITS, replace(AT, cash=d("1000"))), (BUY, LIMITS, replace(AT, cash=d("999.99"))),
    ),
    (
        Code.CASH, "what is reserved",
        (BUY, LIMITS, replace(AT, reserved=d("39000"))), (BUY, LIMITS, replace(AT, reserved=d("39000.01"))),
    ),
    (
        Code.CASH, "slippage and fees",
        (BUY, replace(LIMITS, cash_buffer=d("0.01")), replace(AT, cash=d("1010"))),
        (BUY, replace(LIMITS, cash_buffer=d("0.0101")), replace(AT, cash=d("1010"))),
    ),
    (
        Code.CASH, "at the limit",
        (limit("98"), LIMITS, replace(AT, cash=d("980"))), (limit("98.01"), LIMITS, replace(AT, cash=d("980"))),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "what", "allowed", "denied"), BORDERS, ids=[f"{row[0]}: {row[1]}" for row in BORDERS])
def test_each_check_lets_through_up_to_its_border_and_denies_beyond_it(
    code: Code, what: str, allowed: tuple[Proposal, Limits, Standing], denied: tuple[Proposal, Limits, Standing]
) -> None:
    found, refused = check(*allowed), check(*denied)

    assert isinstance(found, Accepted), found
    assert found.quantity == allowed[0].quantity
    assert isinstance(refused, Denied)
    assert refused.code is code, refused.sentence


def test_the_borders_cover_all_codes_but_the_mandates() -> None:
    assert {row[0] for row in BORDERS} == set(Code) - {Code.MANDATE, Code.CALENDAR_UNKNOWN, Code.MARKET_CLOSED}


def test_each_denial_names_the_order_figure_and_limit_and_what_to_do_in_one_sentence() -> None:
    for code, what, _, denied in BORDERS:
        refused = check(*denied)

        assert isinstance(refused, Denied)
        order = denied[0]
        assert refused.sentence.startswith(f"{order.side.upper()} "), (code, what)
        assert order.symbol in refused.sentence
        assert "\n" not in refused.sentence
        assert ". " not in refused.sentence
        assert not refused.sentence.endswith(".")


SENTENCES = [
    (
        Code.POSITION,
        check(replace(BUY, quantity=d("81")), LIMITS, AT),
        "BUY 81 ACME: the position would be 10.1% of the equity; max_position is 10%: order less, or raise it",
    ),
    (
        Code.CASH,
        check(BUY, LIMITS, replace(AT, reserved=d("39000.01"))),
        "BUY 10 ACME: takes 1,000.00, slippage and fees included; 999.99 may be spent, 40,000.00 less 39,000.01 for "
        "other orders: order less, or wait for those",
    ),
    (
        Code.DAILY_LOSS,
        check(BUY, LIMITS, replace(AT, equity=d("95000"))),
        "BUY 10 ACME: 5% was lost since the day's start, 100,000.00 to 95,000.00; max_daily_loss is 3%: only reduce "
        "what is held, or raise the limit",
    ),
    (
        Code.SHORT,
        check(replace(SELL, quantity=d("15.5")), replace(LIMITS, lot=d("0.5")), waiting(working(Side.SELL, 5))),
        "SELL 15.5 ACME: 20 are held, and open orders sell 5; the limit is 15: sell no more, cancel those orders, or "
        "set allow_short",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "refused", "sentence"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_the_sentence_is(code: Code, refused: Accepted | Denied, sentence: str) -> None:
    assert refused == Denied(code, sentence)


RUBBISH = [
    "0",
    "-0",
    "-1",
    "nan",
    "-nan",
    "snan",
    "inf",
    "-inf",
    "1e300",
    "1e-300",
    "1.0000000001",
    "9223372036.854775807",
]


@pytest.mark.parametrize("text", RUBBISH)
@pytest.mark.parametrize("field", ["quantity", "limit", "stop", "trail", "take_profit", "stop_loss"])
def test_rubbish_is_denied_with_a_sentence(field: str, text: str) -> None:
    kinds = {"limit": Kind.LIMIT, "stop": Kind.STOP, "trail": Kind.TRAILING_STOP}
    order = replace(BUY, kind=kinds.get(field, Kind.MARKET), **{field: d(text)})  # type: ignore[arg-type]  # by name

    refused = check(order, LIMITS, AT)

    assert isinstance(refused, Denied)
    assert refused.code is (Code.QUANTITY if field == "quantity" else Code.PRICE)
    assert len(refused.sentence) < 200


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e300", "9223372036.854775807"])
def test_a_rubbish_quote_is_stale(text: str) -> None:
    refused = check(SELL, LIMITS, replace(AT, quote=quote(text)))

    assert isinstance(refused, Denied)
    assert refused.code is Code.STALE_PRICE


def test_a_quantity_whose_worth_cannot_be_booked_is_denied() -> None:
    refused = check(replace(BUY, quantity=d("9e9")), LIMITS, AT)

    assert isinstance(refused, Denied)
    assert refused.code is Code.QUANTITY


@pytest.mark.parametrize("conviction", [float("nan"), float("inf"), -1.0])
def test_a_conviction_that_is_no_probability_is_denied(conviction: float) -> None:
    refused = check(replace(BUY, conviction=conviction), replace(LIMITS, min_conviction=0.0), AT)

    assert isinstance(refused, Denied)
    assert refused.code is Code.CONVICTION


@pytest.mark.parametrize("equity", ["0", "-5", "nan"])
def test_without_equity_nothing_is_bought_and_what_is_held_can_be_sold(equity: str) -> None:
    at = replace(AT, equity=d(equity), day_start=d(equity), peak=d(equity))

    assert isinstance(check(BUY, LIMITS, at), Denied)
    assert isinstance(check(SELL, LIMITS, at), Accepted)


def test_what_is_reserved_is_the_cash_of_a_buy_with_its_buffer_and_nothing_of_a_sell() -> None:
    limits = replace(LIMITS, cash_buffer=d("0.01"))

    assert check(BUY, limits, AT) == Accepted(d("10"), d("1010"))
    assert check(replace(BUY, kind=Kind.STOP, stop=d("110")), limits, AT) == Accepted(d("10"), d("1111"))
    assert check(replace(BUY, kind=Kind.TRAILING_STOP, trail=d("5")), limits, AT) == Accepted(d("10"), d("1060.5"))
    assert check(SELL, limits, AT) == Accepted(d("10"), d("0"))


SYMBOLS = (ACME, BOLT, CORE)
shares = st.sampled_from([d("0.1"), d("0.3"), d("0.7"), d("1"), d("1")])
prices = st.decimals("0.01", "100", places=2)
quantities = st.integers(1, 200).map(Decimal)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Anything that may be held and ordered, long and short; equity is what it is worth, with the cash."""
    stakes = draw(st.dictionaries(st.sampled_from(SYMBOLS), st.tuples(st.integers(-300, 300), prices), max_size=3))
    positions = {symbol: Stake(Decimal(quantity), price) for symbol, (quantity, price) in stakes.items()}
    cash = draw(st.integers(0, 50_000).map(Decimal))
    sides, legs = st.sampled_from(Side), st.sampled_from(("entry", "stop", "target"))
    open_orders = st.builds(
        Working, st.sampled_from(SYMBOLS), sides, quantities, prices, legs, st.sampled_from(("", "g"))
    )
    worth_of = sum((stake.quantity * stake.price for stake in positions.values()), cash)
    price = positions[ACME].price if ACME in positions else draw(prices)
    orders = tuple(draw(st.lists(open_orders, max_size=4)))
    reserved = sum((each.quantity * each.price for each in orders if each.side is Side.BUY), Decimal(0))
    return replace(
        AT,
        equity=worth_of,
        cash=cash,
        reserved=reserved,
        positions=positions,
        working=orders,
        quote=quote(str(price)),
        day_start=worth_of,
        peak=worth_of,
        sectors=draw(st.sampled_from([{}, SECTORS])),
    )


limits_of_any_kind = st.builds(
    Limits, shares, shares, shares, shares, shares, min_value=st.just(Decimal(0)), allow_short=st.booleans(),
    cash_buffer=st.sampled_from([Decimal(0), Decimal("0.01")]),
)  # fmt: skip
orders_of_any_kind = st.one_of(
    st.builds(Proposal, st.just(ACME), st.sampled_from(Side), quantities, conviction=st.just(0.6)),
    st.builds(
        Proposal, st.just(ACME), st.sampled_from(Side), quantities, st.just(Kind.LIMIT), prices, conviction=st.just(0.6)
    ),
)


def filled(order: Proposal, at: Standing) -> Mapping[Symbol, Decimal]:
    """The value of each position once the order is filled at what it counts for."""
    assert at.quote is not None
    values = {symbol: stake.quantity * stake.price for symbol, stake in at.positions.items()}
    sign = 1 if order.side is Side.BUY else -1
    values[order.symbol] = values.get(order.symbol, Decimal(0)) + sign * worth(order, at.quote)
    return values


def held_of(order: Proposal, at: Standing) -> Decimal:
    stake = at.positions.get(order.symbol, Stake(Decimal(0), Decimal(1)))
    return stake.quantity if order.side is Side.SELL else -stake.quantity


@given(orders_of_any_kind, limits_of_any_kind, standings(), st.integers(0, 4), st.booleans())
def test_what_all_comes_to_may_be_worked_out_before_and_grow_with_each_order(
    order: Proposal, limits: Limits, at: Standing, known: int, asked: bool
) -> None:
    grouped = [other for other in at.working if other.group]
    alone = [other for other in at.working if not other.group]
    at = replace(at, working=(*grouped, *alone))
    exposure = Exposure(at.positions, (*grouped, *alone[:known]), at.sectors)
    if asked:  # of a sector, before there are the others
        check(order, limits, replace(at, exposure=exposure))
    for other in alone[known:]:
        exposure.add(other)

    assert check(order, limits, replace(at, exposure=exposure)) == check(order, limits, at)


@given(orders_of_any_kind, limits_of_any_kind, standings())
def test_an_accepted_order_keeps_every_limit_after_its_fill_unless_it_reduces(
    order: Proposal, limits: Limits, at: Standing
) -> None:
    found = check(order, limits, at)
    if isinstance(found, Denied):
        return

    assert at.quote is not None
    assert found == Accepted(order.quantity, reserve(order, limits, at.quote))
    assert found.reserves <= max(at.cash - at.reserved, Decimal(0))
    held = held_of(order, at)
    assert limits.allow_short or order.side is Side.BUY or order.quantity <= held
    if order.quantity + queued(order, at) <= held:
        event("reduces")
        return
    event("raises")
    values = filled(order, at)
    net, gross = sum(values.values()), sum(abs(value) for value in values.values())
    sector = sum(abs(value) for symbol, value in values.items() if at.sectors.get(symbol) == "tools")
    assert abs(values[ACME]) <= min(limits.max_position, limits.max_symbol) * at.equity
    assert gross <= limits.max_gross * at.equity
    assert (net if order.side is Side.BUY else -net) <= limits.max_net * at.equity
    assert sector <= limits.max_sector * at.equity


@given(limits_of_any_kind, standings())
def test_orders_accepted_one_after_the_other_keep_every_limit_when_all_of_them_are_filled(
    limits: Limits, at: Standing
) -> None:
    """Bought one by one, each waiting while the next is checked; short positions are not in this one."""
    positions = {symbol: stake for symbol, stake in at.positions.items() if stake.quantity > 0}
    equity = sum((stake.quantity * stake.price for stake in positions.values()), at.cash)
    at = replace(at, positions=positions, working=(), reserved=Decimal(0), equity=equity, day_start=equity, peak=equity)
    values = {symbol: stake.quantity * stake.price for symbol, stake in positions.items()}
    accepted = 0
    for symbol in SYMBOLS * 2:
        price = positions[symbol].price if symbol in positions else Decimal(10)
        for quantity in (Decimal(100), Decimal(10), Decimal(1)):
            order = Proposal(symbol, Side.BUY, quantity, conviction=0.6, leg=f"leg {accepted}")
            found = check(order, limits, replace(at, quote=quote(str(price))))
            if isinstance(found, Accepted):
                accepted += 1
                other = Working(symbol, Side.BUY, quantity, price, order.leg)
                at = replace(at, working=(*at.working, other), reserved=at.reserved + found.reserves)
                values[symbol] = values.get(symbol, Decimal(0)) + quantity * price

    assert at.reserved <= at.cash
    event(f"accepted {accepted}")
    if accepted:
        assert sum(values.values()) <= min(limits.max_gross, limits.max_net) * equity
        assert all(values[each.symbol] <= limits.max_symbol * equity for each in at.working)


@given(st.data(), limits_of_any_kind, standings(), st.integers(0, 300_000).map(Decimal))
def test_what_reduces_is_never_denied_by_a_limit_that_it_improves(
    data: st.DataObject, limits: Limits, at: Standing, peak: Decimal
) -> None:
    stake = data.draw(st.one_of(st.integers(-300, -1), st.integers(1, 300)))
    at = replace(at, positions={**at.positions, ACME: Stake(Decimal(stake), Decimal(100))}, quote=quote("100"))
    side = Side.SELL if stake > 0 else Side.BUY
    order = Proposal(ACME, side, Decimal(data.draw(st.integers(1, abs(stake)))), conviction=0.6, leg="exit")
    if order.quantity + queued(order, at) > abs(stake):
        return
    event("reduces")

    found = check(order, limits, replace(at, state=TradingState.REDUCING, day_start=peak, peak=peak))

    assert isinstance(found, Accepted) or (found.code is Code.CASH and side is Side.BUY)


def test_the_page_about_risk_has_a_row_for_each_code_and_for_each_reason_to_leave_things() -> None:
    page = (Path(__file__).parents[3] / "docs" / "risk.md").read_text()

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [*Leave, *Code]
