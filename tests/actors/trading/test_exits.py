"""HALTED cancels what works and closes positions where that is set: each sold once, none left, by books that agree."""

import random
from decimal import Decimal

import pytest

from actors.kernel.testing import Probe
from actors.trading.account import ANSWER_WITHIN, RESOLVE_AFTER
from actors.trading.coordinator import GLANCE
from actors.trading.exits import PURSUE, STOPPING
from messages.addresses import Refused
from messages.broker import ClientId, Side, Stage
from messages.research import Action
from messages.tasks import Finished, Lease, Reconcile, Run, StageOrder
from messages.trading import Close, Holding, Order, OrderState, Said, SetState, TradingState, TradingTerms
from messages.values import CorrelationId, Symbol
from storage import ledger, orders, states
from storage.home import Home
from tests.actors.trading.staged import AAPL, ROUND, Desk, Exchange

TICK = 5 * 60.0
FLATTEN = TradingTerms(when_halted="flatten")
NEVER = Symbol("NEVER")
HELD = Holding(AAPL, Decimal(30), Decimal(50), None)


def opened(home: Home, terms: TradingTerms | None = None, exchange: Exchange | None = None) -> Desk:
    """30 AAPL are held, of which the price is 100."""
    desk = Desk(home, exchange or Exchange(), terms)
    desk.open(HELD)
    return desk


def halt(desk: Desk, *, flatten: bool | None = None, state: TradingState = TradingState.HALTED) -> Said | Refused:
    probe = Probe[Said | Refused]()
    desk.ref.tell(SetState("all", state, "enough", probe, flatten))
    desk.system.settle()
    [answer] = probe.received
    return answer


def closing(desk: Desk) -> list[Order]:
    """The orders that close positions because trading halted, as they are kept."""
    return [order for order in reversed(orders.newest(desk.read, 100)) if order.flattens]


def fill(desk: Desk, id_: ClientId, quantity: Decimal | None = None) -> None:
    desk.ref.tell(desk.exchange.fill(id_, quantity))
    desk.system.settle()


def test_by_default_a_halt_leaves_what_is_held(home: Home) -> None:
    desk = opened(home)

    halt(desk)
    home.halt.touch()
    desk.system.advance(2 * TICK)

    assert (desk.exchange.sent, closing(desk)) == ([], [])


@pytest.mark.parametrize("terms", [TradingTerms(), FLATTEN], ids=["told", "set"])
def test_a_halt_that_flattens_cancels_what_works_and_sells_what_is_held(home: Home, terms: TradingTerms) -> None:
    desk = opened(home, terms)
    bought = desk.stage()
    desk.approve(bought.id)
    desk.system.settle()
    fill(desk, bought.id, Decimal(4))

    said = halt(desk, flatten=None if terms.when_halted == "flatten" else True)
    desk.system.advance(3 * PURSUE)
    [exit_] = closing(desk)
    fill(desk, exit_.id)

    assert said == Said("trading is HALTED for all; positions are being closed")
    assert desk.exchange.orders[bought.id].stage is Stage.CANCELLED
    assert (exit_.ticket.side, exit_.ticket.quantity, exit_.approved_by) == (Side.SELL, Decimal(34), "halt")
    assert desk.exchange.sent == [bought.id, exit_.id]
    assert ledger.held(desk.read) == []
    assert [note.what for note in orders.journal(desk.read, exit_.id)] == ["approved", "working", "fill"]
    desk.agree()


def test_a_person_can_halt_without_what_is_set(home: Home) -> None:
    desk = opened(home, FLATTEN)

    halt(desk, flatten=False)
    desk.system.advance(TICK)

    assert closing(desk) == []


