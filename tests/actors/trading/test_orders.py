"""From a decision to a fill that is in the books, once, whatever the broker does and whenever the desk ends."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.kernel.testing import Probe
from actors.trading.account import ANSWER_WITHIN, RESOLVE_AFTER
from messages.addresses import Refused
from messages.broker import ClientId, Seen, Side, Stage
from messages.research import Action
from messages.tasks import Finished, Lease, Reconcile, Run, StageOrder
from messages.trading import (
    Holding,
    Import,
    Imported,
    OrderState,
    Reject,
    Said,
    SetState,
    TradingState,
    TradingTerms,
    Withdraw,
)
from messages.values import CorrelationId, Symbol
from storage import ledger, orders, states
from storage.home import Home
from tests.actors.trading.staged import AAPL, CASH, Desk, Exchange
from tests.desks import StagedDesk

TICK = 5 * 60.0


def opened(home: Home, *holdings: Holding, exchange: Exchange | None = None) -> Desk:
    desk = Desk(home, exchange or Exchange())
    desk.open(*holdings)
    return desk


def refusal(probe: Probe[Said | Refused]) -> Refused:
    [answer] = probe.received
    assert isinstance(answer, Refused), answer
    return answer


def test_a_decision_becomes_an_order_that_waits_is_approved_sent_filled_and_booked(home: Home) -> None:
    desk = opened(home)

    order = desk.stage()
    nothing_yet = list(desk.exchange.sent)
    said = desk.approve(order.id)
    desk.system.settle()
    working = desk.order(order.id)
    desk.ref.tell(desk.exchange.fill(order.id))
    desk.system.settle()

    assert (order.state, order.ticket.side, nothing_yet) == (OrderState.STAGED, Side.BUY, [])
    assert isinstance(said.received[0], Said)
    assert (working.state, working.approved_by) == (OrderState.WORKING, "person")
    assert desk.exchange.sent == [order.id]
    filled = desk.order(order.id)
    assert (filled.state, filled.filled) == (OrderState.FILLED, order.ticket.quantity)
    assert ledger.held(desk.read)[0].quantity == order.ticket.quantity
    assert ledger.cash(desk.read) == CASH - order.ticket.quantity * 100 - 1
    desk.agree()
    assert [note.what for note in orders.journal(desk.read, order.id)] == ["staged", "approved", "working", "fill"]


def test_a_decision_staged_twice_is_one_order(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()

    again = desk.run(StageOrder(order.decision))

    assert isinstance(again.received[0], Finished)
    assert orders.newest(desk.read, 10) == [order]


def test_a_sale_of_what_is_not_held_is_no_order(home: Home) -> None:
    order = opened(home).stage(Action.SELL)

    assert order.state is OrderState.DENIED
    assert order.why.startswith("avoid: ")


def test_a_sale_sells_all_that_is_held(home: Home) -> None:
    desk = opened(home, Holding(AAPL, Decimal("30"), Decimal(50), None))

    order = desk.stage(Action.SELL)
    desk.approve(order.id)
    desk.system.settle()
    desk.ref.tell(desk.exchange.fill(order.id))
    desk.system.settle()

    assert (order.ticket.side, order.ticket.quantity) == (Side.SELL, Decimal(30))
    assert ledger.held(desk.read) == []
    desk.agree()


def test_two_approvals_at_once_send_it_once(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()

    first, second = desk.approve(order.id), desk.approve(order.id)
    desk.system.settle()
    third = desk.approve(order.id)
    desk.system.settle()

    assert isinstance(first.received[0], Said)
    assert refusal(second).code == "invalid"
    assert "is working, not staged" in refusal(third).sentence
    assert desk.exchange.sent == [order.id]


@pytest.mark.parametrize("fault", ["deaf", "mute"])
def test_an_answer_that_does_not_come_is_looked_up_and_the_order_is_at_the_broker_once(home: Home, fault: str) -> None:
    desk = opened(home, exchange=Exchange(faults=[fault]))
    order = desk.stage()

    desk.approve(order.id)
    desk.system.settle()
    meanwhile = desk.order(order.id).state
    desk.system.advance(ANSWER_WITHIN + RESOLVE_AFTER + 1)

    assert meanwhile is OrderState.APPROVED
    assert desk.order(order.id).state is OrderState.WORKING
    assert desk.exchange.sent == [order.id]  # a deaf one was not sent, a mute one was
    assert list(desk.exchange.orders) == [order.id]


def test_what_was_approved_when_the_desk_ended_is_sent_by_the_next_one_under_the_same_id(home: Home) -> None:
    exchange = Exchange(faults=["deaf"])
    desk = opened(home, exchange=exchange)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()

    after = Desk(home, exchange)
    after.system.advance(1)

    assert after.order(order.id).state is OrderState.WORKING
    assert exchange.sent == [order.id]


def test_what_may_not_be_bought_any_more_is_not_sent_again(home: Home) -> None:
    exchange = Exchange(faults=["deaf"])
    desk = opened(home, exchange=exchange)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.keep(*states.set_state("all", TradingState.REDUCING, "enough", 1))

    after = Desk(home, exchange)
    after.system.advance(1)

    assert (after.order(order.id).state, exchange.sent) == (OrderState.DENIED, [])
    assert after.order(order.id).why.startswith("trading_state: ")


def test_nothing_is_sent_once_the_file_halt_is_there(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    home.halt.touch()

    said = desk.approve(order.id)
    desk.system.settle()
    while_halted = desk.order(order.id).state
    home.halt.unlink()
    desk.approve(order.id)
    home.halt.touch()  # between the yes and the sending
    desk.system.settle()

    assert refusal(said).code == "denied"
    assert "HALT" in refusal(said).sentence
    assert while_halted is OrderState.STAGED
    assert desk.exchange.sent == []
    assert desk.order(order.id).state in {OrderState.CANCELLED, OrderState.STAGED}


def set_state(desk: Desk, state: TradingState, scope: str = "all") -> Probe[Said | Refused]:
    probe = Probe[Said | Refused]()
    desk.ref.tell(SetState(scope, state, "enough", probe))
    desk.system.settle()
    return probe


def test_a_halt_cancels_what_works(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()

    set_state(desk, TradingState.HALTED)

    assert desk.order(order.id).state is OrderState.CANCELLED
    assert desk.exchange.orders[order.id].stage is Stage.CANCELLED


def test_a_halt_survives_a_restart_and_ends_when_a_person_resumes(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    set_state(desk, TradingState.HALTED)

    after = Desk(home, desk.exchange)
    halted = after.approve(order.id)
    after.system.settle()
    state = states.state(after.read, "paper")
    set_state(after, TradingState.ACTIVE)
    resumed = after.approve(order.id)
    after.system.settle()

    assert (refusal(halted).code, state) == ("denied", (TradingState.HALTED, "enough"))
    assert isinstance(resumed.received[0], Said)
    assert desk.exchange.sent == [order.id]


def test_an_unknown_scope_is_refused(home: Home) -> None:
    assert "nobody: is none of all, paper" in refusal(set_state(opened(home), TradingState.HALTED, "nobody")).sentence


def test_a_fill_told_twice_or_seen_again_is_booked_once(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    executed = desk.exchange.fill(order.id)

    desk.ref.tell(executed)
    desk.ref.tell(executed)
    desk.system.settle()
    desk.ref.tell(executed)
    desk.reconcile()

    assert desk.order(order.id).filled == order.ticket.quantity
    assert len(orders.fills(desk.read, order.id)) == 1
    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    desk.agree()


def test_a_fill_nobody_was_told_of_is_adopted(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.exchange.fill(order.id, Decimal(3))
    desk.exchange.fill(order.id)

    desk.reconcile()

    assert desk.order(order.id).state is OrderState.FILLED
    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    desk.agree()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"quantity": Decimal(10_000)}, "is filled; not 10000"),
        ({"quantity": Decimal(0)}, "is no fill"),
        ({"quantity": Decimal(-1)}, "is no fill"),
        ({"price": Decimal("NaN")}, "is no fill"),
        ({"side": Side.SELL}, "this is sell AAPL"),
        ({"symbol": Symbol("IBM")}, "this is buy IBM"),
        ({"client_id": ClientId("f" * 24)}, "its order is none of this desk"),
        ({"price": Decimal(9 * 10**9)}, "cannot be booked: "),
        ({"quantity": Decimal("1.0000000001")}, "cannot be booked: "),
    ],
)
def test_an_execution_that_cannot_be_ours_halts_trading_and_the_ledger_is_unharmed(
    home: Home, change: dict[str, object], why: str
) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    executed = desk.exchange.fill(order.id)

    desk.ref.tell(replace(executed, execution=replace(executed.execution, **change)))  # type: ignore[arg-type]
    desk.system.settle()

    state, sentence = states.state(desk.read, "paper")
    assert (state, why in sentence) == (TradingState.HALTED, True), sentence
    assert ledger.held(desk.read) == []
    assert ledger.cash(desk.read) == CASH
    assert not desk.system.failed.done()


def test_who_resumes_ends_what_the_desk_has_halted_by_itself(home: Home) -> None:
    desk = opened(home)
    desk.exchange.cash += Decimal("0.01")
    desk.reconcile()
    halted, probe = states.state(desk.read, "paper")[0], Probe[Said | Refused]()
    desk.exchange.cash -= Decimal("0.01")

    desk.ref.tell(SetState("all", TradingState.ACTIVE, "mended", probe))
    desk.system.settle()

    assert halted is TradingState.HALTED
    assert probe.received == [Said("trading is ACTIVE for all")]
    assert states.state(desk.read, "paper")[0] is TradingState.ACTIVE


def test_a_difference_of_a_share_or_a_cent_halts_trading(home: Home) -> None:
    desk = opened(home)
    desk.reconcile()
    before = states.state(desk.read, "paper")[0]
    desk.exchange.cash -= Decimal("0.01")

    desk.reconcile()

    assert before is TradingState.ACTIVE
    assert states.state(desk.read, "paper") == (
        TradingState.HALTED,
        "reconciliation: paper has 99999.99 of cash, the books say 100000",
    )


@pytest.mark.parametrize("seed", range(12))
def test_an_import_that_comes_while_the_account_is_looked_at_is_no_difference(home: Home, seed: int) -> None:
    desk = StagedDesk(home, seed=seed).start()
    looked, imported = Probe[Finished | Refused](), Probe[Imported | Refused]()

    desk.desk.trading.tell(Run(Lease(1, 1), Reconcile(), CorrelationId("c" * 32), looked))
    holding = Holding(AAPL, Decimal(10), Decimal(100), None)
    desk.desk.trading.tell(Import((holding,), CASH, "mine.csv", CorrelationId("d" * 32), imported))
    desk.system.settle()

    assert isinstance(imported.received[0], Imported)
    assert isinstance(looked.received[0], Finished)
    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")


def test_an_order_that_ended_at_the_broker_ends_here(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.exchange.orders[order.id] = Seen(order.id, Stage.EXPIRED, Decimal(0), "the session is over")

    desk.reconcile()

    assert (desk.order(order.id).state, desk.order(order.id).why) == (OrderState.LAPSED, "the session is over")


def test_an_order_the_broker_does_not_want_is_refused_and_says_why(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["reject"]))
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()

    assert (desk.order(order.id).state, desk.order(order.id).why) == (OrderState.REFUSED, "not today")


def test_a_rejection_keeps_its_reason_for_the_next_question(home: Home) -> None:
    desk, probe = opened(home), Probe[Said | Refused]()
    order = desk.stage()

    desk.ref.tell(Reject(order.id, "too much of it already", probe))
    desk.system.settle()
    said = desk.approve(order.id)
    desk.system.settle()

    assert isinstance(probe.received[0], Said)
    assert orders.rejections(desk.read, AAPL, 3) == ["too much of it already"]
    assert "is rejected, not staged: too much of it already" in refusal(said).sentence


def test_an_approval_expires(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()

    desk.system.manual.manual.now += 24 * 3_600  # at one blow, not by all that is due meanwhile
    desk.system.advance(TICK)
    said = desk.approve(order.id)
    desk.system.settle()

    assert desk.order(order.id).state is OrderState.EXPIRED
    assert "is expired, not staged" in refusal(said).sentence


def test_an_approval_that_comes_too_late_ends_the_order_before_anyone_has_looked(home: Home) -> None:
    desk = Desk(home, Exchange(), TradingTerms(approval_hours=1, reconcile_minutes=1_440))
    desk.open()
    order = desk.stage()
    desk.system.advance(3_600)

    said = desk.approve(order.id)
    desk.system.settle()

    assert refusal(said).sentence == f"order {order.id} is expired: nobody has approved it in time"
    assert (desk.order(order.id).state, desk.exchange.sent) == (OrderState.EXPIRED, [])


def test_a_working_order_can_be_cancelled_and_one_that_is_not_says_so(home: Home) -> None:
    desk, first, second = opened(home), Probe[Said | Refused](), Probe[Said | Refused]()
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()

    desk.ref.tell(Withdraw(order.id, first))
    desk.system.settle()
    desk.ref.tell(Withdraw(order.id, second))
    desk.system.settle()

    assert first.received == [Said(f"order {order.id} is cancelled at paper")]
    assert desk.order(order.id).state is OrderState.CANCELLED
    assert "is cancelled, not working" in refusal(second).sentence


def test_what_protects_a_position_stands_in_the_books_as_soon_as_there_is_one(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.ref.tell(desk.exchange.fill(order.id, Decimal(2)))
    desk.ref.tell(desk.exchange.fill(order.id, Decimal(1)))
    desk.system.settle()

    legs = [each for each in orders.of_decision(desk.read, order.decision) if each.id != order.id]

    assert [(leg.id[-2:], leg.ticket.quantity, leg.state) for leg in legs] == [
        ("sl", Decimal(3), OrderState.WORKING),
        ("tp", Decimal(3), OrderState.WORKING),
    ]
    assert (legs[0].ticket.stop, legs[1].ticket.limit) == (Decimal(90), Decimal(120))


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_lost_and_whenever_the_desk_ends_there_is_one_order_and_the_books_agree(
    home: Home, seed: int
) -> None:
    chance = random.Random(seed)
    exchange = Exchange(faults=[chance.choice(["kind", "deaf", "mute"]) for _ in range(chance.randrange(4))])
    desk = Desk(home, exchange, seed=seed)
    desk.open()
    order = desk.stage()
    desk.approve(order.id)
    for life in range(chance.randrange(1, 5)):
        for _ in range(chance.randrange(40)):
            desk.system.turn()
        if order.id in exchange.orders and exchange.orders[order.id].stage is Stage.WORKING:
            executed = exchange.fill(
                order.id, min(Decimal(2), order.ticket.quantity - exchange.orders[order.id].filled)
            )
            for _ in range(chance.randrange(3)):
                desk.ref.tell(executed)
        desk = Desk(home, exchange, seed=seed * 100 + life)
    desk.system.advance(2 * (ANSWER_WITHIN + RESOLVE_AFTER))
    if desk.order(order.id).state is OrderState.STAGED:  # it ended before the yes was on disk
        desk.approve(order.id)
        desk.system.advance(2 * (ANSWER_WITHIN + RESOLVE_AFTER))
    desk.reconcile()

    assert list(exchange.tickets) == [order.id]
    assert desk.order(order.id).filled == exchange.orders[order.id].filled
    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    desk.agree()


def test_what_protects_a_position_is_cancelled_before_the_position_is_sold(home: Home) -> None:
    desk = opened(home)
    bought = desk.stage()
    desk.approve(bought.id)
    desk.system.settle()
    desk.ref.tell(desk.exchange.fill(bought.id))
    desk.system.settle()

    sale = desk.stage(Action.SELL, CorrelationId("d" * 32))
    desk.approve(sale.id)
    desk.system.settle()
    stages = {id_[-3:]: desk.exchange.orders[ClientId(id_)].stage for id_ in (f"{bought.id}-tp", f"{bought.id}-sl")}
    desk.ref.tell(desk.exchange.fill(sale.id))
    desk.system.settle()

    assert stages == {"-tp": Stage.CANCELLED, "-sl": Stage.CANCELLED}
    assert desk.exchange.sent == [bought.id, sale.id]
    assert ledger.held(desk.read) == []
    desk.agree()


def test_a_loss_of_a_day_halts_trading_and_books_opened_anew_forget_what_was_before(home: Home) -> None:
    desk = opened(home, Holding(AAPL, Decimal(500), Decimal(100), None))
    desk.system.advance(TICK)
    before = states.state(desk.read, "paper")[0]
    desk.prices(90.0)
    desk.system.advance(TICK)
    lost = states.state(desk.read, "paper")
    set_state(desk, TradingState.ACTIVE, "paper")
    desk.open(Holding(AAPL, Decimal(1), Decimal(100), None))
    desk.system.advance(TICK)

    assert before is TradingState.ACTIVE
    assert lost[0] is TradingState.HALTED
    assert "max_daily_loss" in lost[1]
    assert states.state(desk.read, "paper")[0] is TradingState.ACTIVE
