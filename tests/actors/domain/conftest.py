"""The sample prices: AAPL, FB, GOOG, IBM and MSFT, up to 2013-03-01, as traded."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from messages.market import Bars
from messages.values import Symbol

PRICES = Path(__file__).parents[3] / "storage" / "sample" / "prices.csv.gz"
COLUMNS = ("open", "high", "low", "close", "volume", "adj_close")


@pytest.fixture(scope="session")
def sample() -> Mapping[Symbol, Bars]:
    rows = defaultdict[str, list[dict[str, str]]](list)
    with gzip.open(PRICES, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            rows[row["symbol"]].append(row)
    return {Symbol(name): _bars(theirs) for name, theirs in rows.items()}


@pytest.fixture(scope="session")
def aapl(sample: Mapping[Symbol, Bars]) -> Bars:
    return sample[Symbol("AAPL")]


def _bars(rows: list[dict[str, str]]) -> Bars:
    sessions = np.array([row["date"] for row in rows], "datetime64[D]")
    return Bars(sessions, *(np.array([float(row[column]) for row in rows]) for column in COLUMNS))
