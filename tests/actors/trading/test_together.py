"""What comes while a write is on its way is judged and booked together after it, each as if it came alone."""

from decimal import Decimal

import pytest

from actors.domain import mandates as allowing
from actors.domain.mandates import Mandate
from actors.kernel.testing import Probe
from messages.addresses import Refused
from messages.broker import Activity, Cause, ClientId, Executed, Kind, Side, Ticket
from messages.database import Statement
from messages.research import Action
from messages.tasks import Finished, Lease, Reconcile, Run, StageOrder
from messages.trading import Holding, Import, Imported, Order, OrderState, TradingState
from messages.values import CorrelationId, Symbol
from storage import balance, ledger, mandates, orders, states
from storage.home import Home
from tests.actors.domain import making
from tests.actors.trading.staged import AAPL, CASH, ROUND, Desk, Exchange

IBM, MSFT, ORCL = Symbol("IBM"), Symbol("MSFT"), Symbol("ORCL")
NEXT = CorrelationId("d" * 32)
FAR = 2**52


@pytest.fixture
def desk(home: Home) -> Desk:
    """Open, with prices of three symbols."""
    desk = Desk(home, Exchange())
    desk.open()
    for symbol in (IBM, MSFT):
        desk.prices(100.0, symbol)
    return desk


def run_at_once(desk: Desk, *decisions: str) -> list[Probe[Finished | Refused]]:
    probes = [Probe[Finished | Refused]() for _ in decisions]
    for number, (decision, probe) in enumerate(zip(decisions, probes, strict=True)):
        desk.ref.tell(Run(Lease(number, 1), StageOrder(decision), ROUND, probe))
    desk.system.settle()
    return probes


def working(desk: Desk, *symbols: Symbol, action: Action = Action.BUY, round_: CorrelationId = ROUND) -> list[Order]:
    """An order of each, approved and at the broker."""
    found = list[Order]()
    run_at_once(desk, *(desk.decide(action, round_, symbol) for symbol in symbols))
    for symbol in symbols:
        [order] = [each for each in orders.open_orders(desk.read) if each.ticket.symbol == symbol and not each.is_leg]
        desk.approve(order.id)
        found.append(order)
    desk.system.settle()
    return found


def tell(desk: Desk, *executed: Executed) -> None:
    for each in executed:
        desk.ref.tell(each)
    desk.system.settle()


def test_decisions_that_come_at_once_are_an_order_each(desk: Desk) -> None:
    ids = [desk.decide(symbol=symbol) for symbol in (AAPL, IBM, MSFT)]

    answers = run_at_once(desk, *ids, ids[1])

    assert [type(answer.received[0]) for answer in answers] == [Finished] * 4
    made = [order for id_ in ids for order in orders.of_decision(desk.read, id_)]
    assert [(order.ticket.symbol, order.state) for order in made] == [
        (symbol, OrderState.STAGED) for symbol in (AAPL, IBM, MSFT)
    ]


def test_what_is_no_decision_is_refused_among_others_that_are(desk: Desk) -> None:
    first, second = run_at_once(desk, desk.decide(symbol=IBM), "none")

    assert isinstance(first.received[0], Finished)
    [refused] = second.received
    assert isinstance(refused, Refused)
    assert refused.sentence == "there is no decision none"


def test_each_counts_for_the_next_though_none_is_on_disk_yet(desk: Desk) -> None:
    one_a_day = Mandate(CASH, 1, None, frozenset(Side), 0.5, FAR)
    desk.keep(mandates.insert(allowing.text(one_a_day), allowing.digest(one_a_day), 1))
    first, second, third = (desk.decide(symbol=symbol) for symbol in (AAPL, IBM, MSFT))

    run_at_once(desk, first, second, third)

    states = [order.state for id_ in (first, second, third) for order in orders.of_decision(desk.read, id_)]
    assert states == [OrderState.WORKING, OrderState.STAGED, OrderState.STAGED]
    [waiting] = orders.of_decision(desk.read, third)
    assert "1 were sent today under the mandate" in waiting.why


