import datetime as dt
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from actors.domain.bars import Prices, adjusted, until
from actors.domain.facts import WINDOW
from actors.domain.indicators import adx, atr, macd, rsi
from messages.market import Bars
from messages.research import Missing, Sheet
from messages.values import Symbol
from tests.actors.domain.making import ACME, LAST, bars, sheet_of, walk

AAPL, FB, IBM, MSFT = Symbol("AAPL"), Symbol("FB"), Symbol("IBM"), Symbol("MSFT")
WEIGHTS = {AAPL: 0.5, MSFT: 0.3}
NAMES = (
    "close",
    "sma_50",
    "sma_200",
    "close_vs_sma_50",
    "close_vs_sma_200",
    "rsi_14",
    "macd",
    "macd_signal",
    "macd_histogram",
    "atr_14",
    "adx_14",
    "bollinger_upper",
    "bollinger_middle",
    "bollinger_lower",
    "volatility_63",
    "volatility_252",
    "max_drawdown_252",
    "return_21",
    "return_252",
    "volume_vs_63",
    "correlation_252",
    "weight",
)


def alone(own: Bars, as_of: dt.date = LAST) -> Sheet:
    return sheet_of(ACME, as_of, own, {}, {})


def of(sheet: Sheet, name: str) -> float:
    fact = sheet.fact(name)
    assert fact is not None
    return fact.value


def lacks(sheet: Sheet, name: str) -> Missing:
    return next(missing for missing in sheet.missing if missing.name == name)


def indicated(given: Prices) -> tuple[float, ...]:
    prices = given.high, given.low, given.close
    return rsi(given.close), *macd(given.close), atr(*prices), adx(*prices)


@pytest.fixture
def sheet(sample: Mapping[Symbol, Bars]) -> Sheet:
    return sheet_of(AAPL, LAST, sample[AAPL], sample, WEIGHTS)


def test_facts_come_in_a_fixed_order_and_are_numbered(sheet: Sheet) -> None:
    assert tuple(fact.name for fact in sheet.facts) == NAMES
    assert [fact.id for fact in sheet.facts] == [f"f{n}" for n in range(1, 23)]
    assert sheet.missing == ()
    assert (sheet.symbol, sheet.as_of) == (AAPL, LAST)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("close", 430.47),
        ("rsi_14", 33.3379),
        ("macd", -12.0917),
        ("macd_signal", -11.5845),
        ("macd_histogram", -0.507172),
        ("atr_14", 11.8017),
        ("adx_14", 31.9572),
        ("bollinger_upper", 480.097),
        ("bollinger_middle", 454.982),
        ("bollinger_lower", 429.868),
        ("sma_200", 569.792),
        ("close_vs_sma_200", -0.244514),  # 430.47 / 569.792165 - 1
    ],
)
def test_the_facts_about_aapl_are_the_golden_ones(sheet: Sheet, name: str, value: float) -> None:
    assert of(sheet, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("volatility_252", 0.32768), ("max_drawdown_252", -0.38048), ("return_252", -0.18414), ("return_21", -0.05237)],
)
def test_the_figures_of_a_year_are_the_golden_ones_in_their_five_digits(sheet: Sheet, name: str, value: float) -> None:
    assert of(sheet, name) == pytest.approx(value, abs=5e-6)


def test_each_fact_is_rounded_to_six_digits(sheet: Sheet) -> None:
    for fact in sheet.facts:
        assert len(Decimal(repr(fact.value)).normalize().as_tuple().digits) <= 6, fact


def test_units_and_sources_say_what_a_figure_is(sheet: Sheet) -> None:
    kinds = {fact.name: (fact.unit, fact.source) for fact in sheet.facts}

    assert kinds["close"] == ("price", "bars")
    assert kinds["macd_signal"] == ("price", "talib")
    assert kinds["rsi_14"] == ("points", "talib")
    assert kinds["volatility_63"] == ("ratio", "numpy")
    assert kinds["weight"] == ("ratio", "holdings")


def test_volume_is_compared_with_a_mean_that_it_is_part_of() -> None:
    sheet = alone(bars(walk(63), volume=[100.0] * 62 + [163.0]))

    assert of(sheet, "volume_vs_63") == pytest.approx(163 / 101, rel=1e-5)


def test_a_young_symbol_misses_exactly_what_needs_more_sessions(sample: Mapping[Symbol, Bars]) -> None:
    sheet = sheet_of(FB, LAST, sample[FB], sample, WEIGHTS)

    assert sheet.missing == (
        Missing("sma_200", 200, 196),
        Missing("close_vs_sma_200", 200, 196),
        Missing("volatility_252", 253, 196),
        Missing("max_drawdown_252", 252, 196),
        Missing("return_252", 253, 196),
        Missing("correlation_252", 253, 196),
    )
    assert [fact.id for fact in sheet.facts] == [f"f{n}" for n in range(1, 17)]


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("sma_50", 50),
        ("close_vs_sma_50", 50),
        ("sma_200", 200),
        ("rsi_14", 15),
        ("macd", 34),
        ("macd_signal", 34),
        ("macd_histogram", 34),
        ("atr_14", 15),
        ("adx_14", 28),
        ("bollinger_lower", 20),
        ("volatility_63", 64),
        ("volatility_252", 253),
        ("max_drawdown_252", 252),
        ("return_21", 22),
        ("return_252", 253),
        ("volume_vs_63", 63),
    ],
)
def test_a_figure_is_there_from_the_session_on_that_it_needs(name: str, needs: int) -> None:
    close = walk(needs)

    assert alone(bars(close)).fact(name) is not None
    assert lacks(alone(bars(close[1:])), name) == Missing(name, needs, needs - 1)


