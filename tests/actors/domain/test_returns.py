import math
from dataclasses import replace

import numpy as np
import pytest

from actors.domain import returns
from messages.values import Symbol
from tests.actors.domain.making import bars, walk

ONE, OTHER = Symbol("ONE"), Symbol("OTHER")


def test_volatility_is_the_deviation_of_log_returns_over_a_year() -> None:
    close = np.array([7.0, 100.0, 110.0, 99.0, 99.0])

    [found] = returns.volatility(close[np.newaxis], 3)

    logs = [math.log(1.1), math.log(0.9), 0.0]
    mean = sum(logs) / 3
    assert found == pytest.approx(math.sqrt(sum((log - mean) ** 2 for log in logs) / 2 * 252))


def test_the_drawdown_is_the_deepest_fall_from_a_high_before_it() -> None:
    close = np.array([[100.0, 50.0, 80.0, 100.0, 60.0], [1000.0, 50.0, 80.0, 100.0, 60.0], [1.0, 2.0, 3.0, 3.0, 4.0]])

    assert returns.max_drawdown(close, 5).tolist() == [-0.5, -0.95, 0]
    assert returns.max_drawdown(close, 4).tolist() == pytest.approx([-0.4, -0.4, 0])


def test_a_simple_return_compares_with_the_close_so_many_sessions_earlier() -> None:
    assert returns.simple_return(np.array([[50.0, 80.0, 90.0, 100.0]]), 2).tolist() == pytest.approx([0.25])


def test_a_row_with_too_few_closes_has_no_figure_and_the_others_keep_theirs() -> None:
    close = np.array([walk(50), np.concatenate([np.full(30, np.nan), walk(20)])])

    for figure in (returns.volatility, returns.max_drawdown, returns.simple_return):
        both, [alone] = figure(close, 40), figure(close[:1], 40)
        assert both[0] == alone
        assert np.isnan(both[1])


def test_the_portfolio_earns_the_weighted_mean_of_what_it_holds() -> None:
    portfolio = {ONE: bars([100, 110, 110]), OTHER: bars([100, 100, 80])}

    found = returns.at(returns.portfolio_returns(portfolio, {ONE: 0.6, OTHER: 0.2}), portfolio[ONE].sessions[1:])

    assert found.tolist() == pytest.approx([math.log(1 + 0.1 * 0.6 / 0.8), math.log(1 - 0.2 * 0.2 / 0.8)])


def test_a_symbol_without_a_return_that_session_leaves_its_weight_to_the_others() -> None:
    portfolio = {ONE: bars([100, 110, 121]), OTHER: bars([100, 80])}

    found = returns.at(returns.portfolio_returns(portfolio, {ONE: 0.5, OTHER: 0.5}), portfolio[ONE].sessions[1:])

    assert found.tolist() == pytest.approx([math.log(1.1), math.log(1 + (0.1 - 0.2) / 2)])


def test_returns_of_the_portfolio_are_adjusted_for_splits_and_dividends() -> None:
    split = bars([100, 50], adj_close=[50, 50])

    found = returns.at(returns.portfolio_returns({ONE: split}, {ONE: 1.0}), split.sessions[1:])

    assert found.tolist() == [0]


@pytest.mark.parametrize("weights", [{}, {ONE: 0.0}, {Symbol("ELSE"): 1.0}])
def test_a_session_in_which_nothing_is_held_has_no_return(weights: dict[Symbol, float]) -> None:
    portfolio = {ONE: bars([100, 110])}

    assert np.isnan(returns.at(returns.portfolio_returns(portfolio, weights), portfolio[ONE].sessions)).all()


def test_a_short_position_earns_when_its_price_falls() -> None:
    portfolio = {ONE: bars([100, 90])}

    assert returns.at(returns.portfolio_returns(portfolio, {ONE: -1.0}), portfolio[ONE].sessions[1:])[
        0
    ] == pytest.approx(math.log(1.1))


def test_a_loss_of_everything_has_no_log_return() -> None:
    portfolio = {ONE: bars([100, 200])}

    assert math.isnan(returns.at(returns.portfolio_returns(portfolio, {ONE: -1.0}), portfolio[ONE].sessions[1:])[0])


def test_a_day_without_a_session_and_days_before_and_after_all_have_no_return() -> None:
    days = np.array(["2000-01-01", "2013-02-27", "2013-02-28", "2013-03-01", "2013-03-02", "2030-01-01"], "M8[D]")
    gap = bars([100, 110, 121])
    gap = replace(gap, sessions=days[[1, 2, 4]])

    found = returns.at(returns.portfolio_returns({ONE: gap}, {ONE: 1.0}), days)

    assert found.tolist() == pytest.approx(
        [math.nan, math.nan, math.log(1.1), math.nan, math.log(1.1), math.nan], nan_ok=True
    )


def test_correlation_is_pearsons() -> None:
    one, other = np.diff([walk(50, seed=1)]), np.diff([walk(50, seed=2)])

    assert returns.correlation(one, other) == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert returns.correlation(one, -3 * one) == pytest.approx(-1)


def test_what_stands_still_correlates_with_nothing() -> None:
    moving = np.diff([walk(50)])

    assert np.isnan(returns.correlation(moving, np.full((1, 49), 0.1))).all()
    assert np.isnan(returns.correlation(np.zeros((1, 49)), moving)).all()
