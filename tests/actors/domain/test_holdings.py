"""Holdings as a file: exact, or refused by line, and then nothing of it is taken."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.holdings import BadHoldings, HoldingsFile, Line, parse
from actors.domain.rows import BadRows


def read(*lines: str, header: str = "symbol,quantity,cost,acquired") -> HoldingsFile:
    return parse("\n".join((header, *lines)) + "\n", "mine.csv", "USD")


def complaint(*lines: str, header: str = "symbol,quantity,cost,acquired") -> str:
    with pytest.raises((BadHoldings, BadRows)) as refused:
        read(*lines, header=header)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_holdings_and_cash_are_read() -> None:
    found = read("aapl,25,260.83,2010-06-01", "MSFT, 0.000000001 ,17.53,", "CASH:USD,10000.01,1,")

    assert found == HoldingsFile(
        "mine.csv",
        (
            Line(2, "AAPL", Decimal(25), Decimal("260.83"), dt.date(2010, 6, 1)),
            Line(3, "MSFT", Decimal("0.000000001"), Decimal("17.53"), None),
        ),
        Decimal("10000.01"),
    )


def test_the_date_may_be_left_out_of_the_file_or_of_a_line() -> None:
    assert read("AAPL,1,2", header="symbol,quantity,cost").lines == read("AAPL,1,2").lines


def test_a_byte_order_mark_windows_line_ends_capitals_and_empty_lines_are_fine() -> None:
    found = parse("\ufeffSymbol, Quantity,COST\r\n\r\nAAPL,1,2\r\n,,\r\n", "mine.csv", "USD")

    assert [(line.number, line.name) for line in found.lines] == [(3, "AAPL")]


def test_a_cost_of_nothing_and_cash_of_nothing_are_fine() -> None:
    assert read("AAPL,1,0", "CASH:USD,0,1").cash == 0


def test_cash_in_the_desks_own_currency_whatever_that_is() -> None:
    assert parse("symbol,quantity,cost\nCASH:EUR,7,1\n", "mine.csv", "EUR").cash == 7


@pytest.mark.parametrize(
    "header",
    [
        "",
        "symbol,quantity",
        "symbol,quantity,price",
        "symbol;quantity;cost",
        "symbol,quantity,cost,acquired,x",
        "a,1,2",
    ],
)
def test_another_header_is_refused(header: str) -> None:
    assert complaint("AAPL,1,2", header=header) == (
        f"mine.csv line 1: the header is {header!r}; write symbol,quantity,cost[,acquired]"
    )


@pytest.mark.parametrize("column", ["quantity", "cost"])
@pytest.mark.parametrize(
    "text",
    ["-1", "NaN", "sNaN", "inf", "-Infinity", "1e300", "1e1000000", "1e-1000000", "0.0000000001", "1.0000000001",
     "9300000000", "", "ten", "$5", "1 000", "0x10", "1.000.000", "1_000", "1e3",
     "٣", "+1", "."],
)  # fmt: skip
def test_what_is_not_an_exact_amount_is_refused_by_line_and_column(column: str, text: str) -> None:
    row = f"MSFT,{text},2" if column == "quantity" else f"MSFT,2,{text}"

    assert complaint("AAPL,1,2", row, "IBM,1,1") == (
        f"mine.csv line 3: {column} is {text!r}; write a number from 0 to 9.2e9 with at most nine decimals"
    )


SENTENCES = [
    ("MSFT,0,2", "the quantity of MSFT is 0; leave the line out"),
    (",1,2", "has no symbol"),
    ("MSFT,1", "has 2 fields, the header 4; write one for each"),
    ("MSFT,1,2,2013-03-01,x", "has 5 fields, the header 4; write one for each"),
    ("MSFT,1,2,yesterday", "acquired is 'yesterday'; write a date such as 2013-03-01"),
    ("MSFT,1,2,2013-02-30", "acquired is '2013-02-30'; write a date such as 2013-03-01"),
    ("MSFT,1,2,2013-3-1", "acquired is '2013-3-1'; write a date such as 2013-03-01"),
    ("MSFT,1,2,20130301", "acquired is '20130301'; write a date such as 2013-03-01"),
    ("MSFT,1,2,2013-W09-5", "acquired is '2013-W09-5'; write a date such as 2013-03-01"),
    ("MSFT,1,2,٢٠١٣-03-01", "acquired is '٢٠١٣-03-01'; write a date such as 2013-03-01"),
    ("MSFT,1,2,0000-03-01", "acquired is '0000-03-01'; write a date such as 2013-03-01"),
    ("aapl,1,2", "AAPL stands in line 2 already; add them up"),
    ("CASH:EUR,5,1", "cash in EUR; this desk keeps its books in USD"),
    ("CASH:,5,1", "cash in ; this desk keeps its books in USD"),
    ("CASH:USD,5,2", "the cost of cash is 2; write 1"),
    ("MSFT,9e9,2", "quantity is '9e9'; write a number from 0 to 9.2e9 with at most nine decimals"),
    ("MSFT,99999,99999", "MSFT has cost 99999 times 99999, and 9999800001 is not an amount between -9.2e9 and 9.2e9"),
    ("CASH:USD,-5,1", "quantity is '-5'; write a number from 0 to 9.2e9 with at most nine decimals"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "sentence"), SENTENCES)
def test_whatever_is_wrong_with_a_line_is_said_with_its_number(row: str, sentence: str) -> None:
    assert complaint("AAPL,1,2", row, "IBM,1,1") == f"mine.csv line 3: {sentence}"


def test_cash_named_twice_is_refused() -> None:
    assert (
        complaint("CASH:USD,1,1", "cash:usd,2,1") == "mine.csv line 3: CASH:USD stands in line 2 already; add them up"
    )


@pytest.mark.parametrize("lines", [(), ("", ",,")])
def test_a_file_that_holds_nothing_is_refused(lines: tuple[str, ...]) -> None:
    assert complaint(*lines) == "mine.csv: holds nothing; write a line for each holding, or CASH:USD,amount,1"


def test_a_file_of_ten_megabytes_is_refused_unread() -> None:
    assert complaint("x" * 10_000_000) == "mine.csv: has 10.0 MB; holdings may have 1"


def test_a_field_that_never_ends_is_refused() -> None:
    assert complaint("x" * 200_000).startswith("mine.csv line 2: ")
    assert complaint(header="x" * 200_000).startswith("mine.csv line 1: ")


@given(st.text(max_size=60))
def test_whatever_a_person_writes_is_read_or_refused(text: str) -> None:
    try:
        read(*text.splitlines())
        parse(text, "mine.csv", "USD")
    except (BadHoldings, BadRows) as refused:
        assert str(refused).startswith("mine.csv")  # noqa: PT017


@given(st.decimals(Decimal("1e-9"), Decimal("9200000000"), places=9))
def test_a_quantity_is_read_exactly(quantity: Decimal) -> None:
    assert read(f"AAPL,{quantity:f},1").lines[0].quantity == quantity


def test_a_line_break_between_quotation_marks_is_named_by_its_line() -> None:
    assert complaint("AAPL,1,2,", '"MSFT\n",1,2,', "IBM,1,1,") == (
        "mine.csv line 3: has a line break between quotation marks; leave it out"
    )
