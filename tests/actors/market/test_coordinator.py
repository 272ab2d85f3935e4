"""The market coordinator: which bars the desk believes."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from actors.kernel.testing import Probe, TestSystem
from actors.market.coordinator import FETCH_WITHIN, MarketCoordinator
from actors.market.prices import parse
from messages import market
from messages.addresses import Ref, Refused
from messages.market import Action, ActionKind, Fetch, Fetched, Listed
from messages.tasks import Finished, Lease, RefreshBars, Run, ValuePortfolio
from messages.values import Symbol
from storage import actions, bars
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import WriteConnection
from tests.actors.queues import DAY, ROUND
from tests.desks import walk

AAPL = Symbol("AAPL")
HEADER = "date,open,high,low,close,volume"


class Market:
    """The coordinator, and a source that answers when the test says."""

    def __init__(self, home: Home) -> None:
        self.connection: WriteConnection = open_for_writing(home, {}, 0)
        self.read, self.system, self.source = Reader(home.database), TestSystem(), Probe[market.SourceMessage]("source")
        self.ref = Ref[market.Message]("market")
        self.system.add(self.ref, lambda me: MarketCoordinator(me, self.source.ref, self.read))
        self.system.start()

    def refresh(self, *lines: str, sector: str | None = None, listed: tuple[Listed, ...] = ()) -> Finished | Refused:
        """Run the task; the source has these lines, and these splits and dividends."""
        probe = self.run()
        asked = self.source.received[-1]
        assert isinstance(asked, Fetch)
        found = parse("\n".join([HEADER, *lines]), "AAPL.csv")
        asked.reply_to.tell(Fetched(asked.reply_to.about, asked.symbol, found, "AAPL.csv", 2, sector, listed))
        self.system.settle()
        return probe.received[0]

    def run(self) -> Probe[Finished | Refused]:
        probe = Probe[Finished | Refused]()
        self.ref.tell(Run(Lease(1, 1), RefreshBars(AAPL), ROUND, probe))
        self.system.settle()
        return probe


@pytest.fixture
def desk_market(home: Home) -> Market:
    return Market(home)


def test_what_the_source_has_is_handed_in_as_the_effects_of_the_task(desk_market: Market) -> None:
    finished = desk_market.refresh(*walk(3))

    assert isinstance(finished, Finished)
    assert finished.lease == Lease(1, 1)
    desk_market.connection.commit([finished.effects])
    stored = bars.load(desk_market.read, AAPL, DAY, 1)
    assert stored is not None
    assert stored.close.tolist() == [100, 101, 102]


def test_what_is_stored_already_has_no_effects(desk_market: Market) -> None:
    finished = desk_market.refresh(*walk(3))
    assert isinstance(finished, Finished)
    desk_market.connection.commit([finished.effects])

    assert desk_market.refresh(*walk(3)) == Finished(Lease(1, 1), ())


def test_bars_that_cannot_be_true_are_refused_by_place_and_line(desk_market: Market) -> None:
    lines = walk(5)
    lines[3] = lines[3].replace("103.0,1000", "-1,1000")

    assert desk_market.refresh(*lines) == Refused(
        "probe", "invalid", "AAPL.csv line 5: close is -1.0, a price must be a number above 0 and below 9.2e9"
    )


def dividend(value: str, session: str, line: int = 2) -> Listed:
    day = dt.date.fromisoformat(session)
    return Listed(Action(AAPL, day, ActionKind.DIVIDEND, Decimal(value)), f"actions.csv line {line}")


def test_splits_and_dividends_are_handed_in_with_the_bars_and_what_is_gone_is_taken_away(desk_market: Market) -> None:
    first = dividend("0.5", "2013-01-02"), dividend("1", "2013-01-03", 3)
    for listed in (first, (dividend("0.75", "2013-01-02"), dividend("1", "2013-02-03", 3)), ()):
        finished = desk_market.refresh(*walk(3), listed=listed)
        assert isinstance(finished, Finished)
        desk_market.connection.commit([finished.effects])

        assert actions.after(desk_market.read, dt.date.min) == [each.action for each in listed]
        assert desk_market.refresh(*walk(3), listed=listed) == Finished(Lease(1, 1), ())


def test_a_split_or_dividend_that_cannot_be_one_of_these_bars_is_refused_by_place_and_line(desk_market: Market) -> None:
    answer = desk_market.refresh(*walk(3), listed=(dividend("1", "2013-01-02"), dividend("100", "2013-01-02", 7)))

    assert answer == Refused(
        "probe", "invalid", "actions.csv line 7: a dividend of 100 is not below the close before, 100.0"
    )


@pytest.mark.parametrize(("last", "sentence"), [(2, ""), (3, "AAPL.csv line 3: date 2013-03-03 is still to come")])
def test_a_session_after_tomorrow_is_refused(desk_market: Market, last: int, sentence: str) -> None:
    answer = desk_market.refresh("2013-03-01,1,1,1,1,0", f"2013-03-0{last},1,1,1,1,0")  # the clock says 2013-03-01

    assert isinstance(answer, Refused) == bool(sentence)
    assert not sentence or answer == Refused("probe", "invalid", sentence)


def test_what_the_source_refuses_is_refused_with_its_reason_and_time(desk_market: Market) -> None:
    probe = desk_market.run()
    asked = desk_market.source.received[0]
    assert isinstance(asked, Fetch)
    asked.reply_to.refuse("limited", "too many requests", 77)
    desk_market.system.settle()

    assert probe.received == [Refused("probe", "limited", "too many requests", 77)]


def test_a_source_that_does_not_answer_is_late(desk_market: Market) -> None:
    probe = desk_market.run()
    desk_market.system.advance(FETCH_WITHIN)

    assert probe.received == [Refused("probe", "late", "source has not answered within 60.0 s")]


def test_another_task_is_a_bug_and_crashes(desk_market: Market, tmp_path: Path) -> None:
    probe = Probe[Finished | Refused]()
    desk_market.ref.tell(Run(Lease(9, 1), ValuePortfolio(DAY), ROUND, probe))
    desk_market.system.advance(1)

    assert [answer.code for answer in probe.received if isinstance(answer, Refused)] == ["crashed"]
    assert "task 9: ValuePortfolio came where RefreshBars is run" in str(desk_market.system.recorder.crashes[0][1])
