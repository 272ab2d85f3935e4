"""How long it takes to value a portfolio exactly, beside the bare products, differences and sum of its amounts."""

import datetime as dt
import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

from actors.domain.valuation import value
from messages.trading import Held
from messages.values import Symbol
from tests.benchmarks.measure import Benchmark, Figures

LAST, CASH, SEED = dt.date(2026, 11, 20), Decimal("1000.5"), 1
WANTED = {
    "valuation_ms": "20 or less, ms to value 5,000 positions",
    "bare_ms": "for comparison, ms for the products, the differences and the sum alone",
}


def portfolio(positions: int) -> tuple[list[Held], dict[Symbol, Decimal]]:
    """Quantities of nine decimals, costs and closes of two."""
    dice = random.Random(SEED)
    held = [
        Held(Symbol(f"S{number}"), Decimal(dice.randrange(1, 10**13)).scaleb(-9), Decimal(dice.randrange(10**9)) / 100)
        for number in range(positions)
    ]
    return held, {each.symbol: Decimal(dice.randrange(100, 100_000)).scaleb(-2) for each in held}


def whole(held: list[Held], closes: dict[Symbol, Decimal]) -> None:
    value(LAST, "USD", held, CASH, closes)


def bare(held: list[Held], closes: dict[Symbol, Decimal]) -> None:
    values = [each.quantity * closes[each.symbol] for each in held]
    _ = sum(values, CASH), [worth - each.cost for worth, each in zip(values, held, strict=True)]


def rounds(repeats: int, positions: int) -> Iterator[Figures]:
    """In each both, in turns of who is first; one round before them warms up. Time of this thread on a processor."""
    held, closes = portfolio(positions)

    def ms(run: Callable[[list[Held], dict[Symbol, Decimal]], None]) -> float:
        began = time.thread_time()
        run(held, closes)
        return (time.thread_time() - began) * 1e3

    for number in range(-1, repeats):
        took = {run: ms(run) for run in ((bare, whole) if number % 2 else (whole, bare))}
        if number >= 0:
            yield {"valuation_ms": took[whole], "bare_ms": took[bare]}


ABOUT = "an exact valuation of 5,000 positions"
VALUATION = Benchmark(ABOUT, WANTED, partial(rounds, positions=5_000), repeats=25)
SMALL = Benchmark(ABOUT, WANTED, partial(rounds, positions=50), repeats=2)
