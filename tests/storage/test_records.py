"""Valuations, fact sheets and decisions, by round."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from messages.trading import Valuation, Weight, Weights
from messages.values import CorrelationId, Symbol
from storage import decisions, fact_sheets, valuations
from storage.connections import Reader
from storage.decisions import Views
from storage.payloads import Undecodable
from storage.writing import StatementFailed, WriteConnection
from tests.storage.test_payloads import AAPL, ABSTAIN, BUY, SHEET, VALUATION

ONE, OTHER = CorrelationId("1" * 32), CorrelationId("2" * 32)
IBM = Symbol("IBM")


def test_each_round_has_its_own_valuation(connection: WriteConnection, read: Reader) -> None:
    empty = Valuation(dt.date(2013, 2, 28), "USD", Decimal(0), Decimal(0), ())
    connection.commit([[valuations.insert(VALUATION, ONE, 0)], [valuations.insert(empty, OTHER, 0)]])

    assert valuations.load(read, ONE) == VALUATION
    assert valuations.load(read, OTHER) == empty
    assert valuations.load(read, CorrelationId("3" * 32)) is None
    assert valuations.weights(read, ONE) == Weights((Weight(AAPL, 0.25),), VALUATION.returns)
    assert valuations.weights(read, OTHER) == Weights(())
    assert valuations.weights(read, CorrelationId("3" * 32)) is None


def test_each_symbol_of_a_round_has_its_sheet(connection: WriteConnection, read: Reader) -> None:
    theirs = replace(SHEET, symbol=IBM)
    connection.commit([[fact_sheets.insert(SHEET, ONE, 0)], [fact_sheets.insert(theirs, ONE, 0)]])

    assert fact_sheets.load(read, ONE, IBM) == theirs
    assert fact_sheets.load(read, ONE, SHEET.symbol) == SHEET
    assert fact_sheets.load(read, OTHER, IBM) is None


def test_decisions_come_in_order_of_symbol_with_ids_that_follow_from_round_and_symbol(
    connection: WriteConnection, read: Reader
) -> None:
    theirs = replace(ABSTAIN, symbol=IBM)
    connection.commit(
        [[decisions.insert(theirs, ONE, 5)], [decisions.insert(BUY, ONE, 6)], [decisions.insert(BUY, OTHER, 7)]]
    )

    records = decisions.together(read, ONE)

    assert [(record.decision, record.correlation_id, record.at) for record in records] == [
        (BUY, ONE, 6),
        (theirs, ONE, 5),
    ]
    assert len({record.id for record in (*records, *decisions.together(read, OTHER))}) == 3
    assert decisions.insert(ABSTAIN, ONE, 99).values[0] == records[0].id


def test_a_second_decision_on_a_symbol_of_a_round_is_refused(connection: WriteConnection, read: Reader) -> None:
    connection.commit([[decisions.insert(BUY, ONE, 0)]])

    [result] = connection.commit([[decisions.insert(ABSTAIN, ONE, 1)]])

    assert isinstance(result, StatementFailed)
    assert [record.decision for record in decisions.together(read, ONE)] == [BUY]


def test_a_decision_is_found_by_how_its_id_begins(connection: WriteConnection, read: Reader) -> None:
    symbols = [Symbol(f"S{n}") for n in range(40)]
    connection.commit([[decisions.insert(replace(BUY, symbol=symbol), ONE, 0)] for symbol in symbols])
    id_ = decisions.together(read, ONE)[7].id

    assert [record.id for record in decisions.starting_with(read, id_[:9])] == [id_]
    assert len(decisions.starting_with(read, "")) == 2
    assert decisions.starting_with(read, "%") == []


def test_a_record_that_cannot_be_decoded_says_so(connection: WriteConnection, read: Reader) -> None:
    statement = valuations.insert(VALUATION, ONE, 0)
    connection.commit([[replace(statement, values=(*statement.values[:3], "{}", 0))]])

    with pytest.raises(Undecodable, match="Valuation: its stored payload cannot be decoded"):
        valuations.load(read, ONE)


def test_claudes_decisions_are_counted_and_those_without_a_view_by_the_code_of_their_cause(
    connection: WriteConnection, read: Reader
) -> None:
    assert decisions.views(read) == Views(0, {})
    assert decisions.views(read).abstain_rate is None

    by_claude = replace(BUY, analyst="claude"), replace(ABSTAIN, analyst="claude", cause="overloaded: try later")
    others = (
        replace(ABSTAIN, analyst="claude", cause="overloaded: a: b"),
        replace(ABSTAIN, analyst="claude", cause="x: y"),
    )
    made = (*by_claude, *others, replace(BUY, analyst="rules"), replace(ABSTAIN, analyst="rules"))
    for number, each in enumerate(made):
        connection.commit([[decisions.insert(replace(each, symbol=Symbol(f"S{number}")), ONE, 0)]])

    assert decisions.views(read) == Views(4, {"overloaded": 2, "x": 1})
    assert decisions.views(read).abstain_rate == 0.75
