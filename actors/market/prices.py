"""Daily bars as text: `date,open,high,low,close,volume[,adj_close]`, one line a session."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from actors.domain.rows import day, rows
from messages.errors import TroupeError
from messages.market import Bars

HEADER: Final = ("date", "open", "high", "low", "close", "volume")
ADJUSTED: Final = "adj_close"


class BadPrices(TroupeError):
    """A file of prices that cannot be read; the message names file and line."""


def parse(text: str, place: str) -> Bars:
    """The bars of one file, its first line being the header. Without `adj_close` the closes are taken as adjusted.

    Figures are read as they stand, NaN too: whether they can be true is for `actors.domain.bars.fault`.
    Raises BadPrices, BadRows.
    """
    first, *body = rows(text, place) or [list[str]()]
    header = [name.strip().lower() for name in first]
    if tuple(header) not in (HEADER, (*HEADER, ADJUSTED)):
        raise BadPrices(f"{place} line 1: the header is {','.join(header)!r}; write {','.join(HEADER)}[,{ADJUSTED}]")
    return bars(body, len(header), place)


def bars(body: Iterable[Sequence[str]], width: int, place: str, *, first_line: int = 2) -> Bars:
    """The bars of rows of text, dates and figures in the order of the header. Raises BadPrices."""
    days, figures = list[np.datetime64](), list[list[float]]()
    for line, row in enumerate(body, first_line):
        if len(row) != width:
            raise BadPrices(f"{place} line {line}: has {len(row)} fields, the header {width}; write one for each")
        try:
            days.append(np.datetime64(day(row[0].strip()), "D"))
            figures.append([_figure(field) for field in row[1:]])
        except ValueError:
            raise BadPrices(f"{place} line {line}: {','.join(row)!r} is not a date and figures") from None
    if not days:
        raise BadPrices(f"{place}: has no prices; write a line for each session")
    columns = np.array(figures, dtype=np.float64).T.copy()
    columns.setflags(write=False)
    opens, highs, lows, closes, volumes = columns[:5]
    adjusted = columns[5] if width == len(HEADER) + 1 else closes
    return Bars(np.array(days), opens, highs, lows, closes, volumes, adjusted)


def _figure(text: str) -> float:
    if "_" in text or not text.isascii():
        raise ValueError(text)  # Python reads 1_000 and the digits of other scripts, too
    return float(text)