def test_the_file_halt_flattens_where_that_is_set_and_no_other_order_passes(home: Home) -> None:
    desk = opened(home, FLATTEN)
    order = desk.stage()
    desk.approve(order.id)
    while desk.order(order.id).state is OrderState.STAGED:
        desk.system.turn()
    home.halt.touch()  # between the yes and the sending
    desk.system.settle()

    desk.system.advance(GLANCE + 3 * PURSUE)
    [exit_] = closing(desk)
    fill(desk, exit_.id)

    assert desk.order(order.id).state is OrderState.DENIED
    assert desk.exchange.sent == [exit_.id]
    assert ledger.held(desk.read) == []


def test_the_file_halt_cancels_what_works(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    home.halt.touch()

    desk.system.advance(GLANCE)

    assert desk.order(order.id).state is OrderState.CANCELLED
    assert [note.what for note in orders.journal(desk.read, "")] == ["HALTED"]


def test_the_file_halt_stops_a_flattening_where_it_does_not_mean_one(home: Home) -> None:
    desk = opened(home)
    halt(desk, flatten=True)
    desk.system.advance(3 * PURSUE)
    home.halt.touch()

    desk.system.advance(TICK)
    refused = halt(desk, flatten=True)

    [exit_] = closing(desk)
    assert (exit_.state, exit_.filled) == (OrderState.CANCELLED, Decimal(0))
    assert isinstance(refused, Refused)
    assert "positions are not closed: nothing at all is sent: " in refused.sentence


def test_a_loss_flattens_where_that_is_set(home: Home) -> None:
    desk = Desk(home, Exchange(), FLATTEN)
    desk.open(Holding(AAPL, Decimal(500), Decimal(100), None))
    desk.system.advance(TICK)
    desk.prices(90.0)

    desk.system.advance(TICK + 3 * PURSUE)

    [exit_] = closing(desk)
    assert "max_daily_loss" in states.state(desk.read, "paper")[1]
    assert (exit_.ticket.quantity, exit_.state) == (Decimal(500), OrderState.WORKING)


def test_books_that_may_be_wrong_are_never_flattened_by_nor_when_told(home: Home) -> None:
    desk = opened(home, FLATTEN)
    desk.exchange.cash -= Decimal("0.01")

    desk.reconcile()
    refused = halt(desk, flatten=True)
    halt(desk)
    desk.system.advance(2 * TICK)

    assert isinstance(refused, Refused)
    assert "the books may be wrong: reconciliation: paper has " in refused.sentence
    assert (desk.exchange.sent, closing(desk)) == ([], [])


def test_a_difference_that_is_found_while_it_flattens_ends_it(home: Home) -> None:
    desk = opened(home)
    desk.exchange.held[AAPL] -= 1

    halt(desk, flatten=True)
    desk.system.advance(2 * TICK)

    assert states.state(desk.read, "paper")[0] is TradingState.HALTED
    assert closing(desk) == []


def test_without_a_price_a_position_stays_and_it_is_said_why(home: Home) -> None:
    desk = Desk(home, Exchange())
    desk.open(HELD, Holding(NEVER, Decimal(5), Decimal(1), None))

    halt(desk, flatten=True)
    desk.system.advance(3 * PURSUE)

    states = {order.ticket.symbol: (order.state, order.why.partition(":")[0]) for order in closing(desk)}
    assert states[NEVER] == (OrderState.DENIED, "unknown_symbol")
    assert states[AAPL][0] is OrderState.WORKING


def test_what_ended_unfilled_is_tried_again_under_another_id_ever_more_seldom(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["reject"] * 3))

    halt(desk, flatten=True)
    desk.system.advance(10 * TICK)

    refused = [order.state for order in closing(desk)]
    assert refused == [OrderState.REFUSED] * 3 + [OrderState.WORKING]
    assert len(set(desk.exchange.sent)) == 4


def test_what_was_filled_in_part_leaves_the_rest_for_the_next(home: Home) -> None:
    desk = opened(home)
    halt(desk, flatten=True)
    desk.system.advance(3 * PURSUE)
    [first] = closing(desk)
    fill(desk, first.id, Decimal(10))
    desk.exchange.end(first.id, Stage.EXPIRED)

    desk.system.advance(3 * TICK)

    assert [(order.state, order.ticket.quantity) for order in closing(desk)] == [
        (OrderState.LAPSED, Decimal(30)),
        (OrderState.WORKING, Decimal(20)),
    ]


