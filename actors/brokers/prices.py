"""The newest bars, as brokers match orders against them: read anew only where they have changed."""

import datetime as dt
from collections.abc import Collection
from typing import Final

from actors.domain.bars import LONGEST_GAP
from actors.domain.matching import Bar, exact
from actors.kernel.scheduler import Clock
from messages.values import Symbol
from storage import bars
from storage.connections import Reader

LOOK_AGAIN: Final = 60.0
"""Seconds after which the market's time is looked for anew: that takes as long as there are symbols."""


class Prices:
    """Bars of the database. One small read says which symbols have new ones, and holds until `look_again`."""

    def __init__(self, read: Reader, clock: Clock) -> None:
        self._read, self._clock = read, clock
        self._looked_up = dict[Symbol, Bar | None]()
        self._newest = dict[Symbol, tuple[tuple[int, bytes], Bar]]()
        self._market_time: dt.date | None = None
        self._looked = float("-inf")

    def look_again(self, symbols: Collection[Symbol] = ()) -> None:
        """There may be new ones, and these are asked for next."""
        self._looked_up.clear()
        if symbols:
            self._look_up(symbols)

    def newest(self, symbol: Symbol) -> Bar | None:
        """The last bar there was when it was first asked for since `look_again`."""
        if symbol not in self._looked_up:
            self._look_up((symbol,))
        return self._looked_up[symbol]

    def _look_up(self, symbols: Collection[Symbol]) -> None:
        stand = bars.newest(self._read, symbols)
        for symbol in symbols:
            self._looked_up[symbol] = self._newest_of(symbol, stand.get(symbol))

    def _newest_of(self, symbol: Symbol, stands: tuple[int, bytes] | None) -> Bar | None:
        if stands is None:
            return None
        known = self._newest.get(symbol)
        if known is None or known[0] != stands:
            found = bars.load(self._read, symbol, dt.date(stands[0], 12, 31), 0)
            if found is None:  # they have just been taken away
                return None
            known = self._newest[symbol] = stands, exact(found, len(found) - 1)
        return known[1]

    def between(self, symbol: Symbol, after: dt.date, last: dt.date) -> list[Bar]:
        """All bars after one session up to another, in order."""
        found = bars.load(self._read, symbol, last, last.year - after.year)
        return [] if found is None else [exact(found, row) for row in range(len(found)) if found.sessions[row] > after]

    def stale(self, session: dt.date) -> dt.date | None:
        """The market's time, where this session is too long before it to be the present."""
        if self._clock.monotonic() >= self._looked + LOOK_AGAIN:
            self._market_time, self._looked = bars.market_time(self._read), self._clock.monotonic()
        now = self._market_time
        return now if now is not None and (now - session).days > LONGEST_GAP else None
