"""Figures against ones worked out by hand, and against other ways to compute them."""

import datetime as dt
from decimal import Decimal
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.equity import Closed, Day, Record
from actors.domain.performance import measure
from actors.domain.ratios import (
    Drawdown,
    Undefined,
    annual,
    drawdown,
    money_weighted,
    returns,
    sharpe,
    sortino,
    volatility,
)
from actors.domain.valuation import NoPrice
from messages.values import Symbol
from tests.actors.domain.making import ACME, LAST, bars

FIRST = dt.date(2012, 1, 2)


def on(number: int) -> dt.date:
    return FIRST + dt.timedelta(number)


def record(equity: list[float], flows: dict[int, float] | None = None, apart: int = 1) -> Record:
    """Days so far apart, with these flows beside the first day's, which is all there is then."""
    put = {0: equity[0]} | (flows or {})
    days = (
        Day(on(number * apart), Decimal(str(whole)), Decimal(str(put.get(number, 0))), alone=Decimal(100))
        for number, whole in enumerate(equity)
    )
    return Record(tuple(days), (), (), ())


def fell(of: Drawdown | None) -> tuple[object, ...]:
    assert of is not None
    return of.depth, of.peak, of.trough, of.recovered


def test_figures_are_those_worked_out_by_hand() -> None:
    """Returns 0.1, -0.1, 0.2: mean 1/15, squares off it 7/150, of which half is the variance; below 0: 0.01 / 3."""
    found = measure(record([100, 110, 99, 118.8])).own

    assert found.value == Decimal("118.8")
    assert found.total == pytest.approx(0.188, rel=1e-12)
    assert found.volatility == pytest.approx(sqrt(7 / 300) * sqrt(252), rel=1e-12) == pytest.approx(2.4248711)
    assert found.sharpe == pytest.approx(6.9282032)
    assert found.sortino == pytest.approx(18.3303028)
    assert fell(found.drawdown) == (pytest.approx(-0.1), on(1), on(2), on(3))
    assert found.money_weighted == pytest.approx(0.188, rel=1e-12)
    assert (found.annual, found.calmar) == (None, None)
    assert (
        found.missing["annual"]
        == found.missing["calmar"]
        == ("less than a year; what it would come to in one is not extrapolated")
    )


def test_a_deposit_is_no_gain_and_the_money_weighted_return_knows_when_it_came() -> None:
    """100 gain a tenth, 50 come, all lose a tenth: 1.1 · 0.9; and 100 x² + 50 x = 144 has x = 0.9757651."""
    found = measure(record([100, 160, 144], {1: 50})).own

    assert found.total == pytest.approx(-0.01, rel=1e-12)
    assert found.money_weighted == pytest.approx(((-50 + sqrt(60100)) / 200) ** 2 - 1, rel=1e-12)


def test_over_years_there_are_figures_per_year_and_without_flows_both_returns_are_one() -> None:
    """Two years to the day that give 21 per cent are 10 a year; the deepest fall on the way is 20 per cent."""
    found = measure(record([100, 80, 121], apart=365)).own

    assert found.annual == pytest.approx(0.1, rel=1e-12)
    assert found.money_weighted_annual == pytest.approx(0.1, rel=1e-12)
    assert found.calmar == pytest.approx(0.5, rel=1e-12)
    assert found.missing == {}


def test_flows_on_the_first_day_are_what_it_began_with_and_trades_on_it_count() -> None:
    found = measure(Record((Day(on(0), Decimal(99), Decimal(100)), Day(on(1), Decimal("108.9"))), (), (), ())).own

    assert found.total == pytest.approx(0.089, rel=1e-12)
    assert fell(found.drawdown) == (pytest.approx(-0.01), on(0), on(0), on(1))


def test_of_one_day_there_is_a_value_and_the_reason_why_there_is_no_more() -> None:
    found = measure(record([100]))

    assert (found.own.value, found.own.total, found.gained) == (Decimal(100), 0.0, Decimal(0))
    assert found.own.missing == {
        "annual": "less than a year; what it would come to in one is not extrapolated",
        "drawdown": "it never fell",
        "money_weighted": "no time has passed",
        "money_weighted_annual": "no time has passed",
        "volatility": "two returns are needed, of three sessions",
        "sharpe": "two returns are needed, of three sessions",
        "sortino": "two returns are needed, of three sessions",
        "calmar": "less than a year; what it would come to in one is not extrapolated",
    }


