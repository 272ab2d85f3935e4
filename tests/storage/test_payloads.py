"""What is stored as JSON comes back as it was, or says why not."""

import datetime as dt
import json
from decimal import Decimal

import pytest

from messages.research import Action, Decision, Fact, Missing, Sheet
from messages.tasks import ComputeFacts, Recommend, RefreshBars, ValuePortfolio, Work
from messages.trading import Position, Valuation
from messages.values import Symbol
from storage.payloads import Undecodable, decode, decode_work, encode, encode_work

AAPL, DAY = Symbol("AAPL"), dt.date(2013, 3, 1)
WORK: list[tuple[Work, str, str]] = [
    (RefreshBars(AAPL), "refresh_bars", '{"symbol":"AAPL"}'),
    (ValuePortfolio(DAY), "value_portfolio", '{"as_of":"2013-03-01"}'),
    (ComputeFacts(AAPL, DAY), "facts", '{"symbol":"AAPL","as_of":"2013-03-01"}'),
    (
        Recommend(AAPL, DAY, use_claude=True),
        "recommendation",
        '{"symbol":"AAPL","as_of":"2013-03-01","use_claude":true}',
    ),
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
VALUATION = Valuation(
    DAY, "USD", Decimal("9223372036.854775807"), Decimal("-0.000000001"),
    (Position(AAPL, Decimal("2.5"), Decimal("430.47"), Decimal("1076.175"), 0.25, Decimal("-1")),),
)  # fmt: skip


@pytest.mark.parametrize(("work", "name", "payload"), WORK)
def test_work_is_stored_under_its_name_and_version_and_comes_back(work: Work, name: str, payload: str) -> None:
    assert encode_work(work) == (name, 1, payload)
    assert decode_work(name, 1, payload) == work


@pytest.mark.parametrize("value", [SHEET, ABSTAIN, BUY, VALUATION])
def test_what_was_worked_out_comes_back_exactly(value: Sheet | Decision | Valuation) -> None:
    version, payload = encode(value)

    assert version == 1
    assert decode(type(value), version, payload) == value


def test_amounts_are_stored_as_strings() -> None:
    stored = json.loads(encode(VALUATION)[1])

    assert (stored["value"], stored["positions"][0]["price"]) == ("9223372036.854775807", "430.47")


@pytest.mark.parametrize(("name", "version"), [("facts", 2), ("facts", 0), ("dividends", 1), ("", 1)])
def test_work_of_an_unknown_type_or_version_is_named(name: str, version: int) -> None:
    with pytest.raises(Undecodable, match=f"task type {name}, version {version}: is unknown to this release"):
        decode_work(name, version, WORK[2][2])


def test_a_value_of_an_unknown_version_is_named() -> None:
    with pytest.raises(Undecodable, match="Sheet, version 2: is unknown to this release"):
        decode(Sheet, 2, encode(SHEET)[1])


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
        decode(Decision, 1, encode(BUY)[1].replace("BUY", "PERHAPS"))
