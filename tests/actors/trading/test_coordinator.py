"""The trading coordinator: an import is on disk when it is answered, or not at all."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from actors.database import DatabaseWriter
from actors.domain.orders import Limits
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from actors.trading.books import COMMIT_WITHIN
from actors.trading.coordinator import Message, TradingCoordinator
from actors.trading.judging import Judge
from messages import broker, database
from messages.addresses import Ref, Refused
from messages.database import Write, WritesHeld, WritesResumed
from messages.trading import Held, Holding, Import, Imported, TradingTerms
from messages.values import CorrelationId, Symbol
from storage import ledger
from storage.connections import Operations, Reader
from storage.home import Home

AAPL = Symbol("AAPL")


@dataclass
class Books:
    """The coordinator and the writer, or a probe in the writer's place."""

    system: TestSystem
    ref: Ref[Message]
    read: Reader

    def take_over(self, *holdings: Holding, cash: str = "0") -> Probe[Imported | Refused]:
        probe = Probe[Imported | Refused]()
        self.ref.tell(Import(holdings, Decimal(cash), "mine.csv", CorrelationId("c" * 32), probe))
        self.system.settle()
        return probe


def books(home: Home, writer: Ref[database.Message] | None = None) -> Books:
    system, ref, own = TestSystem(), Ref[Message]("trading"), Ref[database.Message]("database")
    read, to = Reader(home.database), Probe[broker.Request]("broker")
    judge = Judge(read, TradingTerms(), Limits(), home.halted, None)
    system.add(own, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
    system.add(ref, lambda me: TradingCoordinator(me, writer or own, to.ref, judge, read), STOP_DESK)
    system.start()
    return Books(system, ref, read)


def test_an_import_is_answered_with_the_number_of_its_transaction_and_is_on_disk(home: Home) -> None:
    desk = books(home)

    first = desk.take_over(Holding(AAPL, Decimal("2.5"), Decimal(100), None), cash="7")
    second = desk.take_over(Holding(AAPL, Decimal(1), Decimal(100), None))

    assert (first.received, second.received) == ([Imported(1)], [Imported(3)])
    assert ledger.held(desk.read) == [Held(AAPL, Decimal(1), Decimal(100))]
    assert ledger.cash(desk.read) == 0


def test_what_cannot_be_stored_is_refused_and_nothing_of_it_is_kept(home: Home) -> None:
    desk = books(home)

    answer = desk.take_over(
        Holding(Symbol("IBM"), Decimal(1), Decimal(1), None), Holding(AAPL, Decimal("9e9"), Decimal(2), None)
    )

    assert [refused.code for refused in answer.received if isinstance(refused, Refused)] == ["invalid"]
    assert "mine.csv: " in str(answer.received)
    assert not ledger.is_open(desk.read)
    assert not desk.system.failed.done()


@pytest.mark.parametrize(("code", "retry_at"), [("full", None), ("statement", None), ("down", 77)])
def test_what_the_writer_refuses_is_refused_as_it_says(home: Home, code: str, retry_at: int | None) -> None:
    writer = Probe[database.Message]("database")
    desk = books(home, writer.ref)

    answer = desk.take_over(Holding(AAPL, Decimal(1), Decimal(1), None))
    assert answer.received == []
    [write] = writer.received
    assert isinstance(write, database.Write)
    write.reply_to.refuse(code, "no", retry_at)
    desk.system.settle()

    assert answer.received == [Refused("probe", code, "no", retry_at)]


def test_a_writer_that_does_not_answer_is_late(home: Home) -> None:
    desk = books(home, Probe[database.Message]("database").ref)

    answer = desk.take_over(Holding(AAPL, Decimal(1), Decimal(1), None))
    desk.system.advance(COMMIT_WITHIN)

    assert [refused.code for refused in answer.received if isinstance(refused, Refused)] == ["late"]


def test_while_writes_are_held_trading_is_halted_and_refuses_with_the_reason(home: Home) -> None:
    desk, holding = books(home), Holding(AAPL, Decimal(1), Decimal(100), None)
    desk.ref.tell(WritesHeld("the disk is full"))
    halted = desk.take_over(holding)
    desk.ref.tell(WritesHeld("the disk is full"))
    desk.ref.tell(WritesResumed())
    active = desk.take_over(holding)

    (answer,) = halted.received
    assert isinstance(answer, Refused)
    assert (answer.code, answer.sentence) == ("halted", "trading is HALTED: the disk is full")
    assert active.received == [Imported(1)]


def test_an_end_of_that_it_was_not_told_of_is_found_out_when_somebody_asks(home: Home) -> None:
    desk, holding = books(home), Holding(AAPL, Decimal(1), Decimal(100), None)
    desk.ref.tell(WritesHeld("the disk is full"))

    first, second = desk.take_over(holding), desk.take_over(holding)

    assert isinstance(first.received[0], Refused)
    assert second.received == [Imported(1)]


def test_while_the_writer_has_no_room_it_stays_halted(home: Home) -> None:
    writer = Probe[database.Message]("database")
    desk, holding = books(home, writer.ref), Holding(AAPL, Decimal(1), Decimal(100), None)
    desk.ref.tell(WritesHeld("the disk is full"))
    desk.take_over(holding)
    (look,) = writer.received
    assert isinstance(look, Write)
    look.reply_to.refuse("full", "the disk is still full")
    desk.system.settle()

    (answer,) = desk.take_over(holding).received

    assert isinstance(answer, Refused)
    assert answer.sentence == "trading is HALTED: the disk is still full"
