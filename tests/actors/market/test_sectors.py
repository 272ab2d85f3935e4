"""Sectors as a person writes them, and as they come with the prices."""

from pathlib import Path

import pytest

from actors.domain.rows import BadRows
from actors.market.prices import BadPrices
from actors.market.sectors import parse
from messages.addresses import Refused
from messages.market import Fetched, Resolved
from messages.tasks import Finished, Lease
from messages.values import Symbol
from storage import sectors
from storage.home import Home
from tests.actors.market.test_coordinator import Market
from tests.actors.market.test_folder import Source
from tests.desks import prices, walk


def test_each_line_names_a_symbol_in_any_case_and_its_sector() -> None:
    text = "\ufeffSymbol, Sector\r\naapl,Information Technology\r\nBRK.B, Financials \r\n"

    assert parse(text, "symbols.csv") == {"AAPL": "Information Technology", "BRK.B": "Financials"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: the header is ''; write symbol,sector"),
        ("symbol;sector\n", "line 1: the header is 'symbol;sector'; write symbol,sector"),
        ("symbol,sector\nAAPL\n", "line 2: 'AAPL' is not a symbol and its sector; write both"),
        ("symbol,sector\nAAPL,\n", "line 2: 'AAPL,' is not a symbol and its sector; write both"),
        ("symbol,sector\nAAPL,IT,x\n", "line 2: 'AAPL,IT,x' is not a symbol and its sector; write both"),
        ("symbol,sector\n\nAAPL,IT\n", "line 2: '' is not a symbol and its sector; write both"),
        ("symbol,sector\nAAPL,IT\naapl,Toys\n", "line 3: names AAPL again; keep one of its lines"),
        (f"symbol,sector\nAAPL,{'x' * 61}\n", f"line 2: '{'x' * 60}' is no name of 60 characters at most"),
        ("symbol,sector\nAAPL,a\x1b[31m\n", "line 2: 'a\\x1b[31m' is no name of 60 characters at most"),
        ('symbol,sector\nAAPL,"IT\n', "line 2: unexpected end of data; is a quotation mark never closed?"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises((BadPrices, BadRows)) as refused:
        parse(text, "symbols.csv")

    assert str(refused.value) == f"symbols.csv {sentence}"


def test_the_file_is_read_with_the_prices_and_is_no_symbol(tmp_path: Path) -> None:
    source = Source(tmp_path)
    prices(tmp_path, "AAPL", *walk(1))
    without = source.fetch()
    (tmp_path / "symbols.csv").write_text("symbol,sector\nAAPL,Tools\nIBM,Toys\n")

    found, names = source.fetch(), source.resolve("SYMBOLS", "AAPL")

    assert isinstance(without, Fetched)
    assert isinstance(found, Fetched)
    assert (without.sector, found.sector) == (None, "Tools")
    assert isinstance(names, Resolved)
    assert names.unknown == ("SYMBOLS",)


def test_a_file_that_cannot_be_read_refuses_the_prices_with_its_line(tmp_path: Path) -> None:
    prices(tmp_path, "AAPL", *walk(1))
    (tmp_path / "symbols.csv").write_text("symbol,sector\nAAPL\n")

    assert Source(tmp_path).complaint() == (
        f"{tmp_path / 'symbols.csv'} line 2: 'AAPL' is not a symbol and its sector; write both"
    )


def test_the_sector_is_kept_with_the_bars_changed_and_taken_back(home: Home) -> None:
    market, kept = Market(home), list[dict[Symbol, str]]()

    for sector in ("Tools", "Toys", None):
        finished = market.refresh(*walk(3), sector=sector)
        assert isinstance(finished, Finished)
        market.connection.commit([finished.effects])
        kept.append(dict(sectors.known(market.read)))

    assert kept == [{"AAPL": "Tools"}, {"AAPL": "Toys"}, {}]
    assert market.refresh(*walk(3)) == Finished(Lease(1, 1), ())


def test_bars_that_are_refused_leave_the_sector_as_it_was(home: Home) -> None:
    assert isinstance(Market(home).refresh("2013-03-01,-1,1,1,1,0", sector="Tools"), Refused)