def test_when_a_person_resumes_what_is_not_sold_yet_stays(home: Home) -> None:
    desk = opened(home)
    halt(desk, flatten=True)
    desk.system.advance(3 * PURSUE)
    [exit_] = closing(desk)

    halt(desk, state=TradingState.ACTIVE)
    desk.system.advance(2 * TICK)

    assert desk.order(exit_.id).state is OrderState.CANCELLED
    assert desk.exchange.sent == [exit_.id]
    assert ledger.held(desk.read)[0].quantity == 30


def test_an_order_that_was_unknown_when_it_was_halted_is_cancelled_once_it_is_found(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["mute"]))
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()

    halt(desk)
    desk.system.advance(ANSWER_WITHIN + RESOLVE_AFTER + 3 * PURSUE)

    assert desk.exchange.orders[order.id].stage is Stage.CANCELLED
    assert desk.order(order.id).state is OrderState.CANCELLED


@pytest.mark.parametrize("steps", range(1, 30))
def test_a_desk_that_ends_after_any_step_of_a_flattening_sells_once_and_leaves_nothing(home: Home, steps: int) -> None:
    desk = opened(home)
    bought = desk.stage()
    desk.approve(bought.id)
    desk.system.settle()
    fill(desk, bought.id, Decimal(4))
    desk.ref.tell(SetState("all", TradingState.HALTED, "enough", Probe[Said | Refused](), True))
    for _ in range(steps):
        if not desk.system.turn():
            desk.system.advance(PURSUE)
    noted = states.halts(desk.read, "paper") != []

    after = Desk(home, desk.exchange)
    after.system.advance(3 * PURSUE)
    for id_ in (order.id for order in closing(after)):
        after.ref.tell(desk.exchange.fill(id_))
    after.system.advance(TICK)

    assert len(closing(after)) == noted
    assert desk.exchange.held[AAPL] == (0 if noted else 34)
    assert len(set(desk.exchange.sent)) == len(desk.exchange.sent)
    after.agree()


@pytest.mark.parametrize("seed", range(30))
def test_whenever_the_desk_ends_amid_a_flattening_each_position_is_sold_once_and_none_is_left(
    home: Home, seed: int
) -> None:
    chance = random.Random(seed)
    exchange = Exchange(faults=[chance.choice(["kind", "deaf", "mute", "reject"]) for _ in range(chance.randrange(5))])
    desk = Desk(home, exchange, seed=seed)
    desk.open(HELD)
    order = desk.stage()
    desk.approve(order.id)
    for _ in range(chance.randrange(30)):
        desk.system.turn()
    desk.ref.tell(SetState("all", TradingState.HALTED, "enough", Probe[Said | Refused](), True))
    for life in range(chance.randrange(2, 6)):
        for _ in range(chance.randrange(60)):
            if not desk.system.turn():
                desk.system.advance(PURSUE)
        for id_, seen in tuple(exchange.orders.items()):
            if seen.stage is Stage.WORKING and "-" not in id_ and chance.random() < 0.5:
                executed = exchange.fill(id_, min(Decimal(7), exchange.tickets[id_].quantity - seen.filled))
                for _ in range(chance.randrange(3)):
                    desk.ref.tell(executed)
        desk = Desk(home, exchange, seed=seed * 100 + life)
    if states.state(desk.read, "paper")[0] is TradingState.ACTIVE:  # it ended before that was on disk
        halt(desk, flatten=True)
    for _ in range(40):
        if not any(exchange.held.values()):
            break
        desk.system.advance(TICK)
        for id_, seen in tuple(exchange.orders.items()):
            if seen.stage is Stage.WORKING and exchange.tickets[id_].side is Side.SELL:
                exchange.fill(id_)

    desk.system.advance(TICK)
    sold = [order for order in closing(desk) if order.filled]
    assert {symbol: held for symbol, held in exchange.held.items() if held} == {}, seed
    assert min(exchange.held.values()) >= 0
    assert sum(order.filled for order in sold) == 30 + desk.order(order.id).filled
    assert states.state(desk.read, "paper") == (TradingState.HALTED, "enough")
    desk.agree()


