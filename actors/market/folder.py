"""The csv source: a person's folder with one file of daily prices for each symbol."""

from pathlib import Path
from typing import Final, assert_never

from actors.market.prices import BadPrices, parse
from messages import market
from messages.market import Fetch, Fetched, Resolve, Resolved
from messages.values import Symbol

LARGEST: Final = 10_000_000
"""Bytes a file may have; a hundred years of daily bars are 2 MB."""


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
        except BadPrices as error:
            resolve.reply_to.refuse("invalid", str(error))
            return
        known = tuple((name, Symbol(name.upper())) for name in resolve.names if name.upper() in have)
        unknown = tuple(name for name in resolve.names if name.upper() not in have)
        resolve.reply_to.tell(Resolved(known, unknown))

    def _fetch(self, fetch: Fetch) -> None:
        try:
            fetched = self._read(fetch)
        except BadPrices as error:
            fetch.reply_to.refuse("invalid", str(error))
        else:
            fetch.reply_to.tell(fetched)

    def _read(self, fetch: Fetch) -> Fetched:
        path = self._files().get(fetch.symbol)
        if path is None:
            raise BadPrices(f"folder {self._folder}: has no {fetch.symbol}.csv; put it there")
        try:
            if (size := path.stat().st_size) >= LARGEST:
                raise BadPrices(f"{path}: has {size / 1e6:.1f} MB; prices of one symbol may have {LARGEST / 1e6:.0f}")
            with path.open(encoding="utf-8-sig", newline="") as lines:
                return Fetched(fetch.reply_to.about, fetch.symbol, parse(lines, str(path)), str(path), 2)
        except (OSError, UnicodeError) as error:
            raise BadPrices(f"{path}: cannot be read ({error})") from error

    def _files(self) -> dict[str, Path]:
        try:
            found = sorted(self._folder.iterdir())
        except OSError as error:
            raise BadPrices(
                f"folder {self._folder}: cannot be read ({error.strerror}); set folder under [market] in desk.toml"
            ) from error
        return {path.stem.upper(): path for path in found if path.suffix.lower() == ".csv"}
