"""Prices as text: read as they stand, or refused by file and line."""

import datetime as dt

import numpy as np
import pytest

from actors.domain.rows import BadRows
from actors.market.prices import BadPrices, parse
from messages.market import Bars

HEADER = "date,open,high,low,close,volume"
ROW = "2013-03-01,438,438.18,429.98,430.47,19730300"


def parsed(*lines: str) -> Bars:
    return parse("".join(f"{line}\n" for line in lines), "AAPL.csv")


def read(*lines: str) -> str:
    """The complaint about these lines."""
    with pytest.raises((BadPrices, BadRows)) as refused:
        parsed(*lines)
    return str(refused.value)


def test_a_line_a_session_without_adjusted_closes() -> None:
    bars = parsed(HEADER, "2013-02-28,444.05,447.87,441.4,441.4,11518400", ROW)

    assert bars.sessions.tolist() == [dt.date(2013, 2, 28), dt.date(2013, 3, 1)]
    assert [column[1] for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)] == [
        438, 438.18, 429.98, 430.47, 19730300
    ]  # fmt: skip
    assert bars.adj_close.tolist() == bars.close.tolist() == [441.4, 430.47]


def test_a_line_a_session_with_adjusted_closes() -> None:
    bars = parsed(HEADER + ",adj_close", ROW + ",56.14")

    assert (bars.close.tolist(), bars.adj_close.tolist()) == ([430.47], [56.14])


def test_nobody_can_write_to_what_was_read() -> None:
    bars = parsed(HEADER, ROW)

    for column in (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.adj_close):
        assert not column.flags.writeable


def test_header_and_fields_may_have_capitals_and_spaces_around_them() -> None:
    bars = parsed(" Date, Open ,HIGH,low,close,Volume", ROW.replace(",", " , "))

    assert len(bars) == 1


def test_what_cannot_be_true_is_read_all_the_same() -> None:
    bars = parsed(HEADER, "2013-03-01,nan,inf,-1,0,1e300")

    assert np.isnan(bars.open[0])
    assert (bars.high[0], bars.low[0], bars.close[0], bars.volume[0]) == (np.inf, -1, 0, 1e300)


@pytest.mark.parametrize(
    "header",
    ["", "date,open,high,low,close", "date,close", "2013-03-01,1,1,1,1,1", f"{HEADER},adj close",
     f"{HEADER},adj_close,x", "date;open;high;low;close;volume", "open,date,high,low,close,volume"],
)  # fmt: skip
def test_another_header_is_refused(header: str) -> None:
    assert read(header, ROW) == f"AAPL.csv line 1: the header is {header!r}; write {HEADER}[,adj_close]"


def test_a_file_of_nothing_is_refused() -> None:
    with pytest.raises(BadPrices, match="line 1: the header is ''"):
        parse("", "AAPL.csv")


def test_a_header_alone_is_refused() -> None:
    assert read(HEADER) == read(HEADER, "", "") == "AAPL.csv: has no prices; write a line for each session"


@pytest.mark.parametrize("row", [ROW + ",1", ROW.rpartition(",")[0], "2013-03-01"])
def test_a_line_with_another_number_of_fields_is_named(row: str) -> None:
    fields = row.count(",") + 1

    assert read(HEADER, ROW, row) == f"AAPL.csv line 3: has {fields} fields, the header 6; write one for each"


@pytest.mark.parametrize(
    "row",
    ["2013-02-30,1,1,1,1,1", "2013-03-01,1_0,1,1,1,1", "2013-03-01,\u0661,1,1,1,1",
     "01.03.2013,1,1,1,1,1", "20130301,1,1,1,1,1", "2013,1,1,1,1,1", "2013-03,1,1,1,1,1",
     ",1,1,1,1,1", "now,1,1,1,1,1", "today,1,1,1,1,1", "0020130301,1,1,1,1,1", "2013-03-01T10,1,1,1,1,1",
     "0000-03-01,1,1,1,1,1", "2013-W01-1,1,1,1,1,1", "2013-03-0\u0661,1,1,1,1,1", "2013-3-001,1,1,1,1,1",
     "2013-03-01,,1,1,1,1", "2013-03-01,1,1,1,1.0.0,1", "2013-03-01,1,1,1,$1,1", "date,open,high,low,close,volume"],
)  # fmt: skip
def test_what_is_not_a_date_and_figures_is_named_by_its_line(row: str) -> None:
    assert read(HEADER, ROW, row) == f"AAPL.csv line 3: {row!r} is not a date and figures"


def test_empty_lines_at_the_end_are_fine_and_in_between_are_named() -> None:
    assert len(parsed(HEADER, ROW, "", "")) == 1
    assert read(HEADER, ROW, "", ROW).startswith("AAPL.csv line 3: ")


def test_a_field_that_never_ends_is_named() -> None:
    assert read(HEADER, "x" * 200_000).startswith("AAPL.csv line 2: ")


def test_a_line_break_between_quotation_marks_is_named_by_its_line() -> None:
    row = ROW.replace("438,", '"438\n",', 1)

    assert read(HEADER, ROW, row, ROW) == ("AAPL.csv line 3: has a line break between quotation marks; leave it out")


def test_a_quotation_mark_that_is_never_closed_is_named() -> None:
    assert read(HEADER, ROW, '"' + ROW).startswith("AAPL.csv line 3: unexpected end of data")


def test_a_byte_order_mark_is_fine() -> None:
    assert len(parsed("\ufeff" + HEADER, ROW)) == 1