def test_what_stands_still_has_no_ratio() -> None:
    found = measure(record([100, 100, 100, 100])).own

    assert (found.total, found.volatility) == (0.0, 0.0)
    assert [found.missing[name] for name in ("sharpe", "sortino", "drawdown")] == [
        "returns do not vary", "no session has lost", "it never fell",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("equity", "flows", "why"),
    [
        ([100, -5, 20], {}, "there is no return on -5.00, the equity of 2012-01-03"),
        ([100, 0, 20], {}, "there is no return on 0.00, the equity of 2012-01-03"),
        ([100, 30, 20], {1: 40}, "there is no return on -10.00, the equity of 2012-01-03"),
        ([0, 30, 20], {1: 40}, "there is no return on 0.00, the equity of 2012-01-02"),
    ],
)
def test_equity_of_nothing_or_less_is_named(equity: list[float], flows: dict[int, float], why: str) -> None:
    found = measure(record(equity, flows)).own

    assert {found.missing[name] for name in ("total", "volatility", "sharpe", "sortino", "drawdown")} == {why}
    assert found.total is None
    assert measure(record(equity, flows)).curve[0].index is None


def test_no_rate_where_all_is_lost_and_none_where_there_is_more_than_one() -> None:
    with pytest.raises(Undefined, match="no rate"):
        money_weighted([(on(0), -100.0), (on(10), 0.0)])
    with pytest.raises(Undefined, match="no time has passed"):
        money_weighted([(on(0), 5.0)])
    with pytest.raises(Undefined, match="nothing was put in at first"):
        money_weighted([(on(0), 100.0), (on(10), -110.0)])
    with pytest.raises(Undefined, match="more than one rate"):  # of each year: 10 and 20 per cent
        money_weighted([(on(0), -100.0), (on(365), 230.0), (on(730), -132.0)])


def test_xirr_is_that_of_the_spreadsheets_own_example() -> None:
    """Microsoft's documentation of XIRR: 0.373362535 a year."""
    flows = [
        (dt.date(2008, 1, 1), -10_000.0), (dt.date(2008, 3, 1), 2_750.0), (dt.date(2008, 10, 30), 4_250.0),
        (dt.date(2009, 2, 15), 3_250.0), (dt.date(2009, 4, 1), 2_750.0),
    ]  # fmt: skip

    found = money_weighted(flows)

    assert annual(found, flows[0][0], flows[-1][0]) == pytest.approx(0.373362535, abs=1e-8)


@given(
    st.lists(st.floats(1, 1e6), min_size=2, max_size=30),
    st.floats(-0.9, 5),
    st.lists(st.integers(1, 2_000), min_size=30, max_size=30),
)
def test_the_rate_that_made_the_value_is_found_again(paid: list[float], growth: float, gaps: list[int]) -> None:
    days = np.concatenate(([0], np.cumsum(gaps[: len(paid)]))).tolist()
    share = [day / days[-1] for day in days]
    value = sum(amount * (1 + growth) ** (1 - at) for amount, at in zip(paid, share, strict=False))

    flows = [(on(day), -amount) for day, amount in zip(days, paid, strict=False)]

    assert money_weighted([*flows, (on(days[-1]), value)]) == pytest.approx(growth, rel=1e-9, abs=1e-9)


WALK = np.random.default_rng(7).normal(0.0004, 0.012, 600)


def test_figures_agree_with_other_ways_to_compute_them() -> None:
    """With numpy from the definitions, one number at a time where ours are of whole arrays."""
    worth = 1000 * np.exp(np.concatenate(([0], np.cumsum(WALK))))
    found = measure(record([float(each) for each in worth])).own

    simple = worth[1:] / worth[:-1] - 1
    excess = simple - simple.mean()
    deviation = sqrt((excess * excess).sum() / (len(simple) - 1))
    lost = sqrt(sum(each * each for each in simple.tolist() if each < 0) / len(simple))
    deepest = min(
        (worth[later] / worth[earlier] - 1, -earlier, later)
        for later in range(len(worth))
        for earlier in [int(np.argmax(worth[: later + 1]))]
    )
    assert found.total == pytest.approx(worth[-1] / worth[0] - 1, rel=1e-12)
    assert found.volatility == pytest.approx(deviation * sqrt(252), rel=1e-12)
    assert found.sharpe == pytest.approx(simple.mean() / deviation * sqrt(252), rel=1e-12)
    assert found.sortino == pytest.approx(simple.mean() / lost * sqrt(252), rel=1e-12)
    assert found.drawdown is not None
    assert found.drawdown.depth == pytest.approx(deepest[0], rel=1e-12)
    assert (found.drawdown.peak, found.drawdown.trough) == (on(-deepest[1]), on(deepest[2]))
    assert found.annual == pytest.approx((worth[-1] / worth[0]) ** (365 / 600) - 1, rel=1e-9)
    assert found.money_weighted_annual == pytest.approx(found.annual, rel=1e-9)
    assert found.calmar == pytest.approx(found.annual / -deepest[0], rel=1e-9)


