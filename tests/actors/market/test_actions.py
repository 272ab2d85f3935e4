"""Splits and dividends as text: read exactly, or refused by file and line."""

import datetime as dt
from decimal import Decimal

import pytest

from actors.domain.rows import BadRows
from actors.market.actions import BadActions, parse
from messages.market import Action, ActionKind, Listed
from messages.values import Symbol

AAPL = Symbol("AAPL")
KNOWN = {"AAPL", "IBM"}
HEADER = "symbol,session,kind,value"
ROW = "AAPL,2005-02-28,split,2:1"


def parsed(*lines: str, symbol: Symbol = AAPL) -> tuple[Listed, ...]:
    return parse("".join(f"{line}\n" for line in lines), "actions.csv", symbol, KNOWN)


def complaint(*lines: str) -> str:
    with pytest.raises((BadActions, BadRows)) as refused:
        parsed(*lines)
    return str(refused.value)


def test_a_line_is_an_action_to_the_ninth_decimal_and_knows_its_place() -> None:
    found = parsed(
        HEADER, "aapl, 2012-08-09 ,Dividend,2.650000001", "IBM,whenever,gift,?", ROW, "AAPL,2020-01-02,split,1:7.5"
    )

    assert found == (
        Listed(Action(AAPL, dt.date(2012, 8, 9), ActionKind.DIVIDEND, Decimal("2.650000001")), "actions.csv line 2"),
        Listed(Action(AAPL, dt.date(2005, 2, 28), ActionKind.SPLIT, Decimal(2), Decimal(1)), "actions.csv line 4"),
        Listed(Action(AAPL, dt.date(2020, 1, 2), ActionKind.SPLIT, Decimal(1), Decimal("7.5")), "actions.csv line 5"),
    )


def test_there_may_be_none() -> None:
    assert parsed(HEADER) == parsed(HEADER, "", "") == parsed(HEADER, ROW, symbol=Symbol("IBM")) == ()


@pytest.mark.parametrize(
    "value", ["0", "-1", "NaN", "Infinity", "1e3", "1_0", "", "٣", "1.0000000001", "9300000000", "1,5"]
)
def test_what_is_no_amount_is_named_by_its_line(value: str) -> None:
    field = f'"{value}"'
    assert complaint(HEADER, f"AAPL,2012-08-09,dividend,{field}") == (
        f"actions.csv line 2: a dividend is {value!r}; write a number above 0 with at most nine decimals"
    )
    assert complaint(HEADER, ROW, f'AAPL,2012-08-09,split,"{value}:1"') == (
        f"actions.csv line 3: a side of a split is {value!r}; write a number above 0 with at most nine decimals"
    )
    assert "line 2: a side of a split is" in complaint(HEADER, f'AAPL,2012-08-09,split,"1:{value}"')


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("AAPL,2012-08-09,split,2", "a split is '2'; write new:old, such as 2:1"),
        ("AAPL,2012-08-09,split,2/1", "a split is '2/1'; write new:old, such as 2:1"),
        ("AAPL,2012-08-09,split,3:3.0", "a split 3:3.0 changes nothing; leave the line out"),
        ("AAPL,2012-08-09,merger,2:1", "kind is 'merger'; write dividend or split"),
        ("AAPL,9.8.2012,dividend,1", "session is '9.8.2012'; write a date such as 2013-03-01"),
        ("AAPL,2012-08-09,dividend", "has 3 fields, the header 4; write one for each"),
        ("AAPL,2012-08-09,dividend,1,2", "has 5 fields, the header 4; write one for each"),
        ("AAPPL,2012-08-09,dividend,1", "'AAPPL' has no file of prices here; put it there, or leave the line out"),
        ("AAPL,2005-02-28,split,3:1", "AAPL has a split of 2005-02-28 already, in actions.csv line 2"),
    ],
)
def test_what_cannot_be_understood_is_named_by_its_line(line: str, why: str) -> None:
    assert complaint(HEADER, ROW, line) == f"actions.csv line 3: {why}"


@pytest.mark.parametrize("header", ["", "symbol,date,kind,value", f"{HEADER},note", "AAPL,2005-02-28,split,2:1"])
def test_another_header_is_refused(header: str) -> None:
    assert complaint(header, ROW) == f"actions.csv line 1: the header is {header!r}; write {HEADER}"


def test_rubbish_is_refused() -> None:
    assert complaint(HEADER, 'AAPL,"2012').startswith("actions.csv line 2: ")
