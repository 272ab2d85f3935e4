"""Trading: how long it takes to check an order."""

import datetime as dt
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from random import Random

from actors.domain.orders import Accepted, Limits, Proposal, Quote, Stake, Standing
from actors.domain.risk import check
from messages.broker import Side
from messages.trading import TradingState
from messages.values import Symbol
from tests.benchmarks.measure import Benchmark, Figures

TODAY, SEED = dt.date(2026, 11, 20), 1
WANTED = {"risk_us": "50 or less, µs for the check of an order beside 50 positions"}


def standing(positions: int) -> Standing:
    """So many positions of about the same worth, in ten sectors; the quote is the first one's."""
    dice = Random(SEED)
    held = {
        Symbol(f"S{number}"): Stake(Decimal(dice.randint(50, 150)), Decimal(dice.randint(5_000, 15_000)) / 100)
        for number in range(positions)
    }
    equity = 2 * sum((stake.quantity * stake.price for stake in held.values()), Decimal(0))
    return Standing(
        equity=equity,
        cash=equity / 2,
        reserved=Decimal(0),
        positions=held,
        working=(),
        quote=Quote(held[Symbol("S0")].price, TODAY, Decimal(1_000_000)),
        today=TODAY,
        day_start=equity,
        peak=equity,
        orders_today=0,
        orders_last_minute=0,
        state=TradingState.ACTIVE,
        sectors={symbol: f"sector {number % 10}" for number, symbol in enumerate(held)},
    )


def risk_us(checks: int, positions: int) -> float:
    """Of a BUY that passes, and so meets every check; in time of this thread on a processor."""
    order, limits, at = Proposal(Symbol("S0"), Side.BUY, Decimal(10), conviction=0.6), Limits(), standing(positions)
    if not isinstance(denied := check(order, limits, at), Accepted):
        raise TypeError(f"the order is denied, and not all checks are measured: {denied.sentence}")
    began = time.thread_time()
    for _ in range(checks):
        check(order, limits, at)
    return (time.thread_time() - began) / checks * 1e6


def rounds(repeats: int, checks: int, positions: int) -> Iterator[Figures]:
    """One before them warms up."""
    risk_us(checks, positions)
    for _ in range(repeats):
        yield {"risk_us": risk_us(checks, positions)}


ABOUT = "what trading takes: the check of an order"
TRADING = Benchmark(ABOUT, WANTED, partial(rounds, checks=5_000, positions=50), repeats=9)
SMALL = Benchmark(ABOUT, WANTED, partial(rounds, checks=20, positions=50), repeats=2)
