"""Trading: how long it takes to check an order, how many orders there are a second, and how long a start takes.

Of orders and starts, see trading_orders.py and trading_start.py: each runs in a child where a sync takes 0.16 ms.
"""

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
from tests.benchmarks.sync import rounds_in_child

TODAY, SEED = dt.date(2026, 11, 20), 1
SYNC = 160_000
"""Nanoseconds."""
WANTED = {
    "risk_us": "50 or less, µs for the check of an order beside 50 positions",
    "orders_per_s": "2,000 or more, from a decision on disk to a booked fill",
    "start_100k_s": "2 or less, s to start with 100,000 orders and a million ledger entries",
    "order_cpu_us": "for comparison, µs of processors for each of these orders",
    "first_look_100k_ms": "for comparison, ms of the first look at the broker after such a start",
    "look_100k_ms": "for comparison, ms of a look there",
}


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


def rounds(repeats: int, checks: int, positions: int, orders: tuple[int, int], past: int) -> Iterator[Figures]:
    """One check before them warms up. Of `orders` the first is how many symbols, the second how many for each."""
    risk_us(checks, positions)
    checked = [risk_us(checks, positions) for _ in range(repeats)]
    symbols, each = orders
    plan = {"symbols": symbols, "rounds": each}
    # One child after the other, or they would be in each other's way.
    ordered = list(rounds_in_child("tests.benchmarks.trading_orders", plan, repeats, nanoseconds=SYNC))
    started = list(rounds_in_child("tests.benchmarks.trading_start", {"orders": past}, repeats, nanoseconds=SYNC))
    for check_us, rate, start in zip(checked, ordered, started, strict=True):
        yield {"risk_us": check_us, **rate, **start}


ABOUT = "what trading takes: the check of an order, orders end to end, a start with a long past"
TRADING = Benchmark(ABOUT, WANTED, partial(rounds, checks=5_000, positions=50, orders=(100, 50), past=100_000), 9)
SMALL = Benchmark(ABOUT, WANTED, partial(rounds, checks=20, positions=50, orders=(5, 4), past=200), 1)
