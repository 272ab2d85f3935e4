"""What a broker pays, takes and splits by itself comes into the books once; what is not understood halts."""

import datetime as dt
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.domain.equity import rebuild
from actors.kernel.testing import Probe
from messages.addresses import Refused
from messages.broker import Activity, Cause, ClientId, Seen, Side, Stage, Ticket
from messages.tasks import Finished, Lease, Reconcile, Run
from messages.trading import Held, Holding, Import, Imported, TradingState
from storage import ledger, states
from storage.home import Home
from storage.movements import movements
from tests.actors.domain.making import LAST, bars
from tests.actors.trading.staged import AAPL, ROUND, Desk, Exchange

ACTIVE = (TradingState.ACTIVE, "")
TEN = Holding(AAPL, Decimal(10), Decimal(100), None)


def opened(home: Home, *holdings: Holding) -> Desk:
    desk = Desk(home, Exchange())
    desk.open(*holdings)
    return desk


def moved(
    desk: Desk,
    cause: Cause,
    amount: str = "0",
    *,
    id_: str = "a1",
    shares: str = "0",
    session: dt.date = LAST,
    after: int = 1,
    name: str = "",
) -> Activity:
    """An activity that was booked there so many microseconds after now."""
    at, symbol = desk.system.clock.utc() + after, AAPL if cause in {Cause.DIVIDEND, Cause.SPLIT} else None
    return Activity(cause, id_, name or cause.upper(), symbol, Decimal(amount), Decimal(shares), session, at)


def state(desk: Desk) -> tuple[TradingState, str]:
    return states.state(desk.read, "paper")


@pytest.mark.parametrize(
    ("cause", "amount", "account"),
    [
        (Cause.FEE, "-4.14", "fees"),
        (Cause.DIVIDEND, "2.5", "dividends"),
        (Cause.DIVIDEND, "-0.38", "dividends"),
        (Cause.INTEREST, "0.07", "dividends"),
        (Cause.TRANSFER, "500", "deposits"),
        (Cause.TRANSFER, "-500", "deposits"),
    ],
)
def test_cash_that_the_broker_moved_is_booked_once_against_what_it_was_for(
    home: Home, cause: Cause, amount: str, account: str
) -> None:
    desk = opened(home, TEN)
    desk.exchange.move(moved(desk, cause, amount))

    desk.reconcile()
    desk.reconcile()
    after = Desk(home, desk.exchange)
    after.reconcile()

    assert state(after) == ACTIVE
    after.agree()
    found = after.read.rows(
        tuple[str, int], "SELECT account, sum(amount) FROM ledger_entries WHERE transaction_id > 1 GROUP BY account"
    )
    units = int(Decimal(amount) * 10**9)
    assert sorted(found) == sorted([("cash", units), (account, -units)])


def test_a_deposit_is_put_in_and_a_fee_a_dividend_and_interest_are_earned_or_lost(home: Home) -> None:
    desk = opened(home, TEN)
    days = [LAST, LAST + dt.timedelta(1)]
    for id_, cause, amount in (("a", Cause.FEE, "-4"), ("b", Cause.DIVIDEND, "2"), ("c", Cause.INTEREST, "1")):
        desk.exchange.move(moved(desk, cause, amount, id_=id_, session=days[1]))
    desk.exchange.move(moved(desk, Cause.TRANSFER, "500", id_="d", session=days[1]))

    desk.reconcile()
    before, last = rebuild(movements(desk.read), (), days, {AAPL: bars([100])}).days

    assert [last.flow, last.fees] == [500, 4]
    assert last.trades == 0
    assert last.equity - before.equity == 500 - 4 + 2 + 1
    assert last.alone - before.alone == 500 + 2  # what is left alone is paid the dividend, too, and no fee


def test_late_twice_and_out_of_order_each_is_booked_once(home: Home) -> None:
    chance, desk = random.Random(7), opened(home)
    all_ = [moved(desk, Cause.FEE, "-1", id_=f"a{number}", session=LAST - dt.timedelta(number)) for number in range(6)]
    for number in (3, 1, 5, 0, 4, 2):
        desk.exchange.move(all_[number])
        desk.exchange.activities.append(all_[number])
        chance.shuffle(desk.exchange.activities)
        desk.reconcile()

    assert state(desk) == ACTIVE
    desk.agree()
    assert ledger.cash(desk.read) == 100_000 - 6


def test_what_was_booked_there_before_the_import_is_in_the_import(home: Home) -> None:
    desk = opened(home)
    desk.exchange.activities.append(moved(desk, Cause.FEE, "-1", after=-1_000_000))

    desk.reconcile()

    assert state(desk) == ACTIVE
    assert ledger.cash(desk.read) == 100_000


def test_what_is_not_understood_halts_with_its_type_and_id_and_the_books_are_unharmed(home: Home) -> None:
    desk = opened(home)
    desk.exchange.move(moved(desk, Cause.UNKNOWN, "-7", id_="20130301::77", name="REORG"))

    desk.reconcile()

    assert state(desk) == (
        TradingState.HALTED,
        "reconciliation: paper has 99993 of cash, the books say 100000; "
        "activity 20130301::77 of type REORG is not understood; it has moved -7 of cash",
    )
    assert ledger.cash(desk.read) == 100_000


