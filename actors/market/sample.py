"""The sample source: daily prices of five companies to 2013-03-01, which come with the project."""

import gzip
from itertools import groupby
from pathlib import Path
from typing import Final, assert_never

from actors.market import sectors
from actors.market.prices import bars
from messages import market
from messages.market import Bars, Fetch, Fetched, Resolve, Resolved
from messages.values import Symbol

PRICES: Final = Path(__file__).parents[2] / "storage" / "sample" / "prices.csv.gz"
SECTORS: Final = PRICES.with_name(sectors.FILE)
WIDTH: Final = 7


class SampleSource:
    """Owns the sample prices, read once. Their provenance and licence stand beside the file."""

    def __init__(self) -> None:
        self._bars, self._sectors = dict[Symbol, Bars](), dict[Symbol, str]()

    def on_receive(self, message: market.SourceMessage) -> None:
        """The whole protocol."""
        match message:
            case Resolve():
                self._resolve(message)
            case Fetch():
                self._fetch(message)
            case _:
                assert_never(message)

    def _resolve(self, resolve: Resolve) -> None:
        known = tuple((name, Symbol(name.upper())) for name in resolve.names if name.upper() in self._all())
        unknown = tuple(name for name in resolve.names if name.upper() not in self._all())
        resolve.reply_to.tell(Resolved(known, unknown))

    def _fetch(self, fetch: Fetch) -> None:
        if (found := self._all().get(fetch.symbol)) is None:
            names = ", ".join(sorted(self._all()))
            fetch.reply_to.refuse("invalid", f"the sample prices have no {fetch.symbol}; they have {names}")
        else:
            place, sector = f"sample prices of {fetch.symbol}", self._sectors.get(fetch.symbol)
            fetch.reply_to.tell(Fetched(fetch.reply_to.about, fetch.symbol, found, place, 1, sector))

    def _all(self) -> dict[Symbol, Bars]:
        if not self._bars:
            self._sectors = sectors.parse(SECTORS.read_text("utf-8"), SECTORS.name)
            with gzip.open(PRICES, "rt", encoding="utf-8") as lines:
                next(lines)
                rows = [line.rstrip("\n").split(",") for line in lines]
            self._bars = {
                Symbol(symbol): bars((row[1:] for row in group), WIDTH, f"sample prices of {symbol}", first_line=1)
                for symbol, group in groupby(rows, key=lambda row: row[0])
            }
        return self._bars
