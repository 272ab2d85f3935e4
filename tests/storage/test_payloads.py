"""What is stored as JSON comes back as it was, or says why not."""

import datetime as dt
import json
import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from messages.research import Action, Decision, Fact, Inquiry, Missing, Sheet
from messages.tasks import ComputeFacts, Recommend, RefreshBars, RefreshCalendar, ValuePortfolio, Work
from messages.trading import PortfolioReturns, Position, Valuation
from messages.values import Symbol
from storage.payloads import Undecodable, decode, decode_work, encode, encode_work

AAPL, DAY = Symbol("AAPL"), dt.date(2013, 3, 1)
WORK: list[tuple[Work, str, int, str]] = [
    (RefreshBars(AAPL), "refresh_bars", 1, '{"symbol":"AAPL"}'),
    (RefreshCalendar("XNYS", DAY), "refresh_calendar", 1, '{"calendar":"XNYS","day":"2013-03-01"}'),
    (ValuePortfolio(DAY), "value_portfolio", 1, '{"as_of":"2013-03-01"}'),
    (ComputeFacts(AAPL, DAY), "facts", 1, '{"symbol":"AAPL","as_of":"2013-03-01"}'),
    (
        Recommend(AAPL, DAY, use_claude=True, stand_in=True, why="off: no consent"),
        "recommendation",
        2,
        '{"symbol":"AAPL","as_of":"2013-03-01","use_claude":true,"stand_in":true,"why":"off: no consent"}',
    ),
]
# Rows as earlier releases have stored them, word for word.
OLD_WORK = [
    ("recommendation", 1, '{"symbol":"AAPL","as_of":"2013-03-01","use_claude":true}', Recommend(AAPL, DAY, True)),
]
SHEET = Sheet(
    AAPL, DAY,
    (Fact("f1", "close", 0.1 + 0.2, "price", DAY, "bars"), Fact("f2", "rsi_14", 1e-300, "points", DAY, "talib")),
    (Missing("sma_200", 200, 196),),
)  # fmt: skip
ABSTAIN = Decision(AAPL, DAY, "rules", Action.ABSTAIN, None, None, None, None, None, (), "few: too few", Decimal(0))
BUY = Decision(
    AAPL, DAY, "claude", Action.BUY, 0.55, 21, Decimal("450.10"), Decimal("0.000000001"), "Since {f1}.", ("f1",), None,
    Decimal("0.0123"),
)  # fmt: skip
ASKED = replace(
    BUY,
    inquiry=Inquiry("claude-sonnet-5-5", "0" * 64, ("<facts>", "again"), ('{"a"', "{}"), ("cited: f9",), ("q1", "q2")),
)
STOOD_IN = replace(ABSTAIN, stand_in="circuit_open: Claude is not asked until 12:00")
OLD_DECISIONS = [
    (
        '{"symbol":"AAPL","as_of":"2013-03-01","analyst":"rules","action":"ABSTAIN","conviction":null,'
        '"horizon_days":null,"target":null,"stop":null,"thesis":null,"cited":[],"cause":"few: too few","cost_usd":"0"}',
        ABSTAIN,
    ),
    (
        '{"symbol":"AAPL","as_of":"2013-03-01","analyst":"claude","action":"BUY","conviction":0.55,"horizon_days":21,'
        '"target":"450.10","stop":"1E-9","thesis":"Since {f1}.","cited":["f1"],"cause":null,"cost_usd":"0.0123"}',
        BUY,
    ),
]
VALUATION = Valuation(
    DAY, "USD", Decimal("9223372036.854775807"), Decimal("-0.000000001"),
    (Position(AAPL, Decimal("2.5"), Decimal("430.47"), Decimal("1076.175"), 0.25, Decimal("-1")),),
    PortfolioReturns(dt.date(2013, 2, 28), np.array([math.nan, -0.024, math.nan], "<f8").tobytes()),
)  # fmt: skip
OLD_VALUATION = (
    '{"as_of":"2013-03-01","currency":"USD","value":"9223372036.854775807","cash":"-1E-9","positions":[{"symbol":"AAPL",'
    '"quantity":"2.5","price":"430.47","value":"1076.175","weight":0.25,"unrealised":"-1"}]}'
)


@pytest.mark.parametrize(("work", "name", "version", "payload"), WORK)
def test_work_is_stored_under_its_name_and_version_and_comes_back(
    work: Work, name: str, version: int, payload: str
) -> None:
    assert encode_work(work) == (name, version, payload)
    assert decode_work(name, version, payload) == work


@pytest.mark.parametrize(("name", "version", "payload", "work"), OLD_WORK)
def test_work_that_an_earlier_release_has_stored_means_what_it_meant(
    name: str, version: int, payload: str, work: Work
) -> None:
    assert decode_work(name, version, payload) == work


@pytest.mark.parametrize(
    ("value", "newest"), [(SHEET, 1), (ABSTAIN, 2), (BUY, 2), (ASKED, 2), (STOOD_IN, 2), (VALUATION, 2)]
)
def test_what_was_worked_out_comes_back_exactly(value: Sheet | Decision | Valuation, newest: int) -> None:
    version, payload = encode(value)

    assert version == newest
    assert decode(type(value), version, payload) == value


@pytest.mark.parametrize(("payload", "decision"), OLD_DECISIONS)
def test_a_decision_that_an_earlier_release_has_stored_has_no_inquiry_and_no_stand_in(
    payload: str, decision: Decision
) -> None:
    assert decode(Decision, 1, payload) == decision
    assert (decision.inquiry, decision.stand_in) == (None, None)


def test_a_valuation_that_an_earlier_release_has_stored_has_no_returns() -> None:
    assert decode(Valuation, 1, OLD_VALUATION) == replace(VALUATION, returns=None)


def test_amounts_are_stored_as_strings() -> None:
    stored = json.loads(encode(VALUATION)[1])

    assert (stored["value"], stored["positions"][0]["price"]) == ("9223372036.854775807", "430.47")


@pytest.mark.parametrize(
    ("name", "version"), [("facts", 2), ("facts", 0), ("recommendation", 3), ("dividends", 1), ("", 1)]
)
def test_work_of_an_unknown_type_or_version_is_named(name: str, version: int) -> None:
    with pytest.raises(Undecodable, match=f"task type {name}, version {version}: is unknown to this release"):
        decode_work(name, version, WORK[2][3])


@pytest.mark.parametrize(("kind", "version"), [(Sheet, 2), (Sheet, 0), (Decision, 3)])
def test_a_value_of_an_unknown_version_is_named(kind: type[Sheet | Decision], version: int) -> None:
    with pytest.raises(Undecodable, match=f"{kind.__name__}, version {version}: is unknown to this release"):
        decode(kind, version, encode(SHEET)[1])


@pytest.mark.parametrize(
    "payload",
    ["", "{", "null", "[]", "rubbish", '{"symbol":7,"as_of":"2013-03-01"}', '{"symbol":"AAPL"}',
     '{"symbol":"AAPL","as_of":"2013-02-30"}', '{"symbol":"AAPL","as_of":1362096000}'],
)  # fmt: skip
def test_rubbish_in_place_of_work_is_named_in_one_line(payload: str) -> None:
    with pytest.raises(Undecodable, match="task type facts: its stored payload cannot be decoded") as refused:
        decode_work("facts", 1, payload)

    assert "\n" not in str(refused.value)


def test_rubbish_in_place_of_a_value_is_named() -> None:
    with pytest.raises(Undecodable, match="Decision: its stored payload cannot be decoded"):
        decode(Decision, 2, encode(BUY)[1].replace("BUY", "PERHAPS"))
