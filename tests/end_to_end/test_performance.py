"""`performance` on the sample desk: its figures against the prices themselves, and what it refuses."""

import datetime as dt
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import run
from tests.end_to_end.conftest import Undisturbed
from tests.end_to_end.places import Place, sample_lines

HELD = {"AAPL": 25, "MSFT": 300, "IBM": 40, "GOOG": 12, "FB": 150}
"""The sample holdings, beside 10,000 of cash."""
BEGAN, PAID, SOLD, LAST = "2012-06-01", "2012-08-01", "2012-11-15", "2013-03-01"


def micros(day: str) -> int:
    return int(dt.datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()) * 1_000_000


def rewritten(place: Place) -> None:
    """As if the books had been opened in 2012, 2,000 been paid in, and 10 AAPL, which had cost 260.83, been sold for
    5,260, of which 5 were fees; behind the back of all that keeps the ledger as it is."""
    guards = place.rows("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name GLOB 'ledger_*'")
    place.change(
        "".join(f"DROP TRIGGER {name};" for (name,) in guards)
        + f"""
        PRAGMA ignore_check_constraints = ON;
        UPDATE ledger_transactions SET at = {micros(BEGAN)};
        INSERT INTO ledger_transactions (id, kind, origin, correlation_id, at) VALUES
            (90, 'deposit', 'test', 'c', {micros(PAID)}), (91, 'trade', 'test', 'c', {micros(SOLD)});
        INSERT INTO ledger_entries (transaction_id, account, symbol, quantity, amount) VALUES
            (90, 'cash', NULL, 0, 2000000000000), (90, 'opening', NULL, 0, -2000000000000),
            (91, 'cash', NULL, 0, 5255000000000), (91, 'fees', NULL, 0, 5000000000),
            (91, 'holdings', 'AAPL', -10000000000, -2608300000000);
        """
    )


@pytest.fixture
def closes() -> dict[str, dict[str, Decimal]]:
    return {symbol: {row[0]: Decimal(row[4]) for row in sample_lines(symbol)} for symbol in HELD}


def test_of_the_sample_desk_it_shows_the_value_and_why_there_is_no_more(
    sample: Place, undisturbed: Undisturbed
) -> None:
    found = sample.run("performance", "--json").json["performance"]

    assert (found["first"], found["sessions"]) == (LAST, 1)
    assert found["own"]["value"] == undisturbed.report["value"]
    assert found["own"]["missing"]["sharpe"] == "two returns are needed, of three sessions"


def test_figures_agree_with_the_prices_themselves(sample: Place, closes: dict[str, dict[str, Decimal]]) -> None:
    rewritten(sample)

    ended = sample.run("performance", "--json", "--benchmark", "msft")

    assert ended.code == 0, ended
    found = ended.json["performance"]
    sessions = [day for day in closes["AAPL"] if day >= BEGAN]

    def worth(day: str, *, sold: bool) -> Decimal:
        shares = HELD | ({"AAPL": 15} if sold and day >= SOLD else {})
        cash = 10_000 + 2_000 * (day >= PAID) + 5_255 * (sold and day >= SOLD)
        return cash + sum((count * closes[symbol][day] for symbol, count in shares.items()), Decimal(0))

    assert [each["session"] for each in found["curve"]] == sessions
    assert [Decimal(each["equity"]) for each in found["curve"]] == [worth(day, sold=True) for day in sessions]
    assert [Decimal(each["alone"]) for each in found["curve"]] == [worth(day, sold=False) for day in sessions]
    growth = 1.0
    for before, day in pairwise(sessions):
        growth *= float(worth(day, sold=True) - 2_000 * (day == PAID)) / float(worth(before, sold=True))
    assert found["own"]["total"] == pytest.approx(growth - 1, rel=1e-12)
    assert (found["fees"], found["trading"]["sold"]) == ("5", "5260")
    assert (found["trading"]["closed"], found["trading"]["realised"]) == (1, "2646.7")
    assert found["own"]["total"] < found["before_fees"]
    adjusted = {row[0]: float(row[6]) for row in sample_lines("MSFT")}
    assert found["benchmark"]["total"] == pytest.approx(adjusted[LAST] / adjusted[BEGAN] - 1, rel=1e-9)


def test_it_is_printed_and_drawn_beside_a_desk_that_serves(sample: Place) -> None:
    sample.serve()

    ended = sample.run("performance", "--since", "2013-03-01", "--plot", "curves.svg")

    assert (ended.code, ended.lines) == (0, []), ended
    assert "Performance from 2013-03-01 to 2013-03-01, 1 session, in USD, net of fees" in ended.out
    assert "The curves are drawn in curves.svg." in ended.out
    assert ElementTree.parse(sample.path / "curves.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_picture_that_cannot_be_written_is_an_error_in_one_line(sample: Place) -> None:
    ended = sample.run("performance", "--plot", "nowhere/curves.svg")

    assert (ended.code, ended.lines) == (1, ["error: nowhere/curves.svg: No such file or directory"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "1.3.2013"], "--since: '1.3.2013' is not written YYYY-MM-DD"),
        (["--plot", "curves.png"], "--plot curves.png: write a name that ends in .svg; only SVG is drawn"),
    ],
)
def test_a_wrong_call_is_refused(options: list[str], said: str) -> None:
    ended = CliRunner().invoke(run.app, ["performance", *options])

    assert ended.exit_code == 2
    assert said in ended.output
