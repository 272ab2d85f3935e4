"""The sample source: five companies up to 2013-03-01."""

import datetime as dt

import numpy as np
import pytest

from actors.console import terminal
from actors.domain.bars import fault
from actors.kernel.testing import Probe, TestSystem
from actors.market.sample import SampleSource
from messages.addresses import Ref, Refused
from messages.market import Fetch, Fetched, Resolve, Resolved, SourceMessage
from messages.values import Symbol


@pytest.fixture(scope="module")
def source() -> Ref[SourceMessage]:
    ref, sample = Ref[SourceMessage]("source"), SampleSource()
    ref.bind(sample.on_receive)
    return ref


def fetch(source: Ref[SourceMessage], symbol: str) -> Fetched | Refused:
    probe = Probe[Fetched | Refused]()
    source.tell(Fetch(Symbol(symbol), probe))
    return probe.received[0]


@pytest.mark.parametrize(
    ("symbol", "rows", "first", "close"),
    [
        ("AAPL", 3270, dt.date(2000, 3, 1), 430.47),
        ("FB", 196, dt.date(2012, 5, 18), 27.78),
        ("GOOG", 2148, dt.date(2004, 8, 19), 806.19),
        ("IBM", 3270, dt.date(2000, 3, 1), 202.91),
        ("MSFT", 3270, dt.date(2000, 3, 1), 27.95),
    ],
)
def test_all_rows_are_there_up_to_the_day_that_every_print_names(
    source: Ref[SourceMessage], symbol: str, rows: int, first: dt.date, close: float
) -> None:
    fetched = fetch(source, symbol)

    assert isinstance(fetched, Fetched)
    bars = fetched.bars
    assert (len(bars), bars.sessions[0].item(), bars.close[-1]) == (rows, first, close)
    assert f"Sample desk: prices end {bars.sessions[-1]}, not today's." == terminal.SAMPLE
    assert fault(bars) is None
    assert np.array_equal(bars.close, bars.adj_close) == (symbol == "FB")  # which has neither split nor paid


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_all_five_were_of_one_sector_in_2013(source: Ref[SourceMessage], symbol: str) -> None:
    fetched = fetch(source, symbol)

    assert isinstance(fetched, Fetched)
    assert fetched.sector == "Information Technology"


def test_another_symbol_is_refused_and_the_five_are_named(source: Ref[SourceMessage]) -> None:
    assert fetch(source, "TSLA") == Refused(
        "probe", "invalid", "the sample prices have no TSLA; they have AAPL, FB, GOOG, IBM, MSFT"
    )


def test_names_are_resolved_whatever_their_case() -> None:
    system, ref, probe = TestSystem(), Ref[SourceMessage]("source"), Probe[Resolved | Refused]()
    system.add(ref, lambda me: SampleSource())
    system.start()

    ref.tell(Resolve(("aapl", "Tsla", "IBM"), probe))
    system.settle()

    assert probe.received == [Resolved((("aapl", Symbol("AAPL")), ("IBM", Symbol("IBM"))), ("Tsla",))]
