"""Daily bars: table `bars`, one row for each symbol and year.

`columns` holds six arrays of n little-endian float64 (open, high, low, close, volume, adj_close) and then n int32, the
sessions in days since 1970, so that each column is read in place. Measured against rows: 49 to 74 times as fast.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from messages.database import Statement
from messages.market import Bars
from messages.values import Symbol
from storage.connections import DatabaseUnusable, Reader

FLOATS: Final = ("open", "high", "low", "close", "volume", "adj_close")
WIDTH: Final = 8 * len(FLOATS) + 4


def replace(read: Reader, symbol: Symbol, bars: Bars) -> tuple[Statement, ...]:
    """What makes the stored bars of a symbol these, touching only the years that differ."""
    years = bars.sessions.astype("datetime64[Y]").astype(np.int64) + 1970
    stored = dict(read.rows(tuple[int, bytes], "SELECT year, digest FROM bars WHERE symbol = ?", symbol))
    statements = list[Statement]()
    for year in np.unique(years).tolist():
        columns = _pack(bars, years == year)
        digest = hashlib.sha256(columns).digest()
        if stored.pop(year, None) != digest:
            statements.append(
                Statement(
                    """INSERT INTO bars (symbol, year, digest, columns) VALUES (?, ?, ?, ?)
                    ON CONFLICT (symbol, year) DO UPDATE SET digest = excluded.digest, columns = excluded.columns""",
                    (symbol, year, digest, columns),
                )
            )
    gone = (Statement("DELETE FROM bars WHERE symbol = ? AND year = ?", (symbol, year)) for year in stored)
    return (*statements, *gone)


def load(read: Reader, symbol: Symbol, until: dt.date, years: int) -> Bars | None:
    """The bars up to and including that session, from the start of the calendar year so many years before on.

    Raises DatabaseUnusable where a row is not what was written.
    """
    rows = read.rows(
        tuple[int, bytes, bytes],
        "SELECT year, digest, columns FROM bars WHERE symbol = ? AND year BETWEEN ? AND ? ORDER BY year",
        symbol, until.year - years, until.year,
    )  # fmt: skip
    parts = [_unpack(read, symbol, *row) for row in rows]
    if not parts:
        return None
    sessions = np.concatenate([sessions for sessions, _ in parts])
    floats = np.concatenate([floats for _, floats in parts], axis=1)[
        :, : np.searchsorted(sessions, np.datetime64(until), "right")
    ]
    if not floats.shape[1]:
        return None
    return Bars(sessions[: floats.shape[1]], *floats)


def last_session(read: Reader, symbol: Symbol) -> dt.date | None:
    """The session of the last bar there is."""
    ((year,),) = read.rows(tuple[int | None], "SELECT max(year) FROM bars WHERE symbol = ?", symbol)
    if year is None:
        return None
    bars = load(read, symbol, dt.date(year, 12, 31), 0)
    return None if bars is None else bars.sessions[-1].item()


def stand(read: Reader) -> dict[Symbol, tuple[int, bytes]]:
    """Of each symbol the last year there is, and what tells whether its bars have changed."""
    sql = "SELECT symbol, max(year), digest FROM bars GROUP BY symbol"  # the digest is that of the greatest year
    return {Symbol(symbol): (year, digest) for symbol, year, digest in read.rows(tuple[str, int, bytes], sql)}


@dataclass(frozen=True, slots=True)
class Last:
    """The newest bar of a symbol: its session, what it closed at, and how many shares changed hands."""

    session: dt.date
    close: float
    volume: float


def last(read: Reader, symbol: Symbol) -> Last | None:
    """The newest bar there is."""
    if (session := last_session(read, symbol)) is None:
        return None
    found = load(read, symbol, session, 0)
    assert found is not None, symbol
    return Last(session, float(found.close[-1]), float(found.volume[-1]))


def sessions(read: Reader, since: dt.date) -> list[dt.date]:
    """All sessions in which any symbol has a bar, in order, from the calendar year before that day's on.

    Where there are none any more by then, those of the last year there is. Symbols of one exchange have the same
    sessions, so of thousands a few arrays are left to look at.
    """
    rows = read.rows(
        tuple[bytes],
        f"""SELECT DISTINCT substr(columns, 1 + length(columns) / {WIDTH} * {WIDTH - 4}) FROM bars
        WHERE year >= min(?, (SELECT max(year) FROM bars))""",
        since.year - 1,
    )
    days = np.unique(np.concatenate([np.frombuffer(packed, "<i4") for (packed,) in rows] or [np.array([], "<i4")]))
    found: list[dt.date] = days.astype("datetime64[D]").tolist()
    return found


def newest(read: Reader, symbols: Iterable[Symbol]) -> dict[Symbol, tuple[int, bytes]]:
    """Of each of these the last year of which there are bars, and what tells whether they have changed."""
    sql = """SELECT symbol, max(year), digest FROM bars WHERE symbol IN (SELECT value FROM json_each(?))
        GROUP BY symbol"""  # the digest is that of the greatest year
    rows = read.rows(tuple[str, int, bytes], sql, msgspec.json.encode(list(symbols)).decode())
    return {Symbol(symbol): (year, digest) for symbol, year, digest in rows}


def market_time(read: Reader) -> dt.date | None:
    """The newest session of all symbols; None without any bar."""
    sql = "SELECT substr(columns, -4) FROM bars WHERE year = (SELECT max(year) FROM bars)"  # its last session
    return max((_day(tail) for (tail,) in read.rows(tuple[bytes], sql)), default=None)


def oldest_session(read: Reader, symbols: Iterable[Symbol]) -> dt.date | None:
    """Of these symbols' last sessions the oldest; None without any bar."""
    sql = """SELECT tail FROM (SELECT substr(columns, -4) AS tail, max(year) FROM bars
        WHERE symbol IN (SELECT value FROM json_each(?)) GROUP BY symbol)"""
    tails = read.rows(tuple[bytes], sql, msgspec.json.encode(list(symbols)).decode())
    return min((_day(tail) for (tail,) in tails), default=None)


def _day(packed: bytes) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(int.from_bytes(packed, "little"))


def symbols(read: Reader) -> list[str]:
    """All symbols of which there are bars."""
    return [symbol for (symbol,) in read.rows(tuple[str], "SELECT DISTINCT symbol FROM bars")]


def digest(read: Reader, symbols: Sequence[Symbol]) -> str:
    """What tells whether any bar of these symbols has changed."""
    whole = hashlib.sha256()
    for symbol in sorted(symbols):
        sql = "SELECT year, digest FROM bars WHERE symbol = ? ORDER BY year"
        for year, part in read.rows(tuple[int, bytes], sql, symbol):
            whole.update(f"{symbol} {year} {part!r};".encode())
    return whole.hexdigest()


def _pack(bars: Bars, rows: NDArray[np.bool_]) -> bytes:
    floats = [getattr(bars, name)[rows].astype("<f8").tobytes() for name in FLOATS]
    return b"".join((*floats, bars.sessions[rows].astype("datetime64[D]").astype("<i4").tobytes()))


def _unpack(
    read: Reader, symbol: Symbol, year: int, digest: bytes, columns: bytes
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    if hashlib.sha256(columns).digest() != digest:
        raise DatabaseUnusable(
            f"database {read.path}: damaged (bars of {symbol} in {year}); "
            "put a backup in its place or start in a new home"
        )
    length = len(columns) // WIDTH
    floats = np.frombuffer(columns, "<f8", len(FLOATS) * length).reshape(len(FLOATS), length)
    days = np.frombuffer(columns, "<i4", length, floats.nbytes)
    return days.astype("datetime64[D]"), floats
