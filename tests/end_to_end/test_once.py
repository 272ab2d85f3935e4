"""`once`: what it prints, and that it prints it again."""

import datetime as dt
import json
import signal
from decimal import Decimal
from typing import Any, cast

import pytest

from tests.end_to_end.conftest import Undisturbed
from tests.end_to_end.places import NOTICE, Place, sample_lines, until

DATE, DECIMAL, ID, NUMBER, ONE, STRING = "date", "decimal", "id", "number", "0 to 1", "string"
POSITION = {
    "symbol": STRING, "quantity": DECIMAL, "price": DECIMAL, "value": DECIMAL, "weight": ONE, "unrealised": DECIMAL,
}  # fmt: skip
FACT = {"id": ID, "name": STRING, "value": NUMBER, "unit": STRING, "as_of": DATE, "source": STRING}
MISSING = {"name": STRING, "needs": 1, "has": 1}
VIEW = {"conviction": ONE, "horizon_days": 1, "target": DECIMAL, "stop": DECIMAL, "thesis": STRING}
RECOMMENDATION: dict[str, Any] = {
    "id": ID, "symbol": STRING, "action": STRING, "analyst": STRING, **VIEW, "cause": STRING, "cited": [ID],
    "cost_usd": DECIMAL, "hindsight": True, "facts": [FACT], "missing": [MISSING],
}  # fmt: skip
REPORT: dict[str, Any] = {
    "schema": 1, "source": STRING, "as_of": DATE, "currency": STRING, "value": DECIMAL, "cash": DECIMAL,
    "positions": [POSITION], "claude": {"state": STRING, "cause": STRING, "cost_usd": DECIMAL},
    "recommendations": [RECOMMENDATION],
}  # fmt: skip
NULLABLE = {"cause", *VIEW}

AAPL = {
    "rsi_14": 33.3379, "macd": -12.0917, "macd_signal": -11.5845, "macd_histogram": -0.507172, "atr_14": 11.8017,
    "bollinger_upper": 480.097, "bollinger_middle": 454.982, "bollinger_lower": 429.868, "sma_200": 569.792,
    "adx_14": 31.9572,
}  # fmt: skip
"""Agreed by three libraries, at the six significant digits that a fact has."""
AAPL_ROUGHLY = {"volatility_252": 0.32768, "max_drawdown_252": -0.38048, "return_252": -0.18414, "return_21": -0.05237}
DOCUMENTED = {
    "close", "sma_50", "sma_200", "close_vs_sma_50", "close_vs_sma_200", "rsi_14", "macd", "macd_signal",
    "macd_histogram", "atr_14", "adx_14", "bollinger_upper", "bollinger_middle", "bollinger_lower", "volatility_63",
    "volatility_252", "max_drawdown_252", "return_21", "return_252", "correlation_252", "weight",
}  # fmt: skip


def assert_keyed(value: dict[str, Any], shape: dict[str, Any], where: str) -> None:
    """Exactly these keys, in this order."""
    assert list(value) == list(shape), where
    for key, inner in shape.items():
        if not (key in NULLABLE and value[key] is None):
            assert_shaped(value[key], inner, f"{where}.{key}")


def assert_listed(value: list[Any], shape: list[Any], where: str) -> None:
    """A list, each of it like the one of the shape."""
    assert type(value) is list, where
    for number, each in enumerate(value):
        assert_shaped(each, shape[0], f"{where}[{number}]")