@given(st.lists(st.floats(-0.2, 0.25), min_size=1, max_size=40), st.data())
def test_no_flow_changes_the_time_weighted_return(steps: list[float], data: st.DataObject) -> None:
    worth, flows, product = Decimal(1000), dict[int, Decimal](), 1.0
    equity = [worth]
    for number, step in enumerate(steps, 1):
        flow = data.draw(st.integers(-100, 1000))
        flows[number] = Decimal(flow)
        worth = worth * (1 + Decimal(step)) + flow
        equity.append(worth)
        product *= 1 + step
        if worth <= 0 or worth - flow <= 0:
            return

    made = returns([on(n) for n in range(len(equity))], equity, [equity[0], *flows.values()])

    assert float(np.prod(1 + made)) == pytest.approx(product, rel=1e-9)


def test_a_fall_that_was_never_made_up_for_has_no_end() -> None:
    found = drawdown(np.array([1.0, 1.2, 1.2, 0.9, 1.0]), [on(n) for n in range(5)])

    assert fell(found) == (pytest.approx(-0.25), on(2), on(3), None)


def test_ratios_need_returns_that_vary() -> None:
    for ratio in (volatility, sharpe, sortino):
        with pytest.raises(Undefined, match="two returns"):
            ratio(np.array([0.1]))


def test_fees_and_what_claude_costs_lessen_the_return() -> None:
    """100, of which 1 goes for fees and 2 are paid for Claude: 110 before, 109 after fees, 107 with Claude."""
    days = (Day(on(0), Decimal(100), Decimal(100)), Day(on(1), Decimal(109), fees=Decimal(1), claude=Decimal(2)))

    found = measure(Record(days, (), (), ()))

    assert found.before_fees == pytest.approx(0.10)
    assert found.own.total == pytest.approx(0.09)
    assert found.after_claude == pytest.approx(0.07)
    assert [found.fees, found.claude, found.gained] == [1, 2, 9]


def test_trading_is_counted_from_what_was_booked() -> None:
    """Wins of 30 and 10 of four sales, 20 in the mean, and a loss of 5; bought 60, sold 40, of 100 and 120."""
    days = (
        Day(on(0), Decimal(100), Decimal(100), bought=Decimal(60), trades=2, long=Decimal(50), short=Decimal(10)),
        Day(on(1), Decimal(120), sold=Decimal(40), trades=1, long=Decimal(120)),
    )
    earned = (30, 10, -5, 0)
    closed = tuple(Closed(ACME, on(number), Decimal(each)) for number, each in enumerate(earned))

    found = measure(Record(days, closed, (), ()))

    trading = found.trading
    assert [trading.trades, trading.trades_per_session, trading.closed, trading.realised] == [3, 1.5, 4, 35]
    assert trading.turnover == pytest.approx(40 / 110)
    assert (trading.hit_rate, trading.win_loss, trading.missing) == (0.5, 4.0, {})
    assert found.exposure == pytest.approx(0.8)
    assert found.net_exposure == pytest.approx(0.7)


def test_without_trades_there_is_no_hit_rate() -> None:
    assert measure(record([100, 110])).trading.missing == {
        "hit_rate": "no trade was closed", "win_loss": "no trade was closed",
    }  # fmt: skip
    won = Record(record([100, 110]).days, (Closed(ACME, FIRST, Decimal(1)),), (), ())
    assert measure(won).trading.missing == {"win_loss": "none was lost"}


def test_the_benchmark_has_the_same_money_put_in_and_its_dividends_reinvested() -> None:
    """100 that gain a tenth and then 50 that come are 160, which lose a twentieth: 152; closes say otherwise."""
    days = [LAST - dt.timedelta(2), LAST - dt.timedelta(1), LAST]
    made = (Day(days[0], Decimal(100), Decimal(100)), Day(days[1], Decimal(150), Decimal(50)), Day(days[2], Decimal(9)))

    found = measure(Record(made, (), (), ()), (ACME, bars([1, 1, 1], adj_close=[10, 11, 10.45])))

    assert found.benchmark is not None
    assert [each.benchmark for each in found.curve] == [100, 160, 152]
    assert found.benchmark.total == pytest.approx(1.1 * 0.95 - 1)


def test_a_benchmark_without_a_close_by_then_is_named() -> None:
    with pytest.raises(NoPrice, match="SPY: no close is known up to 2012-01-02"):
        measure(record([100, 110]), (Symbol("SPY"), bars([1, 2])))
