"""The csv source: a person's folder with one file of daily prices for each symbol, one of splits and dividends, and one
that names sectors."""

import re
from pathlib import Path
from typing import Final, assert_never

from actors.domain.rows import BadRows
from actors.market import actions, sectors
from actors.market.actions import BadActions
from actors.market.prices import BadPrices, parse
from messages import market
from messages.market import Fetch, Fetched, Listed, Resolve, Resolved
from messages.values import Symbol
from storage.files import Unreadable, read_text

LARGEST: Final = 5_000_000
"""Bytes a file may have; a hundred years of daily bars are 2 MB."""


NAME: Final = re.compile(r"[A-Za-z0-9.^=_-]{1,20}")
"""What a symbol may look like; files of other names are not prices."""

OTHERS: Final = (sectors.FILE, actions.FILE)
"""Files that are no symbol's."""


class FolderSource:
    """Reads a file anew each time it is asked: a person may have changed it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
        try:
            have = self._files()
        except (BadPrices, BadRows, Unreadable) as error:
            resolve.reply_to.refuse("invalid", str(error))
            return
        known = tuple((name, Symbol(name.upper())) for name in resolve.names if name.upper() in have)
        unknown = tuple(name for name in resolve.names if name.upper() not in have)
        resolve.reply_to.tell(Resolved(known, unknown))

    def _fetch(self, fetch: Fetch) -> None:
        try:
            fetched = self._read(fetch)
        except (BadPrices, BadActions, BadRows, Unreadable) as error:
            fetch.reply_to.refuse("invalid", str(error))
        else:
            fetch.reply_to.tell(fetched)

    def _read(self, fetch: Fetch) -> Fetched:
        files = self._files()
        path = files.get(fetch.symbol)
        if path is None:
            raise BadPrices(f"folder {self._folder}: has no {fetch.symbol}.csv; put it there")
        bars = parse(read_text(path, LARGEST, "prices of one symbol"), str(path))
        listed, sector = self._listed(fetch.symbol, files), self._sectors().get(fetch.symbol)
        return Fetched(fetch.reply_to.about, fetch.symbol, bars, str(path), 2, sector, listed)

    def _sectors(self) -> dict[Symbol, str]:
        """None where a person has named none."""
        path = self._folder / sectors.FILE
        return sectors.parse(read_text(path, LARGEST, "sectors"), str(path)) if path.exists() else {}

    def _listed(self, symbol: Symbol, files: dict[str, Path]) -> tuple[Listed, ...]:
        """None where a person keeps no such file."""
        path = self._folder / actions.FILE
        if not path.exists():
            return ()
        return actions.parse(read_text(path, LARGEST, "splits and dividends"), str(path), symbol, files)

    def _files(self) -> dict[str, Path]:
        try:
            found = sorted(self._folder.iterdir())
        except OSError as error:
            raise BadPrices(
                f"folder {self._folder}: cannot be read ({error.strerror}); set folder under [market] in desk.toml"
            ) from error
        files = dict[str, Path]()
        for path in found:
            named = path.suffix.lower() == ".csv" and NAME.fullmatch(path.stem) and path.name not in OTHERS
            if named and (other := files.setdefault(path.stem.upper(), path)) is not path:
                raise BadPrices(f"folder {self._folder}: has both {other.name} and {path.name}; keep one of them")
        return files
