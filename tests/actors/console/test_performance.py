"""How the portfolio has done, from a real database to what a person sees of it."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from actors.console import terminal
from actors.console.chart import as_svg
from actors.console.encoding import encoded
from actors.console.performance import NoBenchmark, Shown, measured
from actors.console.performance_page import print_performance
from actors.domain.equity import NothingHeld
from messages.database import Statement
from messages.market import Bars
from messages.trading import Holding
from messages.values import CorrelationId, Symbol
from storage import bars, ledger
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import WriteConnection
from tests.actors.domain import making
from tests.actors.domain.making import ACME, LAST

SPY = Symbol("SPY")
FIXED = {"price_source": "csv", "currency": "USD"}
ROUND = CorrelationId("c" * 32)
SVG = "{http://www.w3.org/2000/svg}"


def micros(back: int) -> int:
    """Noon so many days before the last session."""
    noon = dt.datetime.combine(LAST - dt.timedelta(back), dt.time(12), tzinfo=dt.UTC)
    return int(noon.timestamp()) * 1_000_000


@pytest.fixture
def connection(home: Home) -> Iterator[WriteConnection]:
    """Twenty sessions in which ACME goes up from 100 to 119, and SPY stays where it is."""
    opened = open_for_writing(home, FIXED, 0)
    read = Reader(opened.path)
    rising = making.bars([100.0 + number for number in range(20)])
    opened.commit([bars.replace(read, ACME, rising), bars.replace(read, SPY, making.bars([50.0] * 20))])
    yield opened
    opened.close()


@pytest.fixture
def read(connection: WriteConnection) -> Reader:
    return Reader(connection.path)


def opened(connection: WriteConnection, back: int = 9, cash: str = "1000") -> None:
    """10 shares, at the close of so many sessions before the last."""
    connection.commit(
        [ledger.opening([Holding(ACME, Decimal(10), Decimal(90), None)], Decimal(cash), "f", ROUND, micros(back))]
    )


def asked(connection: WriteConnection, back: int, dollars: int) -> None:
    connection.commit(
        [
            [
                Statement(
                    """INSERT INTO claude_questions (id, correlation_id, purpose, model, reserved, asked_at)
                    VALUES ('q', 'c', 'chat', 'm', ?, ?)""",
                    (dollars * 10**9, micros(back)),
                )
            ]
        ]
    )


def page(shown: Shown) -> list[str]:
    with terminal.out.capture() as captured:
        print_performance(shown)
    return [" ".join(line.split()) for line in captured.get().splitlines()]


def test_the_portfolio_is_measured_from_its_opening_on(connection: WriteConnection, read: Reader) -> None:
    """At 110, nine sessions before the last, 10 shares and 1,000 are 2,100; at 119 they are 2,190."""
    opened(connection)

    found = measured(read, FIXED).performance

    assert (found.first, found.last, found.sessions) == (LAST - dt.timedelta(9), LAST, 10)
    assert [each.equity for each in found.curve] == [2100 + 10 * number for number in range(10)]
    assert [each.equity for each in found.curve] == [each.alone for each in found.curve]
    assert found.own.total == pytest.approx(2190 / 2100 - 1)
    assert found.own == found.alone


def test_an_import_on_a_desk_whose_prices_ended_long_ago_counts_for_the_last_session(
    connection: WriteConnection, read: Reader
) -> None:
    opened(connection, back=-4_000)

    found = measured(read, FIXED).performance

    assert (found.first, found.sessions, found.own.value) == (LAST, 1, Decimal(2190))


def test_an_import_before_all_prices_counts_for_the_first_session(connection: WriteConnection, read: Reader) -> None:
    opened(connection, back=4_000)

    assert measured(read, FIXED).performance.sessions == 20


def test_what_claude_has_cost_counts_where_the_desk_keeps_dollars(connection: WriteConnection, read: Reader) -> None:
    opened(connection)
    asked(connection, 5, 21)

    dollars, euros = measured(read, FIXED), measured(read, FIXED | {"currency": "EUR"})

    assert (dollars.claude_counts, dollars.performance.claude) == (True, Decimal(21))
    total, after = dollars.performance.own.total, dollars.performance.after_claude
    assert total is not None
    assert after is not None
    assert after == pytest.approx((2190 - 21) / 2100 - 1)
    assert (euros.claude_counts, euros.performance.claude) == (False, Decimal(0))
    assert "What Claude has cost, in dollars, is not set against EUR" in page(euros)


def test_a_benchmark_is_named_as_a_person_writes_it_and_one_without_prices_is_refused(
    connection: WriteConnection, read: Reader
) -> None:
    opened(connection)

    shown = measured(read, FIXED, None, " spy ")

    assert shown.benchmark == "SPY"
    assert {each.benchmark for each in shown.performance.curve} == {2100}
    with pytest.raises(NoBenchmark, match=r"--benchmark IBM: there are no prices of it; name it in desk\.toml"):
        measured(read, FIXED, None, "IBM")


def test_without_an_opening_there_is_nothing_to_measure(read: Reader) -> None:
    with pytest.raises(NothingHeld, match="nothing was ever held here"):
        measured(read, FIXED)


def test_cash_alone_is_a_portfolio_that_stands_still(connection: WriteConnection, read: Reader) -> None:
    connection.commit([ledger.opening([], Decimal(5), "f", ROUND, micros(3))])

    found = measured(read, FIXED).performance

    assert [each.equity for each in found.curve] == [5, 5, 5, 5]
    assert found.own.missing["sharpe"] == "returns do not vary"


def test_the_page_has_the_curves_side_by_side(connection: WriteConnection, read: Reader) -> None:
    opened(connection)

    lines = page(measured(read, FIXED, LAST - dt.timedelta(4), "SPY"))

    assert lines[:5] == [
        "Performance from 2013-02-25 to 2013-03-01, 5 sessions, in USD, net of fees",
        "this desk left alone SPY",
        "value at the end 2,190.00 2,190.00 2,150.00",
        "time-weighted return +1.86 % +1.86 % +0.00 %",
        "a year - - -",
    ]
    assert "money-weighted return +1.86 % +1.86 % +0.00 %" in lines
    assert "No fall: it never fell" in lines
    assert "No Sharpe ratio of SPY: returns do not vary" in lines
    assert "Put in 2,150.00, gained 40.00; fees 0.00: +1.86 % before them" in lines
    assert "Against the same holdings left alone: +0.00 points" in lines
    assert "Against the same money in SPY: +1.86 points" in lines
    assert "Traded 0 times, 0.00 a session: bought 0.00, sold 0.00; turnover 0.00 %" in lines
    assert lines[-5:] == [
        "2013-02-25 2,150.00 2,150.00 2,150.00 2,150.00 +0.00 %",
        *(f"2013-0{day} 2,{each}.00 2,{each}.00 2,150.00 +0.00 %" for day, each in
          (("2-26", 160), ("2-27", 170), ("2-28", 180), ("3-01", 190))),
    ]  # fmt: skip


def test_what_is_not_as_it_should_be_is_said(connection: WriteConnection, read: Reader) -> None:
    """ACME, split 2 to 1, has no prices any more in the last nine of twenty sessions."""
    own = making.bars([100.0] * 5 + [50.0] * 15, adj_close=[50.0] * 20)
    few = Bars(
        *(getattr(own, each)[:11] for each in ("sessions", "open", "high", "low", "close", "volume", "adj_close"))
    )
    connection.commit([bars.replace(read, ACME, few)])
    opened(connection, back=19)

    lines = page(measured(read, FIXED))

    assert lines[-2:] == [
        "ACME: its close of 2013-02-20 stood in for missing ones, up to 9 sessions later; bring its prices up to date",
        "ACME: prices show a split of 2 new shares for an old one on 2013-02-15 that the books do not have; "
        "from then on the figures are wrong",
    ]


def test_as_json_money_is_exact_and_every_day_is_there(connection: WriteConnection, read: Reader) -> None:
    opened(connection, cash="0.000000001")

    text = encoded(measured(read, FIXED)).decode()

    assert '"value":"1190.000000001"' in text
    assert text.count('"equity":') == 10


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def test_the_picture_has_a_line_for_each_curve_with_a_point_for_each_day(
    connection: WriteConnection, read: Reader
) -> None:
    opened(connection)

    picture = ElementTree.fromstring(as_svg(measured(read, FIXED, None, "SPY")))

    lines = [each.attrib["points"].split() for each in picture.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [10] * 4
    spy, alone, own, falls = [[float(point.split(",")[1]) for point in points] for points in lines]
    assert own == alone == sorted(own, reverse=True)
    assert len(set(spy)) == len(set(falls)) == 1
    assert own[0] == spy[0] > own[-1]
    for name in ("this desk: 2,190.00 (+4.29 %)", "the same money in SPY: 2,100.00 (+0.00 %)", "2013-02-20", "2,140"):
        assert name in texts(picture)
    widest = max(float(point.split(",")[0]) for points in lines for point in points)
    assert widest < float(picture.attrib["width"])


def test_the_picture_of_one_day_has_points(connection: WriteConnection, read: Reader) -> None:
    opened(connection, back=0)

    picture = ElementTree.fromstring(as_svg(measured(read, FIXED)))

    assert len(list(picture.iter(f"{SVG}circle"))) == 3


def test_a_picture_without_returns_says_why(connection: WriteConnection, read: Reader) -> None:
    opened(connection, cash="-5000")

    shown = measured(read, FIXED)

    assert "there is no return on -3900.00, the equity of 2013-02-20" in texts(ElementTree.fromstring(as_svg(shown)))
    reason = "there is no return on -3900.00, the equity of 2013-02-20"
    of_it = "time-weighted return, return a year, fall, volatility, Sharpe ratio, Sortino ratio, Calmar ratio"
    assert f"No {of_it}: {reason}" in page(shown)