def assert_shaped(value: Any, shape: Any, where: str) -> None:
    """Exactly these keys, these types."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        assert_keyed(cast(dict[str, Any], value), cast(dict[str, Any], shape), where)
        return
    if isinstance(shape, list):
        assert_listed(value, shape, where)  # pyright: ignore[reportUnknownArgumentType]
        return
    match shape:
        case "date":
            assert dt.date.fromisoformat(value).isoformat() == value, where
        case "decimal":
            assert isinstance(value, str), where
            assert Decimal(value).is_finite(), where
        case "number" | "0 to 1":
            assert isinstance(value, float | int), where
            assert shape == NUMBER or 0 <= value <= 1, where
        case str():
            assert isinstance(value, str), where
            assert value, where
        case _:
            assert type(value) is type(shape), where


def of(report: Any, symbol: str) -> Any:
    """What is recommended for a symbol."""
    (found,) = [each for each in report["recommendations"] if each["symbol"] == symbol]
    return found


def facts(recommendation: Any) -> dict[str, float]:
    """Its facts by name."""
    return {fact["name"]: fact["value"] for fact in recommendation["facts"]}


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


def test_once_prints_one_object_on_standard_output_and_the_notice_on_standard_error(place: Place) -> None:
    ended = place.run("once", "--json")

    assert (ended.code, ended.err) == (0, NOTICE + "\n")
    assert_shaped(json.loads(ended.out, parse_constant=refuse_constant), REPORT, "report")


def test_once_for_people_opens_with_the_notice_and_shows_every_symbol(sample: Place) -> None:
    ended = sample.run("once")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == NOTICE
    for what in ("51,104.43 USD", "AAPL", "FB", "GOOG", "IBM", "MSFT", "10,000.00", "SELL", "ABSTAIN"):
        assert what in ended.out


def test_the_portfolio_adds_up(undisturbed: Undisturbed) -> None:
    report = undisturbed.report

    positions = report["positions"]

    assert [each["symbol"] for each in positions] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert report["value"] == "51104.43"
    assert report["cash"] == "10000"
    assert sum(Decimal(each["value"]) for each in positions) + 10_000 == Decimal(report["value"])
    for each in positions:
        assert Decimal(each["quantity"]) * Decimal(each["price"]) == Decimal(each["value"])
        assert each["weight"] == pytest.approx(float(Decimal(each["value"]) / Decimal(report["value"])), rel=1e-5)


def test_nothing_but_the_rules_has_answered(undisturbed: Undisturbed) -> None:
    claude = undisturbed.report["claude"]

    assert (claude["state"], claude["cost_usd"]) == ("off", "0")
    assert {each["analyst"] for each in undisturbed.report["recommendations"]} == {"rules"}


def test_the_facts_of_aapl_are_those_that_three_libraries_agree_on(undisturbed: Undisturbed) -> None:
    found = facts(of(undisturbed.report, "AAPL"))

    assert {name: found[name] for name in AAPL} == AAPL
    assert {name: round(found[name], 5) for name in AAPL_ROUGHLY} == AAPL_ROUGHLY
    assert found["close"] == 430.47
    assert set(found) >= DOCUMENTED


def test_facts_are_numbered_and_what_is_cited_is_among_them(undisturbed: Undisturbed) -> None:
    for each in undisturbed.report["recommendations"]:
        ids = [fact["id"] for fact in each["facts"]]

        assert ids == [f"f{number}" for number in range(1, len(ids) + 1)]
        assert set(each["cited"]) <= set(ids)


def test_what_fb_is_too_young_for_is_listed_as_missing_with_what_it_needs(undisturbed: Undisturbed) -> None:
    missing = [(each["name"], each["needs"], each["has"]) for each in of(undisturbed.report, "FB")["missing"]]

    assert missing == [
        ("sma_200", 200, 196), ("close_vs_sma_200", 200, 196), ("volatility_252", 253, 196),
        ("max_drawdown_252", 252, 196), ("return_252", 253, 196), ("correlation_252", 253, 196),
    ]  # fmt: skip


def test_an_abstention_has_a_cause_and_nothing_else(undisturbed: Undisturbed) -> None:
    fb = of(undisturbed.report, "FB")

    assert fb["action"] == "ABSTAIN"
    assert fb["cause"] == "missing_facts: sma_200 needs 200 sessions and has 196"
    assert [fb[key] for key in VIEW] == [None] * len(VIEW)


def test_a_second_run_prints_the_same_object(sample: Place, undisturbed: Undisturbed) -> None:
    assert sample.once() == undisturbed.report
    assert sample.rows("SELECT count(*) FROM decisions") == [(5,)]


def test_again_makes_another_round_of_the_same_content_under_other_ids(sample: Place, undisturbed: Undisturbed) -> None:
    again = sample.once("--again")

    ids = {each["id"] for each in again["recommendations"]}
    assert ids.isdisjoint(each["id"] for each in undisturbed.report["recommendations"])
    for new, old in zip(again["recommendations"], undisturbed.report["recommendations"], strict=True):
        new["id"] = old["id"]
    assert again == undisturbed.report
    assert sample.rows("SELECT count(*) FROM decisions") == [(10,)]


def test_with_claude_off_the_rules_answer(sample: Place, undisturbed: Undisturbed) -> None:
    assert sample.once("--claude", "off") == undisturbed.report


@pytest.mark.parametrize(
    ("symbol", "cut", "extended", "atr"),
    [
        pytest.param("AAPL", "2005-02-25", "2005-03-31", 2.56, id="across a split"),
        pytest.param("MSFT", "2004-11-12", "2004-12-31", None, id="across a dividend"),
    ],
)
def test_facts_as_of_a_day_do_not_change_when_later_bars_are_added(
    place: Place, symbol: str, cut: str, extended: str, atr: float | None
) -> None:
    write_prices(place, symbol, cut)
    place.settings(f'[market]\nsource = "csv"\n[research]\nwatch = ["{symbol}"]\n')
    then = of(place.once(), symbol)["facts"]
    write_prices(place, symbol, extended)
    later = place.once()
    submit_facts_as_of(place, symbol, cut)

    serving = place.serve()
    sheets = "SELECT payload FROM fact_sheets WHERE correlation_id = 'as of then'"
    until(lambda: bool(place.rows(sheets)), "facts as of then")
    serving.send(signal.SIGTERM)

    assert later["as_of"] == extended
    assert serving.wait().code == 0
    ((sheet,),) = place.rows(sheets)
    now = json.loads(sheet)["facts"]
    assert {"atr_14", "sma_200", "macd"} <= {fact["name"] for fact in now}
    assert now == then
    if atr:
        assert {fact["name"]: fact["value"] for fact in now}["atr_14"] == pytest.approx(atr, abs=0.005)


def write_prices(place: Place, symbol: str, last: str) -> None:
    """The file as it was on that day, when nobody knew of any later split or dividend."""
    rows = [fields for fields in sample_lines(symbol) if fields[0] <= last]
    scale = float(rows[-1][4]) / float(rows[-1][6])
    lines = ["date,open,high,low,close,volume,adj_close"]
    lines += [",".join((*fields[:6], repr(float(fields[6]) * scale))) for fields in rows]
    (place.home / "prices").mkdir(parents=True, exist_ok=True)
    (place.home / "prices" / f"{symbol}.csv").write_text("\n".join(lines) + "\n")


def submit_facts_as_of(place: Place, symbol: str, session: str) -> None:
    """Two tasks that are due: the facts as of an earlier session, and the valuation that they need."""
    columns = "key, queue, type, version, payload, priority, requires_claude, state, correlation_id, submitted_at"
    value, facts = json.dumps({"as_of": session}), json.dumps({"symbol": symbol, "as_of": session})
    place.change(f"""
        INSERT INTO tasks ({columns}) VALUES
            ('value_portfolio/then', 'portfolio', 'value_portfolio', 1, '{value}', 8, 0, 'queued', 'as of then', 1),
            ('facts/{symbol}/then', 'analysis', 'facts', 1, '{facts}', 5, 0, 'blocked', 'as of then', 1);
        INSERT INTO task_needs (task, needs) SELECT max(id), max(id) - 1 FROM tasks;
    """)