def test_shares_that_came_in_a_way_that_is_not_understood_halt_too(home: Home) -> None:
    desk = opened(home, TEN)
    activity = replace(moved(desk, Cause.UNKNOWN, shares="3", name="JNLS"), symbol=AAPL)
    desk.exchange.move(activity)

    desk.reconcile()

    assert state(desk)[0] is TradingState.HALTED
    assert state(desk)[1].endswith("activity a1 of type JNLS is not understood; it has moved 0 of cash and 3 AAPL")


def test_an_amount_that_cannot_be_booked_halts(home: Home) -> None:
    desk = opened(home)
    desk.exchange.move(moved(desk, Cause.FEE, "-1e300"))

    desk.reconcile()

    assert state(desk)[0] is TradingState.HALTED
    assert "is not an amount" in state(desk)[1]


@pytest.mark.parametrize("seed", range(6))
def test_a_look_from_before_a_fee_is_not_compared_with_books_that_have_it(home: Home, seed: int) -> None:
    desk = Desk(home, Exchange(), seed=seed)
    desk.open()
    desk.exchange.looking = [lambda: None, lambda: desk.exchange.move(moved(desk, Cause.FEE, "-1"))]
    older, newer = Probe[Finished | Refused](), Probe[Finished | Refused]()

    desk.ref.tell(Run(Lease(1, 1), Reconcile(), ROUND, older))
    desk.ref.tell(Run(Lease(2, 1), Reconcile(), ROUND, newer))
    desk.system.settle()

    assert [type(each) for probe in (older, newer) for each in probe.received] == [Finished, Finished]
    assert state(desk) == ACTIVE
    desk.agree()


def test_a_split_is_booked_between_what_was_executed_before_it_and_after(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.exchange.fill(order.id, Decimal(2))
    before = desk.exchange.executions[-1]
    day = before.session + dt.timedelta(3)
    desk.exchange.move(moved(desk, Cause.SPLIT, id_="s1", shares="-2", session=day))
    desk.exchange.move(moved(desk, Cause.SPLIT, id_="s2", shares="8", session=day))
    desk.exchange.fill(order.id, Decimal(1), Decimal(25))
    after = desk.exchange.executions[-1]
    desk.exchange.executions[-1] = replace(after, session=day)

    desk.reconcile()

    assert state(desk) == ACTIVE
    desk.agree()
    assert ledger.held(desk.read) == [Held(AAPL, Decimal(9), Decimal(225))]
    assert [lot.quantity for lot in ledger.lots(desk.read, "paper", AAPL)] == [8, 1]


def test_a_split_whose_parts_do_not_divide_is_the_brokers_to_the_last_share(home: Home) -> None:
    lots = [Holding(AAPL, Decimal(part), Decimal(100), LAST - dt.timedelta(part)) for part in (1, 1, 5)]
    desk = opened(home, *lots)
    desk.exchange.held[AAPL] = Decimal(7)
    desk.exchange.move(moved(desk, Cause.SPLIT, shares="3"))

    desk.reconcile()

    assert state(desk) == ACTIVE
    desk.agree()
    assert ledger.held(desk.read) == [Held(AAPL, Decimal(10), Decimal(700))]


@pytest.mark.parametrize("shares", ["5", "-10", "-11"])
def test_a_split_of_what_is_not_held_or_of_more_halts(home: Home, shares: str) -> None:
    held = () if shares == "5" else (TEN,)
    desk = opened(home, *held)
    desk.exchange.move(moved(desk, Cause.SPLIT, shares=shares))

    desk.reconcile()

    assert state(desk)[0] is TradingState.HALTED
    assert f"activity a1: a split brings {shares} AAPL" in state(desk)[1]
    assert ledger.held(desk.read) == [Held(AAPL, each.quantity, each.quantity * each.cost) for each in held]


@pytest.mark.parametrize("seed", [4, 5, 8, 14])
def test_an_account_that_was_traded_in_before_is_imported_while_it_is_looked_at(home: Home, seed: int) -> None:
    desk, imported = Desk(home, Exchange(), seed=seed), Probe[Imported | Refused]()
    stranger = ClientId("by hand")
    desk.exchange.tickets[stranger] = Ticket(stranger, AAPL, Side.BUY, Decimal(10))
    desk.exchange.orders[stranger] = Seen(stranger, Stage.WORKING, Decimal(0))
    desk.exchange.fill(stranger)
    desk.exchange.executions[0] = replace(desk.exchange.executions[0], at=1)
    told, asked = Probe[Finished | Refused](), Import((TEN,), desk.exchange.cash, "mine.csv", ROUND, imported)

    desk.ref.tell(Run(Lease(1, 1), Reconcile(), ROUND, told))
    desk.ref.tell(asked)
    desk.system.settle()

    assert [type(each) for each in (*told.received, *imported.received)] == [Finished, Imported]
    assert state(desk) == ACTIVE
