"""Comma-separated text as rows that can be named by their line."""

import csv
import datetime as dt
import io
import re
from typing import Final

from messages.errors import TroupeError

DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class BadRows(TroupeError):
    """Text that is not such rows; the message names place and line."""


def rows(text: str, place: str) -> list[list[str]]:
    """The fields of each line, the n-th row being line n; empty lines at the end are left out. Raises BadRows."""
    reader, found = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True), list[list[str]]()
    try:
        for row in reader:
            found.append(row)
            if reader.line_num != len(found):
                raise BadRows(f"{place} line {len(found)}: has a line break between quotation marks; leave it out")
    except csv.Error as error:
        raise BadRows(f"{place} line {len(found) + 1}: {error}; is a quotation mark never closed?") from None
    while found and not found[-1]:
        found.pop()
    return found


def day(text: str) -> dt.date:
    """A date written YYYY-MM-DD, and in none of the other ways that ISO 8601 and Python have. Raises ValueError."""
    if not DAY.fullmatch(text):
        raise ValueError(f"{text!r} is not written YYYY-MM-DD")
    return dt.date.fromisoformat(text)
