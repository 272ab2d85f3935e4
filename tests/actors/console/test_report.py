"""What `once --json` prints: exactly the documented keys, exact amounts, no NaN."""

import json
import re
from typing import Any

import msgspec
import pytest

from actors.console import queues
from actors.console.imports import import_sample
from actors.console.report import NoRound, report
from actors.settings.reading import Settings
from messages.trading import Valuation
from messages.values import CorrelationId
from storage import valuations
from storage.connections import Reader
from storage.home import Home
from tests.desks import StagedDesk, prices, walk

Json = dict[str, Any]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The sample desk's round, as a program reads it."""
    home = Home(tmp_path_factory.mktemp("report"))
    desk = StagedDesk(home).start()
    import_sample(desk.access)
    made = desk.once()
    desk.stop()
    found: Json = json.loads(msgspec.json.encode(made), parse_constant=pytest.fail)
    return found


def by_symbol(printed: Json, symbol: str) -> Json:
    found: Json = next(each for each in printed["recommendations"] if each["symbol"] == symbol)
    return found


def test_the_keys_are_the_documented_ones_in_their_order(printed: Json) -> None:
    assert list(printed) == [
        "schema", "source", "as_of", "currency", "value", "cash", "positions", "claude", "recommendations"
    ]  # fmt: skip
    assert [list(each) for each in printed["positions"]] == [
        ["symbol", "quantity", "price", "value", "weight", "unrealised"]
    ] * 5
    assert list(printed["claude"]) == ["state", "cause", "cost_usd"]
    assert [list(each) for each in printed["recommendations"]] == [
        ["id", "symbol", "action", "analyst", "conviction", "horizon_days", "target", "stop", "thesis", "cause",
         "cited", "cost_usd", "hindsight", "facts", "missing"]
    ] * 5  # fmt: skip
    for each in printed["recommendations"]:
        assert {tuple(fact) for fact in each["facts"]} == {("id", "name", "value", "unit", "as_of", "source")}
        assert {tuple(lack) for lack in each["missing"]} <= {("name", "needs", "has")}


def test_it_is_the_sample_portfolio_at_its_last_session(printed: Json) -> None:
    assert (printed["schema"], printed["source"], printed["as_of"], printed["currency"]) == (
        1, "sample", "2013-03-01", "USD"
    )  # fmt: skip
    assert (printed["cash"], printed["value"]) == ("10000", "51104.43")
    assert printed["positions"][0] == {
        "symbol": "AAPL", "quantity": "25", "price": "430.47", "value": "10761.75",
        "weight": 0.210584, "unrealised": "4241.00",
    }  # fmt: skip
    assert printed["claude"]["state"] == "off"
    assert printed["claude"]["cost_usd"] == "0"


def test_amounts_are_strings_and_figures_are_finite_numbers(printed: Json) -> None:
    exact = re.compile(r"-?\d+(\.\d+)?")

    for position in printed["positions"]:
        assert all(exact.fullmatch(position[name]) for name in ("quantity", "price", "value", "unrealised"))
        assert isinstance(position["weight"], float)
    for each in printed["recommendations"]:
        assert all(each[name] is None or exact.fullmatch(each[name]) for name in ("target", "stop", "cost_usd"))
        assert all(type(fact["value"]) is float for fact in each["facts"])
    assert sum(position["weight"] for position in printed["positions"]) < 1


def test_abstaining_has_a_cause_and_nothing_else(printed: Json) -> None:
    facebook = by_symbol(printed, "FB")

    assert facebook["action"] == "ABSTAIN"
    for name in ("conviction", "horizon_days", "target", "stop", "thesis"):
        assert facebook[name] is None
    assert facebook["cited"] == []
    assert facebook["cause"].startswith("missing_facts: sma_200 needs 200 sessions and has 196")
    assert {"name": "sma_200", "needs": 200, "has": 196} in facebook["missing"]


def test_a_view_has_a_thesis_with_its_figures_and_cites_facts_that_are_there(printed: Json) -> None:
    for symbol in ("AAPL", "GOOG", "IBM", "MSFT"):
        each = by_symbol(printed, symbol)
        assert each["cause"] is None
        assert each["thesis"]
        assert "{" not in each["thesis"]
        assert 0 <= each["conviction"] <= 1
        assert set(each["cited"]) <= {fact["id"] for fact in each["facts"]}
        assert (each["analyst"], each["hindsight"], each["cost_usd"]) == ("rules", True, "0")


NAMES = [
    "close", "sma_50", "sma_200", "close_vs_sma_50", "close_vs_sma_200", "rsi_14", "macd", "macd_signal",
    "macd_histogram", "atr_14", "adx_14", "bollinger_upper", "bollinger_middle", "bollinger_lower", "volatility_63",
    "volatility_252", "max_drawdown_252", "return_21", "return_252", "correlation_252", "weight",
]  # fmt: skip
GOLDEN = {
    "rsi_14": 33.3379, "macd": -12.0917, "macd_signal": -11.5845, "macd_histogram": -0.507172, "atr_14": 11.8017,
    "bollinger_upper": 480.097, "bollinger_middle": 454.982, "bollinger_lower": 429.868, "sma_200": 569.792,
    "adx_14": 31.9572, "volatility_252": 0.32768, "max_drawdown_252": -0.38048, "return_252": -0.18414,
    "return_21": -0.05237,
}  # fmt: skip


def test_the_facts_have_the_documented_names_and_the_golden_values(printed: Json) -> None:
    apple = by_symbol(printed, "AAPL")
    values = {fact["name"]: fact["value"] for fact in apple["facts"]}

    # Of correlation all 252 sessions must have both sides, and FB has 196.
    assert set(NAMES) - set(values) == {lack["name"] for lack in apple["missing"]} & set(NAMES)
    assert set(NAMES) - set(values) <= {"correlation_252"}
    assert {name: values[name] for name in GOLDEN} == pytest.approx(GOLDEN, rel=2e-5, abs=5e-6)
    assert [fact["id"] for fact in apple["facts"]] == [f"f{n}" for n in range(1, len(values) + 1)]


def test_own_prices_are_not_hindsight(home: Home) -> None:
    prices(home.path / "prices", "AAPL", *walk(3))
    desk = StagedDesk(home, Settings(source="csv", folder=home.path / "prices", watch=("AAPL",))).start()

    made = desk.once()

    assert (made.source, made.recommendations[0].hindsight) == ("csv", False)


def test_a_round_that_was_never_made_is_named(desk: StagedDesk) -> None:
    with pytest.raises(NoRound, match="round nowhere: has no valuation"):
        report(desk.read, CorrelationId("nowhere"), "sample")


def test_a_report_is_of_one_moment(desk: StagedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.import_text("symbol,quantity,cost\nAAPL,10,100\n")
    queues.order(desk.access, "pause", "analysis")
    correlation_id, original = desk.begin(), valuations.load

    def load(read: Reader, round_: CorrelationId) -> Valuation | None:
        found = original(read, round_)
        queues.order(desk.access, "resume", "analysis")
        desk.system.advance(1)
        return found

    monkeypatch.setattr(valuations, "load", load)
    early, late = (report(desk.read, correlation_id, "sample") for _ in range(2))

    assert (len(early.recommendations), len(late.recommendations)) == (0, 1)
