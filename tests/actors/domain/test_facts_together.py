"""Facts of several symbols at once are those of each one alone, by the slow definition."""

from dataclasses import replace

import numpy as np
import pytest

from actors.domain import facts
from actors.domain.bars import last, last_session
from actors.domain.facts import BLOCK, Inputs, compute
from actors.domain.returns import portfolio_returns
from messages.market import Bars, Floats
from messages.values import Symbol
from tests.actors.domain import singly
from tests.actors.domain.making import LAST, bars, walk

SEEDS = range(40)


def made(rng: np.random.Generator) -> Bars:
    """Bars of one of many kinds: long or a few, with gaps, still, split, with figures that no float holds."""
    count = int(rng.choice([0, 1, 2, 14, 15, 27, 50, 63, 64, 199, 252, 253, 254, 400, 599, 600, 601, 900]))
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, count)))
    spread: Floats = rng.uniform(1, 1.03, (2, count))
    sound = replace(bars(close), volume=rng.uniform(0, 1e7, count), high=close * spread[0], low=close / spread[1])
    match int(rng.integers(8)):
        case 0:
            return bars(np.full(count, 50.0), volume=[0.0] * count)
        case 1:
            return replace(sound, volume=np.zeros(count))
        case 2 if count:
            return bars([*close[:-1], 1e300], adj_close=[*close[:-1] * 1e-300, 1e300])
        case 3:
            kept = np.flatnonzero(rng.uniform(size=count) > 0.3)
            return Bars(*(getattr(sound, name)[kept] for name in Bars.__slots__))
        case 4:
            return replace(sound, sessions=sound.sessions - np.timedelta64(int(rng.integers(1, 400)), "D"))
        case 5:
            ratio = np.where(np.arange(count) < count - 30, float(rng.choice([2, 0.1, 1.5, 1.9])), 1.0)
            return replace(sound, adj_close=close / ratio)
        case 6:
            return replace(sound, adj_close=close * np.exp(np.cumsum(rng.choice([0, 0.005], count, p=[0.98, 0.02]))))
        case _:
            return sound


def drawn(seed: int) -> tuple[dict[Symbol, Bars], dict[Symbol, float]]:
    """All symbols with their bars, and the weights of those that are held."""
    rng = np.random.default_rng(seed)
    symbols = [Symbol(f"S{number}") for number in range(int(rng.integers(1, BLOCK + 8)))]
    held = [symbol for symbol in symbols if rng.uniform() < 0.5]
    weights = [float(rng.choice([weight, -weight, 0.0], p=[0.7, 0.2, 0.1])) for weight in rng.uniform(0, 1, len(held))]
    return {symbol: made(rng) for symbol in symbols}, dict(zip(held, weights, strict=True))


def inputs(every: dict[Symbol, Bars], weights: dict[Symbol, float]) -> list[Inputs]:
    held = portfolio_returns({symbol: every[symbol] for symbol in weights}, weights)
    return [Inputs(symbol, LAST, own, held, weights.get(symbol, 0.0)) for symbol, own in every.items()]


@pytest.mark.parametrize("seed", SEEDS)
def test_sheets_are_those_of_the_slow_definition_whatever_they_are_computed_beside(seed: int) -> None:
    every, weights = drawn(seed)

    found = compute(inputs(every, weights))

    assert found == [singly.sheet(symbol, LAST, own, every, weights) for symbol, own in every.items()]
    assert found == [sheet for each in inputs(every, weights) for sheet in compute([each])]
    assert found[::-1] == compute(inputs(every, weights)[::-1])


def test_what_is_drawn_has_correlations_and_misses_every_figure_now_and_then() -> None:
    sheets = [sheet for seed in SEEDS for sheet in compute(inputs(*drawn(seed)))]

    names = {fact.name for sheet in sheets for fact in sheet.facts}
    enough = {each.name for sheet in sheets for each in sheet.missing if each.has >= each.needs}
    assert {each.name for sheet in sheets for each in sheet.missing} == names - {"weight"}
    assert {"rsi_14", "adx_14", "volume_vs_63", "return_21", "correlation_252"} <= enough


def test_sheets_may_be_of_several_days_and_portfolios() -> None:
    one, other = bars(walk(300)), last(bars(walk(300, seed=2)), 290)
    earlier = Bars(*(getattr(one, name)[:280] for name in Bars.__slots__))
    a, b = (portfolio_returns({Symbol("X"): held}, {Symbol("X"): 1.0}) for held in (one, other))
    wanted = [
        Inputs(Symbol("A"), LAST, one, b, 0.0),
        Inputs(Symbol("B"), last_session(earlier), earlier, a, 0.5),
        Inputs(Symbol("A"), LAST, one, a, 0.25),
    ]

    found = compute(wanted)

    assert [(sheet.symbol, sheet.as_of) for sheet in found] == [(each.symbol, each.as_of) for each in wanted]
    assert [fact.value for sheet in found if (fact := sheet.fact("weight"))] == [0, 0.5, 0.25]
    assert found == [sheet for each in wanted for sheet in compute([each])]


def test_no_symbols_have_no_sheets() -> None:
    assert facts.compute([]) == []