@pytest.mark.parametrize("seed", range(12))
def test_what_was_sold_after_the_broker_was_asked_is_not_sold_again(home: Home, seed: int) -> None:
    """The view is older than the sale, the order has ended when it comes, and the fill is not booked yet."""
    desk = Desk(home, Exchange(), seed=seed)
    desk.open(HELD)
    sale = desk.stage(Action.SELL)
    desk.approve(sale.id)
    desk.system.settle()
    desk.system.advance(1.0)
    looks = desk.exchange.looks
    desk.ref.tell(SetState("all", TradingState.HALTED, "enough", Probe[Said | Refused](), True))
    desk.ref.tell(Run(Lease(1, 1), Reconcile(), ROUND, Probe[Finished | Refused]()))

    while desk.exchange.looks == looks:
        desk.system.turn()
    desk.exchange.fill(sale.id, Decimal(5))  # and nobody is told
    desk.system.advance(3 * PURSUE)

    assert [(each.ticket.quantity, each.state) for each in closing(desk)] == [(Decimal(25), OrderState.WORKING)]
    assert desk.exchange.orders[sale.id].stage is Stage.CANCELLED


def close(desk: Desk, *, flatten: bool) -> Probe[Said | Refused]:
    probe = Probe[Said | Refused]()
    desk.ref.tell(Close(flatten, probe))
    desk.system.settle()
    return probe


def test_a_desk_that_stops_says_so_when_nothing_works_any_more_and_goes_on_at_its_next_start(home: Home) -> None:
    desk = opened(home)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()

    said = close(desk, flatten=False)
    desk.system.advance(2 * PURSUE)
    after = Desk(home, desk.exchange)
    after.system.advance(TICK)

    assert said.received == [Said("no order works at paper any more; held: 30 AAPL")]
    assert desk.exchange.orders[order.id].stage is Stage.CANCELLED
    assert states.state(after.read, "paper")[0] is TradingState.ACTIVE
    assert closing(after) == []


def test_a_desk_that_stops_closes_positions_where_told_and_answers_when_that_is_done(home: Home) -> None:
    desk = opened(home)

    said = close(desk, flatten=True)
    desk.system.advance(2 * PURSUE)
    early = list(said.received)
    fill(desk, closing(desk)[0].id)
    desk.system.advance(2 * PURSUE)

    assert early == []
    assert said.received == [Said("no order works at paper any more; held: nothing")]


def test_nothing_is_ordered_while_a_desk_stops_and_a_task_waits_for_the_next_start(home: Home) -> None:
    desk = opened(home)
    order, decision = desk.stage(), desk.decide(round_=CorrelationId("d" * 32))

    close(desk, flatten=False)
    refused, task = desk.approve(order.id), desk.run(StageOrder(decision))

    [yes], [run] = refused.received, task.received
    assert isinstance(yes, Refused)
    assert isinstance(run, Refused)
    assert (yes.sentence, run.code, run.retry_at is None) == (STOPPING, "halted", False)
    assert orders.of_decision(desk.read, decision) == []


def test_a_desk_that_was_killed_while_it_closed_positions_does_not_go_on_with_it(home: Home) -> None:
    desk = opened(home, exchange=Exchange(faults=["deaf"]))
    close(desk, flatten=True)
    desk.system.advance(2 * PURSUE)
    [exit_] = closing(desk)

    after = Desk(home, desk.exchange)
    after.system.advance(TICK)

    assert exit_.state is OrderState.APPROVED
    assert (after.order(exit_.id).state, desk.exchange.sent) == (OrderState.DENIED, [])
    assert ledger.held(after.read)[0].quantity == 30