def test_without_bars_everything_but_the_weight_is_missing() -> None:
    sheet = sheet_of(ACME, LAST, bars([]), {}, WEIGHTS)

    assert [fact.name for fact in sheet.facts] == ["weight"]
    assert [missing.name for missing in sheet.missing] == list(NAMES[:-1])
    assert {missing.has for missing in sheet.missing} == {0}


def test_a_price_that_never_moves_has_no_figure_that_is_not_defined_for_it() -> None:
    still = bars([50.0] * 300, volume=[0.0] * 300)

    sheet = sheet_of(ACME, LAST, still, {ACME: still}, {ACME: 1.0})

    assert sheet.missing == (
        Missing("rsi_14", 15, 300),
        Missing("adx_14", 28, 300),
        Missing("volume_vs_63", 63, 300),
        Missing("correlation_252", 253, 253),
    )
    assert of(sheet, "volatility_252") == 0


def test_a_figure_too_large_for_a_float_is_missing() -> None:
    sheet = alone(bars([1e-300] * 21 + [1e300]))

    assert lacks(sheet, "return_21") == Missing("return_21", 22, 22)


def test_a_symbol_alone_in_the_portfolio_correlates_fully(sample: Mapping[Symbol, Bars]) -> None:
    sheet = sheet_of(AAPL, LAST, sample[AAPL], {AAPL: sample[AAPL]}, {AAPL: 0.4})

    assert of(sheet, "correlation_252") == 1


def test_correlation_is_that_of_a_year_of_log_returns(sample: Mapping[Symbol, Bars]) -> None:
    sheet = sheet_of(IBM, LAST, sample[IBM], {AAPL: sample[AAPL]}, {AAPL: 0.4})

    ours, theirs = (np.diff(np.log(sample[symbol].adj_close[-253:])) for symbol in (IBM, AAPL))
    assert of(sheet, "correlation_252") == pytest.approx(np.corrcoef(ours, theirs)[0, 1], rel=1e-5)


def test_correlation_needs_a_year_of_the_portfolio_too(sample: Mapping[Symbol, Bars]) -> None:
    sheet = sheet_of(AAPL, LAST, sample[AAPL], {FB: sample[FB]}, {FB: 1.0})

    assert lacks(sheet, "correlation_252") == Missing("correlation_252", 253, 196)


def test_where_nothing_is_held_there_is_no_correlation_and_the_weight_is_nought(sample: Mapping[Symbol, Bars]) -> None:
    sheet = sheet_of(AAPL, LAST, sample[AAPL], {}, {})

    assert sheet.missing == (Missing("correlation_252", 253, 0),)
    assert of(sheet, "weight") == 0.0


def test_the_weight_is_the_one_given_as_of_today_and_nought_where_not_held(sample: Mapping[Symbol, Bars]) -> None:
    sunday = dt.date(2013, 3, 3)
    held = sheet_of(AAPL, sunday, sample[AAPL], sample, WEIGHTS).fact("weight")
    unheld = sheet_of(IBM, sunday, sample[IBM], sample, WEIGHTS).fact("weight")

    assert held is not None
    assert unheld is not None
    assert (held.value, unheld.value) == (0.5, 0.0)
    assert held.as_of == sunday


def test_facts_are_of_the_last_session_not_of_the_day_asked_for(sample: Mapping[Symbol, Bars]) -> None:
    close = alone(sample[AAPL], dt.date(2013, 3, 3)).fact("close")

    assert close is not None
    assert close.as_of == LAST


def test_bars_that_go_on_after_the_moment_are_refused(sample: Mapping[Symbol, Bars]) -> None:
    with pytest.raises(ValueError, match="ACME: the bars go on to 2013-03-01, cut them at 2013-02-28"):
        alone(sample[AAPL], dt.date(2013, 2, 28))


def test_the_atr_before_a_split_is_in_prices_of_that_day(aapl: Bars) -> None:
    sheet = alone(until(aapl, dt.date(2005, 2, 25)), dt.date(2005, 2, 25))

    assert of(sheet, "atr_14") == pytest.approx(2.56, abs=0.005)
    assert of(sheet, "close") == 88.99


@pytest.mark.parametrize(
    "as_of",
    [
        dt.date(2005, 2, 25),  # a split follows
        dt.date(2005, 3, 4),  # it was a week ago
        dt.date(2012, 8, 8),  # a dividend follows
        dt.date(2012, 8, 9),  # it is paid
    ],
)
def test_facts_are_the_same_whether_or_not_later_bars_exist(aapl: Bars, as_of: dt.date) -> None:
    cut = until(aapl, as_of)
    then = replace(cut, adj_close=cut.adj_close * (cut.close[-1] / cut.adj_close[-1]))

    with_later, without = alone(cut, as_of), alone(then, as_of)

    assert with_later == without
    assert {"atr_14", "sma_50", "sma_200", "macd", "macd_signal"} <= {fact.name for fact in without.facts}


def test_the_window_is_long_enough_to_be_the_whole_history(aapl: Bars) -> None:
    for end in range(WINDOW + 100, len(aapl), 250):
        cut = until(aapl, dt.date.fromisoformat(str(aapl.sessions[end])))
        whole = adjusted(cut, len(cut))

        found, expected = indicated(adjusted(cut, WINDOW)), indicated(whole)

        assert found == pytest.approx(expected, rel=0, abs=1e-11 * whole.close[-1])


@pytest.mark.parametrize("module", ["bars", "facts", "band", "rules", "thesis", "valuation"])
def test_a_fresh_process_that_imports_a_job_loads_neither_pykka_nor_apsw(module: str) -> None:
    program = (
        f"import sys, actors.domain.{module}; print(sorted({{'pykka', 'apsw', 'claude_agent_sdk'}} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
