"""Comma-separated text: the n-th row is line n, or the line is named that breaks this."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.rows import BadRows, day, rows


def complaint(text: str) -> str:
    with pytest.raises(BadRows) as refused:
        rows(text, "a.csv")
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_fields_are_read_with_their_quotation_marks_resolved() -> None:
    assert rows('a,"b,c"\n"d ""e""", f \n', "a.csv") == [["a", "b,c"], ['d "e"', " f "]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system_and_empty_ones_in_between_count(end: str) -> None:
    assert rows(end.join(["a,b", "", "c"]), "a.csv") == [["a", "b"], [], ["c"]]


@pytest.mark.parametrize("text", ["", "\n", "\n\r\n\n", "\ufeff"])
def test_nothing_is_no_rows(text: str) -> None:
    assert rows(text, "a.csv") == []


def test_empty_lines_at_the_end_are_left_out() -> None:
    assert rows("a\n\n\n\n", "a.csv") == [["a"]]


def test_a_byte_order_mark_is_left_out() -> None:
    assert rows("\ufeffa,b\n", "a.csv") == [["a", "b"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_break_between_quotation_marks_is_named_by_its_line(end: str) -> None:
    assert complaint(f'a,b{end}c,"d{end}e"{end}f,g{end}') == (
        "a.csv line 2: has a line break between quotation marks; leave it out"
    )


def test_a_quotation_mark_that_is_never_closed_is_named() -> None:
    assert complaint('a,b\n"c,d') == "a.csv line 2: unexpected end of data; is a quotation mark never closed?"


def test_what_follows_a_closing_quotation_mark_is_named_by_its_line() -> None:
    assert complaint('a,b\n"c"d,e\n').startswith("a.csv line 2: ")


def test_a_field_that_never_ends_is_named_by_its_line() -> None:
    assert complaint("a\n" + "x" * 200_000).startswith("a.csv line 2: field larger than field limit")


@given(st.text(alphabet=st.sampled_from('ab,"\r\n\0\ufeff '), max_size=40))
def test_whatever_is_written_is_read_or_refused_by_a_line_that_is_there(text: str) -> None:
    try:
        found = rows(text, "a.csv")
    except BadRows as refused:
        number = int(str(refused).removeprefix("a.csv line ").partition(":")[0])
        assert 1 <= number <= len(text.splitlines()) + 1
    else:
        assert len(found) <= len(text.splitlines())


def test_a_day_is_written_in_one_way() -> None:
    assert day("2013-03-01") == dt.date(2013, 3, 1)


@pytest.mark.parametrize(
    "text",
    ["", "2013-3-1", "20130301", "2013-W09-5", "2013-060", "0000-03-01", "2013-02-29", "2013-03-01 ", "2013-03-01\n",
     "2013-03-01T00:00", "\u0662\u0660\u0661\u0663-03-01"],
)  # fmt: skip
def test_another_way_to_write_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        day(text)
