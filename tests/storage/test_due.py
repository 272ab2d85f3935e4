"""Which splits and dividends trading has yet to see to, and which of them count."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from messages.database import Statement
from messages.market import Action, ActionKind, Bars, Listed
from messages.trading import Holding, Valuation
from messages.values import CorrelationId, Symbol
from storage import actions, bars, ledger, states, valuations
from storage.connections import Reader
from storage.due import Due, done, due, later
from storage.writing import WriteConnection

AAPL, IBM = Symbol("AAPL"), Symbol("IBM")
ROUND = CorrelationId("c" * 32)
FIRST = dt.date(2013, 2, 1)
"""Bars are of each day of February from then on."""


def split(session: dt.date, symbol: Symbol = AAPL) -> Action:
    return Action(symbol, session, ActionKind.SPLIT, Decimal(2))


def feb(day: int) -> dt.date:
    return FIRST + dt.timedelta(day - 1)


class Desk:
    """Books that were opened on a day, and bars up to another."""

    def __init__(self, connection: WriteConnection, read: Reader) -> None:
        self.connection, self.read = connection, read

    def commit(self, *statements: Statement) -> None:
        [result] = self.connection.commit([statements])
        assert isinstance(result, tuple), result

    def opened(self, day: dt.date, broker: str = ledger.PAPER) -> None:
        at = int(dt.datetime(day.year, day.month, day.day, 15, tzinfo=dt.UTC).timestamp()) * 10**6
        held = [Holding(AAPL, Decimal(1), Decimal(1), None)]
        self.connection.commit([ledger.opening(held, Decimal(0), "a file", ROUND, at, broker)])

    def bars(self, count: int, symbol: Symbol = AAPL) -> None:
        sessions = np.datetime64(FIRST, "D") + np.arange(count).astype("timedelta64[D]")
        self.commit(*bars.replace(self.read, symbol, Bars(sessions, *(np.ones(count) for _ in range(6)))))

    def listed(self, *found: Action, symbol: Symbol = AAPL) -> None:
        self.commit(*actions.replace(self.read, symbol, [Listed(each, "a.csv") for each in found]))


@pytest.fixture
def desk(connection: WriteConnection, read: Reader) -> Desk:
    """Opened on the 10th, with bars up to the 20th."""
    made = Desk(connection, read)
    made.opened(feb(10))
    made.bars(20)
    return made


def test_due_is_what_has_a_bar_and_it_counts_from_the_day_after_the_import_on(desk: Desk) -> None:
    desk.listed(*(split(feb(day)) for day in (1, 10, 11, 20, 21)))

    assert due(desk.read, ledger.PAPER) == (
        Due(split(feb(1)), counts=False), Due(split(feb(10)), counts=False), Due(split(feb(11)), counts=True),
        Due(split(feb(20)), counts=True),
    )  # fmt: skip


def test_what_is_seen_to_is_not_due_any_more_and_cannot_be_again(desk: Desk) -> None:
    desk.listed(split(feb(11)), split(feb(12)), split(feb(13)))
    desk.commit(done(split(feb(12)), ledger.PAPER, 7))

    assert [each.action.session.day for each in due(desk.read, ledger.PAPER)] == [11, 13]
    assert later(desk.read, ledger.PAPER, split(feb(11))) == [split(feb(12))]
    assert later(desk.read, ledger.PAPER, split(feb(12))) == []
    [refused] = desk.connection.commit([[done(split(feb(12)), ledger.PAPER, 8)]])
    assert "UNIQUE" in str(refused)


def test_each_symbol_has_its_own_sessions(desk: Desk) -> None:
    desk.bars(5, IBM)
    desk.listed(split(feb(11), IBM), symbol=IBM)
    desk.listed(split(feb(11)))

    assert due(desk.read, ledger.PAPER) == due(desk.read, ledger.PAPER, AAPL) == (Due(split(feb(11)), counts=True),)
    assert due(desk.read, ledger.PAPER, IBM) == ()


def test_a_broker_elsewhere_says_itself_what_it_has_split_and_paid(desk: Desk) -> None:
    desk.opened(feb(10), "alpaca")
    desk.listed(split(feb(11)))

    assert due(desk.read, "alpaca") == ()


def test_books_that_were_never_opened_are_due_nothing(connection: WriteConnection, read: Reader) -> None:
    desk = Desk(connection, read)
    desk.bars(20)
    desk.listed(split(feb(11)))

    assert due(read, ledger.PAPER) == ()


@pytest.mark.parametrize("by", ["a look", "a round"])
def test_where_prices_are_of_long_ago_it_counts_from_the_first_session_looked_at_or_valued(
    connection: WriteConnection, read: Reader, by: str
) -> None:
    desk = Desk(connection, read)
    desk.opened(dt.date(2026, 11, 30))
    desk.bars(20)
    desk.listed(split(feb(14)), split(feb(15)), split(feb(16)))
    nothing_yet = due(read, ledger.PAPER)
    valued = Valuation(feb(15), "USD", Decimal(1), Decimal(0), ())
    desk.commit(states.note_day(feb(15), Decimal(1)) if by == "a look" else valuations.insert(valued, ROUND, 7))

    assert nothing_yet == ()
    assert [each.action.session.day for each in due(read, ledger.PAPER) if each.counts] == [16]


def test_an_import_with_old_prices_counts_from_its_own_day_when_newer_ones_have_come(desk: Desk) -> None:
    desk.commit(states.note_day(feb(1), Decimal(1)))
    desk.listed(split(feb(5)), split(feb(11)))

    assert [each.action.session.day for each in due(desk.read, ledger.PAPER) if each.counts] == [11]
