"""What overtakes what: answers and fills, halts and approvals, protection and sales, and what found no room."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from actors.domain import mandates
from actors.domain.mandates import Mandate
from actors.kernel.testing import Probe
from actors.trading.account import ANSWER_WITHIN, RESOLVE_AFTER
from messages.addresses import Refused
from messages.broker import ClientId, Executed, Execution, Seen, Side, Stage, Ticket
from messages.database import Write
from messages.research import Action
from messages.tasks import Lease, Run, StageOrder
from messages.trading import (
    GiveMandate,
    Holding,
    Order,
    OrderState,
    Said,
    SetState,
    TradingState,
    TradingTerms,
    Withdraw,
)
from messages.values import CorrelationId, Symbol
from storage import bars, decisions, ledger, orders, states
from storage.home import Home
from tests.actors.domain import making
from tests.actors.trading.staged import AAPL, ROUND, Desk, Exchange

TICK = 5 * 60.0
UNKNOWN = ANSWER_WITHIN + RESOLVE_AFTER + 1
LATER = CorrelationId("d" * 32)


def opened(home: Home, *holdings: Holding, exchange: Exchange | None = None, seed: int = 0) -> Desk:
    desk = Desk(home, exchange or Exchange(), seed=seed)
    desk.open(*holdings)
    return desk


def approved(desk: Desk) -> Order:
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    return order


def bought(home: Home, quantity: int | None = None, seed: int = 0) -> tuple[Desk, ClientId, ClientId]:
    """A desk that holds AAPL and protects it, and both legs as the exchange has them."""
    desk = opened(home, seed=seed)
    order = approved(desk)
    desk.ref.tell(desk.exchange.fill(order.id, None if quantity is None else Decimal(quantity)))
    desk.system.settle()
    legs = ClientId(f"{order.id}-tp"), ClientId(f"{order.id}-sl")
    for leg in legs:
        desk.exchange.tickets[leg] = replace(desk.order(leg).ticket)
    return desk, *legs


def sale(desk: Desk) -> Order:
    """Of all that is held, approved and not looked at yet."""
    order = desk.stage(Action.SELL, LATER)
    desk.approve(order.id)
    return order


def halt(desk: Desk, state: TradingState = TradingState.HALTED) -> Probe[Said | Refused]:
    probe = Probe[Said | Refused]()
    desk.ref.tell(SetState("all", state, "enough", probe))
    return probe


def no_room_once(desk: Desk, marker: str) -> None:
    """The writer has no room for the next write that has this in it."""
    deliver, full = desk.system.cells[0].deliver, [marker]

    def crowded(message: Write) -> bool:
        if full and any(full[0] in f"{each}" for each in message.statements):
            full.clear()
            message.reply_to.refuse("full", "there is no room")
            return False
        return deliver(message)

    desk.writer.bind(crowded)


# Answers and fills


@pytest.mark.parametrize("seed", range(8))
def test_an_answer_that_the_fill_has_overtaken_does_not_end_the_desk(home: Home, seed: int) -> None:
    desk = opened(home, exchange=Exchange(faults=["hold"]), seed=seed)
    order = approved(desk)

    desk.ref.tell(desk.exchange.fill(order.id))
    desk.exchange.answers.pop()()
    desk.system.settle()

    assert not desk.system.failed.done()
    assert desk.order(order.id).state is OrderState.FILLED
    desk.agree()


def test_what_the_broker_has_unheard_is_found_before_anything_is_made_of_it(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["mute"]))
    order = approved(desk)
    halt(desk, TradingState.REDUCING)

    desk.system.advance(UNKNOWN)

    assert desk.order(order.id).state is OrderState.WORKING
    assert desk.exchange.sent == [order.id]


def test_a_leg_s_execution_that_comes_before_its_order_s_is_booked_after_it(home: Home) -> None:
    desk = opened(home)
    order = approved(desk)
    desk.exchange.fill(order.id)
    leg = ClientId(f"{order.id}-tp")
    desk.exchange.tickets[leg] = Ticket(leg, AAPL, Side.SELL, order.ticket.quantity)

    desk.ref.tell(desk.exchange.fill(leg))
    desk.system.settle()

    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    assert [desk.order(each).state for each in (order.id, leg)] == [OrderState.FILLED] * 2
    desk.agree()


def test_more_of_a_leg_than_there_is_as_yet_is_looked_for_and_what_the_account_shows_is_judged(home: Home) -> None:
    desk, leg, _ = bought(home, 3)

    desk.ref.tell(desk.exchange.fill(leg, Decimal(4)))  # of its order three were filled
    desk.system.settle()

    assert states.state(desk.read, "paper")[0] is TradingState.HALTED
    assert "is for 3, 0 is filled; not 4" in " ".join(note.sentence for note in orders.journal(desk.read, ""))
    assert ledger.held(desk.read)[0].quantity == 3


def test_a_leg_that_the_other_has_made_smaller_ends_as_filled(home: Home) -> None:
    desk, profit, stop = bought(home, 3)
    desk.ref.tell(desk.exchange.fill(profit, Decimal(2)))
    desk.exchange.fill(stop, Decimal(1))
    desk.exchange.orders[profit] = Seen(profit, Stage.CANCELLED, Decimal(2), "the stop was reached")
    desk.exchange.orders[stop] = Seen(stop, Stage.FILLED, Decimal(1))

    desk.reconcile()
    desk.reconcile()

    assert [desk.order(leg).state for leg in (profit, stop)] == [OrderState.CANCELLED, OrderState.FILLED]
    assert desk.order(stop).filled == 1
    desk.agree()


def test_of_an_order_that_is_not_known_to_be_there_rubbish_makes_nothing(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["deaf"]))
    order = approved(desk)
    far_too_much = Execution(order.id, "x1", AAPL, Side.BUY, Decimal(10_000), Decimal(100), Decimal(0), making.LAST, 1)

    desk.ref.tell(Executed(far_too_much, Seen(order.id, Stage.WORKING, Decimal(10_000))))
    desk.system.settle()

    assert desk.order(order.id).state is OrderState.APPROVED
    assert states.state(desk.read, "paper")[0] is TradingState.HALTED


# Halts and approvals


@pytest.mark.parametrize("seed", range(8))
def test_what_goes_to_the_disk_before_a_halt_is_not_sent_after_it(home: Home, seed: int) -> None:
    desk = opened(home, seed=seed)
    order = desk.stage()

    desk.approve(order.id)
    halt(desk)
    desk.system.advance(1)

    if desk.exchange.sent:  # it was earlier
        assert desk.exchange.orders[order.id].stage is Stage.CANCELLED
    assert desk.order(order.id).state in {OrderState.DENIED, OrderState.CANCELLED}


def test_a_cancel_that_was_lost_while_trading_halts_is_asked_for_again(home: Home) -> None:
    desk = opened(home)
    order = approved(desk)
    desk.exchange.faults.append("deaf")

    halt(desk)
    desk.system.advance(ANSWER_WITHIN + TICK)

    assert desk.exchange.orders[order.id].stage is Stage.CANCELLED
    assert desk.order(order.id).state is OrderState.CANCELLED


def test_what_works_is_cancelled_by_the_next_desk_where_one_ended_while_it_halted(home: Home) -> None:
    desk = opened(home)
    order = approved(desk)
    desk.keep(*states.set_state("all", TradingState.HALTED, "enough", 1))

    after = Desk(home, desk.exchange)
    after.system.advance(1)

    assert after.order(order.id).state is OrderState.CANCELLED


def test_orders_that_the_broker_does_not_know_are_not_asked_about_without_end(home: Home) -> None:
    desk = opened(home)
    order = approved(desk)
    other = replace(order.ticket, client_id=ClientId("f" * 24))
    desk.keep(*orders.insert(replace(order, ticket=other, state=OrderState.WORKING)))
    del desk.exchange.orders[order.id]

    halt(desk)
    desk.system.settle(2_000)

    assert "does not know it now" in states.halts(desk.read, "paper")[-1].why


def test_the_file_halt_has_what_works_cancelled(home: Home) -> None:
    desk = opened(home)
    order = approved(desk)

    home.halt.touch()
    desk.system.advance(TICK)

    assert desk.order(order.id).state is OrderState.CANCELLED


def test_what_came_to_the_broker_after_it_was_given_up_is_cancelled_there(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["deaf"]))
    order = approved(desk)
    halt(desk)
    desk.system.advance(UNKNOWN)
    given_up = desk.order(order.id)
    desk.exchange.orders[order.id] = Seen(order.id, Stage.WORKING, Decimal(0))

    desk.reconcile()
    desk.system.settle()

    assert given_up.state is OrderState.DENIED
    assert desk.exchange.orders[order.id].stage is Stage.CANCELLED


def test_an_approval_that_has_expired_meanwhile_sends_nothing(home: Home) -> None:
    desk = Desk(home, Exchange(faults=["deaf"] * 99), TradingTerms(approval_hours=1))
    desk.open()
    order = approved(desk)

    desk.system.advance(3_600)
    desk.exchange.faults.clear()
    desk.system.advance(2 * UNKNOWN)

    assert (desk.order(order.id).state, desk.exchange.sent) == (OrderState.DENIED, [])
    assert desk.order(order.id).why == "approval: it has expired"


@pytest.mark.parametrize("expires", [True, False])
def test_what_a_mandate_allowed_is_not_sent_once_that_holds_no_more(home: Home, expires: bool) -> None:
    desk = opened(home, exchange=Exchange(faults=["deaf"]))
    until = desk.system.clock.utc() + (60 if expires else 3_600) * 10**6
    mandate = Mandate(Decimal(50_000), 10, None, frozenset(Side), 0.6, until)
    desk.ref.tell(GiveMandate(mandates.text(mandate), mandates.digest(mandate), Probe[Said | Refused]()))
    order = desk.stage()
    if not expires:
        desk.ref.tell(GiveMandate(None, "", Probe[Said | Refused]()))

    desk.system.advance(UNKNOWN)

    hash_ = mandates.digest(mandate)
    assert order.mandate == hash_
    assert (desk.order(order.id).state, desk.exchange.sent) == (OrderState.DENIED, [])
    assert desk.order(order.id).why == f"approval: the mandate {hash_[:12]} that allowed it holds no more"


def test_what_has_become_worth_more_than_its_mandate_allows_is_not_sent(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["deaf"]))
    until = desk.system.clock.utc() + 3_600 * 10**6
    mandate = Mandate(Decimal(5_000), 1, None, frozenset(Side), 0.6, until)
    desk.ref.tell(GiveMandate(mandates.text(mandate), mandates.digest(mandate), Probe[Said | Refused]()))
    order = desk.stage()
    desk.prices(104.0)

    desk.system.advance(UNKNOWN)

    assert order.mandate == mandates.digest(mandate)
    assert (desk.order(order.id).state, desk.exchange.sent) == (OrderState.DENIED, [])
    assert desk.order(order.id).why.endswith("it is worth 5,200.00, the mandate allows 5,000.00")


# Protection and sales


def test_nothing_is_sold_while_it_is_not_known_whether_its_protection_still_works(home: Home) -> None:
    desk, leg, _ = bought(home)
    desk.exchange.faults.append("deaf")
    desk.ref.tell(Withdraw(leg, Probe[Said | Refused]()))
    desk.system.settle()

    order = sale(desk)
    desk.system.settle()
    while_unknown = list(desk.exchange.sent)
    desk.system.advance(2 * UNKNOWN)

    assert order.id not in while_unknown
    assert desk.exchange.sent[-1] == order.id
    assert desk.exchange.orders[leg].stage is Stage.CANCELLED


def test_what_protection_has_sold_unheard_is_not_sold_again(home: Home) -> None:
    desk, leg, _ = bought(home)
    order = sale(desk)
    desk.exchange.fill(leg)

    desk.system.advance(UNKNOWN)

    assert desk.exchange.sent == [ClientId(leg.removesuffix("-tp"))]
    assert desk.order(order.id).why.startswith("short: ")
    assert ledger.held(desk.read) == []
    desk.agree()


@pytest.mark.parametrize("seed", range(8))
def test_what_protection_sells_while_the_yes_goes_to_the_disk_is_not_sold_again(home: Home, seed: int) -> None:
    desk, profit, stop = bought(home, seed=seed)
    desk.ref.tell(Withdraw(profit, Probe[Said | Refused]()))
    desk.system.settle()

    order = sale(desk)
    desk.ref.tell(desk.exchange.fill(stop))
    desk.system.advance(2 * UNKNOWN)

    assert desk.order(order.id).why.startswith("short: ")
    assert order.id not in desk.exchange.sent
    desk.agree()


def test_what_protection_has_sold_a_part_of_is_not_oversold(home: Home) -> None:
    desk, leg, _ = bought(home)
    order = sale(desk)
    desk.exchange.fill(leg, Decimal(1))

    desk.system.advance(UNKNOWN)

    assert desk.order(order.id).why.startswith("short: ")
    assert desk.exchange.held[AAPL] == order.ticket.quantity - 1
    desk.agree()


def test_a_sale_whose_protection_the_broker_does_not_know_comes_to_an_end(home: Home) -> None:
    desk, leg, _ = bought(home)
    del desk.exchange.orders[leg]

    order = sale(desk)
    desk.system.advance(UNKNOWN)

    assert "does not know it now" in states.state(desk.read, "paper")[1]
    assert desk.order(order.id).state is OrderState.DENIED


def test_what_the_broker_does_not_know_halts_until_a_person_cancels_it_and_resumes(home: Home) -> None:
    desk, probe, resumed = opened(home), Probe[Said | Refused](), Probe[Said | Refused]()
    order = approved(desk)
    lost = desk.exchange.orders.pop(order.id)
    desk.reconcile()
    assert "does not know it now" in states.state(desk.read, "paper")[1]

    desk.ref.tell(Withdraw(order.id, probe))
    desk.system.settle()
    desk.ref.tell(SetState("all", TradingState.ACTIVE, "seen to", resumed))
    desk.reconcile()

    assert probe.received == [Said(f"order {order.id} is cancelled at paper: paper does not know it")]
    assert desk.order(order.id).state is OrderState.CANCELLED
    assert desk.order(order.id).why == "paper does not know it"
    assert states.state(desk.read, "paper")[0] is TradingState.ACTIVE

    desk.exchange.orders[order.id] = lost  # and there it is after all, and is filled
    desk.exchange.fill(order.id)
    desk.reconcile()

    desk.agree()


# What found no room


def test_a_fill_for_which_there_was_no_room_is_no_difference(home: Home) -> None:
    desk = opened(home)
    order = approved(desk)
    desk.exchange.fill(order.id)
    no_room_once(desk, "trading_fills")

    desk.reconcile()
    meanwhile = states.state(desk.read, "paper")
    desk.reconcile()

    assert meanwhile == (TradingState.ACTIVE, "")
    desk.agree()


def test_what_a_leg_has_done_waits_for_what_its_order_has_where_there_was_no_room_for_that(home: Home) -> None:
    desk = opened(home)
    order = approved(desk)
    desk.exchange.fill(order.id)
    leg = ClientId(f"{order.id}-sl")
    desk.exchange.tickets[leg] = Ticket(leg, AAPL, Side.SELL, order.ticket.quantity)
    desk.exchange.fill(leg)
    no_room_once(desk, "trading_fills")

    desk.reconcile()
    desk.reconcile()

    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    desk.agree()


def test_nothing_goes_out_while_nothing_can_be_committed(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["deaf"]))
    order = approved(desk)
    deliver, full = desk.system.cells[0].deliver, [True]

    def crowded(message: Write) -> bool:
        if full:
            message.reply_to.refuse("full", "the disk is full")
            return False
        return deliver(message)

    desk.writer.bind(crowded)
    desk.system.advance(2 * UNKNOWN)
    meanwhile = list(desk.exchange.sent)
    full.clear()
    desk.system.advance(UNKNOWN)

    assert meanwhile == []
    assert desk.order(order.id).state is OrderState.WORKING


def test_an_order_whose_end_found_no_room_is_seen_to_again(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["deaf"]))
    order = approved(desk)
    halt(desk, TradingState.REDUCING)
    no_room_once(desk, "denied")

    desk.system.advance(UNKNOWN)
    meanwhile = desk.order(order.id).state
    desk.system.advance(TICK)

    assert meanwhile is OrderState.APPROVED
    assert desk.order(order.id).state is OrderState.DENIED


def test_an_order_that_is_on_disk_though_nobody_was_told_is_sent(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    judged = replace(order, state=OrderState.APPROVED, approved_by="person")
    desk.keep(*orders.approve(judged, 1))

    desk.system.advance(TICK)

    assert desk.order(order.id).state is OrderState.WORKING


# Buying power


def test_of_two_decisions_for_one_symbol_at_once_the_second_waits_for_the_first(home: Home) -> None:
    desk = opened(home)
    first, second = desk.decide(), desk.decide(round_=LATER)

    for task, decision in enumerate((first, second)):
        desk.ref.tell(Run(Lease(task, 1), StageOrder(decision), ROUND, Probe[Any]()))
    desk.system.settle()

    assert [order.why.split(":")[0] for order in orders.newest(desk.read, 2) if order.state is OrderState.DENIED] == [
        "duplicate"
    ]


def test_slippage_and_fees_of_other_orders_are_reserved_as_well(home: Home) -> None:
    desk = opened(home, Holding(Symbol("MSFT"), Decimal(10_000), Decimal(100), None))
    for symbol, last in ((Symbol("MSFT"), 100.0), (Symbol("IBM"), 1.0)):
        walk = making.walk(300)
        desk.keep(*bars.replace(desk.read, symbol, making.bars(walk * (last / walk[-1]))))
    desk.open(Holding(Symbol("MSFT"), Decimal(10_000), Decimal(100), None), cash=Decimal(20_000))

    first = desk.stage()
    second = decisions.by_id(desk.read, first.decision)
    assert second is not None
    other = replace(second.decision, symbol=Symbol("IBM"), stop=None, target=None)
    desk.keep(decisions.insert(other, ROUND, 1))
    id_ = decisions.id_of(other, ROUND)
    desk.run(StageOrder(id_))

    assert first.ticket.quantity == 198  # 19,800, and with a hundredth on top 2 less than there is
    [denied] = orders.of_decision(desk.read, id_)
    assert denied.why.startswith("too_small: "), denied.why