def test_cash_that_one_order_may_take_is_not_there_for_the_next(home: Home) -> None:
    desk = Desk(home, Exchange())
    for symbol in (IBM, MSFT, ORCL):
        desk.prices(100.0, symbol)
    desk.open(Holding(ORCL, Decimal(90), Decimal(100), None), cash=Decimal(1_000))

    run_at_once(desk, *(desk.decide(symbol=symbol) for symbol in (AAPL, IBM, MSFT)))

    found = {each.ticket.symbol: (each.state, each.ticket.quantity) for each in orders.newest(desk.read, 9)}
    assert found == {
        AAPL: (OrderState.STAGED, Decimal(5)),
        IBM: (OrderState.STAGED, Decimal(4)),
        MSFT: (OrderState.DENIED, Decimal(0)),
    }


def test_an_order_that_cannot_be_kept_is_refused_alone(desk: Desk) -> None:
    desk.keep(
        Statement(
            """CREATE TRIGGER against BEFORE INSERT ON trading_orders WHEN NEW.symbol = 'IBM'
            BEGIN SELECT RAISE(ABORT, 'not this one'); END"""
        )
    )

    answers = run_at_once(desk, *(desk.decide(symbol=symbol) for symbol in (AAPL, IBM, MSFT)))

    [refused] = answers[1].received
    assert isinstance(refused, Refused)
    assert (refused.code, "not this one" in refused.sentence) == ("statement", True)
    assert [type(answers[at].received[0]) for at in (0, 2)] == [Finished] * 2
    assert {order.ticket.symbol for order in orders.newest(desk.read, 9)} == {AAPL, MSFT}
    assert not desk.system.failed.done()


def test_fills_that_are_told_at_once_are_booked_each(desk: Desk) -> None:
    made = working(desk, AAPL, IBM, MSFT)

    tell(desk, *(desk.exchange.fill(order.id, Decimal(2)) for order in (*made, *made)))

    assert [desk.order(order.id).filled for order in made] == [Decimal(4)] * 3
    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    desk.agree()


def test_a_sale_takes_the_lots_of_a_purchase_that_was_told_right_before_it(desk: Desk) -> None:
    [bought] = working(desk, IBM)
    whole = desk.exchange.fill(bought.id)
    stop = Ticket(ClientId(f"{bought.id}-sl"), IBM, Side.SELL, bought.ticket.quantity, Kind.STOP, stop=Decimal(90))
    desk.exchange.tickets[stop.client_id] = stop

    tell(desk, whole, desk.exchange.fill(stop.client_id))

    assert ledger.held(desk.read) == []
    assert desk.order(stop.client_id).state is OrderState.FILLED
    desk.agree()


def test_a_fill_that_cannot_be_booked_halts_trading_and_the_others_are_booked(desk: Desk) -> None:
    made = working(desk, AAPL, IBM, MSFT)
    desk.keep(
        Statement(
            f"""CREATE TRIGGER against BEFORE INSERT ON ledger_transactions WHEN NEW.origin = '{made[1].id}'
            BEGIN SELECT RAISE(ABORT, 'not this one'); END"""
        )
    )

    tell(desk, *(desk.exchange.fill(order.id) for order in made))

    state, why = states.state(desk.read, "paper")
    assert (state, f"of order {made[1].id} cannot be booked" in why, "not this one" in why) == (
        TradingState.HALTED, True, True,
    )  # fmt: skip
    assert {held.symbol for held in ledger.held(desk.read)} == {AAPL, MSFT}
    assert balance.damage(desk.read) is None
    assert not desk.system.failed.done()


def test_a_look_from_before_an_import_is_not_compared_with_the_books_after_it(home: Home) -> None:
    desk, looked, imported = Desk(home, Exchange()), Probe[Finished | Refused](), Probe[Imported | Refused]()
    desk.open()

    desk.ref.tell(Run(Lease(1, 1), Reconcile(), ROUND, looked))
    desk.ref.tell(Import((), CASH / 2, "mine.csv", NEXT, imported))
    desk.system.settle()

    assert isinstance(looked.received[0], Finished)
    assert isinstance(imported.received[0], Imported)
    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")


@pytest.mark.parametrize("seed", range(6))
def test_what_a_broker_has_taken_and_two_fills_of_a_symbol_in_one_look_halt_nothing(home: Home, seed: int) -> None:
    desk = Desk(home, Exchange(), seed=seed)
    desk.open()
    [order] = working(desk, AAPL)
    for part in (Decimal(3), Decimal(4)):
        desk.exchange.fill(order.id, part)
    desk.exchange.move(Activity(Cause.FEE, "fee1", "FEE", None, Decimal(-1), Decimal(0), making.LAST, FAR))

    desk.reconcile()
    desk.reconcile()

    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    desk.agree()
