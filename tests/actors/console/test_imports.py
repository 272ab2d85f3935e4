"""Imports over a whole desk: all or nothing, and every error names its line."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from actors.console.access import DeskRefused
from actors.console.imports import SAMPLE, import_sample, read_file
from actors.domain.holdings import BadHoldings
from actors.settings.reading import Settings
from messages.trading import Held
from messages.values import Symbol
from storage import ledger
from storage.files import Unreadable
from storage.home import Home
from tests.desks import StagedDesk, prices, walk

HEADER = "symbol,quantity,cost,acquired\n"
FIRST = HEADER + "aapl,2.5,100,2010-06-01\nFB,1,17.729,\nCASH:USD,10000.01,1,\n"
AAPL = [Held(Symbol("AAPL"), Decimal("2.5"), Decimal(250)), Held(Symbol("FB"), Decimal(1), Decimal("17.729"))]


def test_holdings_are_in_the_books_under_the_sources_symbols(desk: StagedDesk) -> None:
    file = desk.import_text(FIRST)

    assert len(file.lines) == 2
    assert ledger.held(desk.read) == AAPL
    assert ledger.cash(desk.read) == Decimal("10000.01")


BAD = [
    "AAPL,1,100,\nMSFT,-1,2,\n",
    "AAPL,1,100,\nMSFT,nan,2,\n",
    "AAPL,1,100,\nMSFT,1e300,2,\n",
    "AAPL,1,100,\nMSFT,0.0000000001,2,\n",
    "AAPL,1,100,\nTSLA,1,2,\n",
    "AAPL,1,100,\naapl,1,2,\n",
    "AAPL,1,100,\nCASH:EUR,1,1,\n",
    "AAPL,1,100,\nCASH:USD,1,2,\n",
    "AAPL,1,100,\nMSFT,1,2,soon\n",
]


@pytest.mark.parametrize("lines", BAD)
def test_one_bad_line_and_nothing_is_changed(desk: StagedDesk, lines: str) -> None:
    desk.import_text(FIRST)

    with pytest.raises(BadHoldings, match=r"^holdings\.csv line 3: "):
        desk.import_text(HEADER + lines)

    assert ledger.held(desk.read) == AAPL
    assert ledger.cash(desk.read) == Decimal("10000.01")
    assert desk.read.rows(tuple[int], "SELECT count(*) FROM ledger_transactions") == [(1,)]


def test_an_unknown_symbol_is_named_with_its_line(desk: StagedDesk) -> None:
    with pytest.raises(BadHoldings) as refused:
        desk.import_text(HEADER + "AAPL,1,1,\nTsla,1,2,\n")

    assert str(refused.value) == "holdings.csv line 3: the price source has no TSLA; write it as the source does"


def test_a_cost_too_large_to_be_kept_is_refused_by_its_line(desk: StagedDesk) -> None:
    with pytest.raises(BadHoldings, match=r"^holdings\.csv line 3: .* is not an amount between"):
        desk.import_text(HEADER + "AAPL,1,1,\nMSFT,9000000000,9000000000,\n")

    assert not ledger.is_open(desk.read)


def test_the_sample_portfolio_is_taken_over_once(desk: StagedDesk) -> None:
    import_sample(desk.access)
    first = ledger.held(desk.read)
    desk.import_text(FIRST)
    import_sample(desk.access)

    assert [held.symbol for held in first] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert ledger.held(desk.read) == AAPL


def test_a_desk_with_prices_of_its_own_gets_no_sample_portfolio(home: Home) -> None:
    prices(home.path / "prices", "AAPL", *walk(3))
    desk = StagedDesk(home, Settings(source="csv", folder=home.path / "prices")).start()

    import_sample(desk.access)

    assert not ledger.is_open(desk.read)


def test_a_folder_that_cannot_be_read_is_said_by_the_desk(home: Home) -> None:
    desk = StagedDesk(home, Settings(source="csv", folder=home.path / "none")).start()

    with pytest.raises(DeskRefused, match=r"none: cannot be read .*set folder under \[market\] in desk\.toml"):
        desk.import_text(FIRST)


def test_a_file_is_read_as_it_is() -> None:
    assert read_file(SAMPLE) == SAMPLE.read_text("utf-8")


def test_a_file_of_ten_megabytes_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * 10_000_000)

    with pytest.raises(Unreadable) as refused:
        read_file(large)

    assert str(refused.value) == f"{large}: has 10.0 MB; holdings may have 1"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")

    unreadable = {tmp_path / "none": "cannot be read (No such", tmp_path: "is not a file", binary: "is not UTF-8 text"}
    for path, why in unreadable.items():
        with pytest.raises(Unreadable, match=f"^{re.escape(f'{path}: {why}')}"):
            read_file(path)
