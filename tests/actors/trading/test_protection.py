"""Stops and targets that the broker cannot hold are watched here: each sells what it protects, once."""

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.kernel.testing import Probe
from actors.trading.account import ANSWER_WITHIN, RESOLVE_AFTER
from messages.addresses import Refused
from messages.broker import ClientId, Kind, Seen, Side, Stage, Ticket
from messages.database import Statement
from messages.research import Action
from messages.tasks import Finished, Lease, Reconcile, Run
from messages.trading import Holding, Order, OrderState, Said, SetState, TradingState, Withdraw
from messages.values import CorrelationId
from storage import ledger, orders, states
from storage.home import Home
from tests.actors.trading.staged import AAPL, ROUND, Desk, Exchange

TICK = 5 * 60.0
UNKNOWN = ANSWER_WITHIN + RESOLVE_AFTER + 1


def no_legs(ticket: Ticket) -> str | None:
    """What a broker says that cannot hold a bracket."""
    return None if ticket.take_profit is ticket.stop_loss is None else "no brackets here"


def bought(
    home: Home, quantity: Decimal | None = None, exchange: Exchange | None = None, *holdings: Holding
) -> tuple[Desk, Order]:
    """50 shares at 100, or as many of them as said, with a stop at 90 and a target at 120 that are watched here."""
    desk = Desk(home, exchange or Exchange(unfit=no_legs))
    desk.open(*holdings)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.ref.tell(desk.exchange.fill(order.id, quantity))
    desk.system.settle()
    return desk, desk.order(order.id)


def legs(desk: Desk, order: Order) -> dict[str, Order]:
    found = orders.of_decision(desk.read, order.decision)
    return {each.id[-2:]: each for each in found if each.is_leg}


def sales(desk: Desk, order: Order) -> list[Order]:
    found = (each for each in orders.of_decision(desk.read, order.decision) if each.is_exit)
    return sorted(found, key=lambda each: each.staged_at)


def test_an_order_whose_legs_the_broker_cannot_hold_goes_without_them_and_they_are_kept_here(home: Home) -> None:
    desk, order = bought(home, Decimal(3))
    desk.ref.tell(desk.exchange.fill(order.id, Decimal(2)))
    desk.reconcile()

    sent, kept = desk.exchange.tickets[order.id], legs(desk, order)

    assert (sent.take_profit, sent.stop_loss, order.ticket.stop_loss, order.watched) == (None, None, Decimal(90), True)
    assert {name: (leg.ticket.quantity, leg.is_here) for name, leg in kept.items()} == {
        "sl": (Decimal(5), True),
        "tp": (Decimal(5), True),
    }
    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    assert list(desk.exchange.orders) == [order.id]


def test_an_order_that_the_broker_holds_as_it_is_goes_whole(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())

    assert desk.exchange.tickets[order.id] == order.ticket
    assert not order.watched


@pytest.mark.parametrize(("price", "by"), [(90.0, "stop"), (85.0, "stop"), (120.0, "target"), (130.0, "target")])
def test_a_price_at_a_leg_sells_what_it_protects_once(home: Home, price: float, by: str) -> None:
    desk, order = bought(home)
    desk.prices(price)

    desk.reconcile()
    desk.reconcile()
    desk.system.advance(2 * TICK)
    [sale] = sales(desk, order)
    working = sale.state
    desk.ref.tell(desk.exchange.fill(sale.id, price=Decimal(price)))
    desk.system.advance(TICK)

    assert (sale.ticket.side, sale.ticket.kind, sale.ticket.quantity) == (Side.SELL, Kind.MARKET, order.ticket.quantity)
    assert (working, sale.approved_by) == (OrderState.WORKING, by)
    assert desk.exchange.sent == [order.id, sale.id]
    assert ledger.held(desk.read) == []
    assert {leg.state for leg in legs(desk, order).values()} == {OrderState.CANCELLED}
    desk.agree()


def test_a_price_between_them_sells_nothing(home: Home) -> None:
    desk, order = bought(home)
    desk.prices(90.5)

    desk.system.advance(3 * TICK)

    assert sales(desk, order) == []
    assert {leg.state for leg in legs(desk, order).values()} == {OrderState.WORKING}


def test_what_was_reached_once_is_sold_to_the_end_though_the_price_recovers(home: Home) -> None:
    desk, order = bought(home)
    desk.prices(89.0)
    desk.reconcile()
    [first] = sales(desk, order)
    desk.ref.tell(desk.exchange.fill(first.id, Decimal(4)))
    desk.system.settle()
    desk.exchange.end(first.id, Stage.EXPIRED)
    desk.prices(100.0)

    desk.system.advance(3 * TICK)

    assert [sale.ticket.quantity for sale in sales(desk, order)] == [order.filled, order.filled - 4]


def test_a_stop_that_is_reached_amid_the_purchase_ends_the_purchase_first(home: Home) -> None:
    desk, order = bought(home, Decimal(3))
    desk.prices(89.0)

    desk.system.advance(TICK)

    assert desk.exchange.orders[order.id].stage is Stage.CANCELLED
    assert [sale.ticket.quantity for sale in sales(desk, order)] == [Decimal(3)]


def test_legs_are_dropped_when_the_position_is_sold_on_a_recommendation(home: Home) -> None:
    desk, order = bought(home)

    sale = desk.stage(Action.SELL, CorrelationId("d" * 32))
    desk.approve(sale.id)
    desk.system.settle()
    desk.prices(80.0)
    desk.ref.tell(desk.exchange.fill(sale.id))
    desk.system.advance(2 * TICK)

    assert {leg.state for leg in legs(desk, order).values()} == {OrderState.CANCELLED}
    assert desk.exchange.sent == [order.id, sale.id]
    assert ledger.held(desk.read) == []
    desk.agree()


def test_no_more_is_sold_than_is_held(home: Home) -> None:
    desk, order = bought(home)
    desk.keep(*states.set_state("all", TradingState.HALTED, "enough", 1, flatten=True))
    desk.system.advance(TICK)
    [closing] = [each for each in orders.newest(desk.read, 10) if each.flattens]
    desk.ref.tell(desk.exchange.fill(closing.id))
    desk.system.settle()
    desk.keep(*states.set_state("all", TradingState.ACTIVE, "go on", 1))
    desk.prices(80.0)

    desk.system.advance(2 * TICK)

    assert sales(desk, order) == []
    assert {leg.state for leg in legs(desk, order).values()} == {OrderState.CANCELLED}
    desk.agree()


def test_while_trading_is_halted_nothing_is_sold_and_what_is_watched_is_watched_again_afterwards(home: Home) -> None:
    desk, order = bought(home)
    home.halt.touch()
    desk.prices(80.0)
    desk.system.advance(2 * TICK)
    halted = sales(desk, order)

    home.halt.unlink()
    desk.system.advance(2 * TICK)

    assert halted == []
    assert [sale.state for sale in sales(desk, order)] == [OrderState.WORKING]


def test_a_person_can_cancel_a_leg_that_is_watched(home: Home) -> None:
    desk, order = bought(home)
    probe, stop = Probe[Said | Refused](), legs(desk, order)["sl"]

    desk.ref.tell(Withdraw(stop.id, probe))
    desk.system.settle()
    desk.prices(80.0)
    desk.system.advance(2 * TICK)

    assert probe.received == [Said(f"order {stop.id} is cancelled at paper")]
    assert sales(desk, order) == []


def test_a_leg_that_its_broker_holds_no_longer_is_watched_here(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    for leg in legs(desk, order).values():
        desk.exchange.end(leg.id, Stage.EXPIRED)
    desk.reconcile()
    watched = [leg.is_here for leg in legs(desk, order).values()]
    desk.prices(89.0)

    desk.system.advance(TICK)

    assert watched == [True, True]
    assert [note.what for note in orders.journal(desk.read, f"{order.id}-sl")] == ["working", "watched"]
    assert [sale.state for sale in sales(desk, order)] == [OrderState.WORKING]


def test_a_halt_cancels_legs_at_the_broker_and_after_it_they_are_watched_here(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    home.halt.touch()
    desk.system.advance(TICK)
    at_broker = {desk.exchange.orders[leg.id].stage for leg in legs(desk, order).values()}
    desk.prices(89.0)
    desk.system.advance(TICK)
    halted = sales(desk, order)
    home.halt.unlink()

    desk.system.advance(2 * TICK)

    assert (at_broker, halted) == ({Stage.CANCELLED}, [])
    assert [(sale.approved_by, sale.ticket.quantity) for sale in sales(desk, order)] == [("stop", order.filled)]


def test_a_target_that_was_filled_leaves_no_stop_behind(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    target, stop = (legs(desk, order)[name] for name in ("tp", "sl"))
    desk.exchange.tickets[target.id] = target.ticket
    desk.ref.tell(desk.exchange.fill(target.id))
    desk.exchange.end(stop.id, Stage.CANCELLED)
    home.halt.touch()
    desk.system.advance(2 * TICK)
    home.halt.unlink()
    desk.prices(80.0)
    desk.system.advance(2 * TICK)

    assert desk.order(stop.id).state is OrderState.CANCELLED
    assert sales(desk, order) == []
    desk.agree()


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_lost_and_whenever_the_desk_ends_a_stop_sells_once(home: Home, seed: int) -> None:
    chance = random.Random(seed)
    desk, order = bought(home)
    exchange = desk.exchange
    exchange.faults = [chance.choice(["kind", "deaf", "mute", "reject"]) for _ in range(chance.randrange(4))]
    desk.prices(89.0)
    for life in range(chance.randrange(1, 5)):
        desk = Desk(home, exchange, seed=seed * 100 + life)
        desk.system.advance(0.1)
        for _ in range(chance.randrange(40)):
            desk.system.turn()
        work(desk, chance)
    for _ in range(30):
        if not exchange.held[AAPL]:
            break
        desk.system.advance(TICK)
        work(desk, chance)
    desk.system.advance(TICK)

    assert exchange.held[AAPL] == 0, seed
    assert sum(sale.filled for sale in sales(desk, order)) == order.filled
    assert {leg.state for leg in legs(desk, order).values()} == {OrderState.CANCELLED}
    desk.agree()


def work(desk: Desk, chance: random.Random) -> None:
    """The exchange fills some of what works there."""
    for id_, seen in tuple(desk.exchange.orders.items()):
        if seen.stage is Stage.WORKING and chance.random() < 0.5:
            left = desk.exchange.tickets[id_].quantity - seen.filled
            desk.ref.tell(desk.exchange.fill(ClientId(id_), min(Decimal(8), left)))


def test_a_holding_that_was_there_before_is_not_sold_by_a_stop(home: Home) -> None:
    desk = Desk(home, Exchange(unfit=no_legs))
    desk.open(Holding(AAPL, Decimal(10), Decimal(50), None))
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.ref.tell(desk.exchange.fill(order.id))
    desk.system.settle()
    desk.prices(89.0)
    desk.reconcile()

    [sale] = sales(desk, order)

    assert sale.ticket.quantity == order.ticket.quantity


def test_a_stop_that_a_halt_withdrew_is_watched_though_its_broker_says_so_after_the_halt(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    stop = legs(desk, order)["sl"]
    desk.exchange.faults = ["deaf"] * 2
    for state in (TradingState.HALTED, TradingState.ACTIVE):
        desk.ref.tell(SetState("all", state, "so", Probe[Said | Refused]()))
        desk.system.settle()
    desk.exchange.end(stop.id, Stage.CANCELLED)

    after = Desk(home, desk.exchange)
    after.reconcile()

    assert (after.order(stop.id).state, after.order(stop.id).is_here) == (OrderState.WORKING, True)


def cancel(desk: Desk, leg: Order) -> None:
    desk.ref.tell(Withdraw(leg.id, Probe[Said | Refused]()))
    desk.system.settle()


def set_state(desk: Desk, state: TradingState) -> None:
    desk.ref.tell(SetState("all", state, "a person said so", Probe[Said | Refused]()))
    desk.system.settle()


def test_a_stop_that_a_person_cancels_is_over_though_its_broker_says_that_it_has_expired(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    desk.reconcile()
    for leg in legs(desk, order).values():
        desk.exchange.end(leg.id, Stage.EXPIRED)

    cancel(desk, legs(desk, order)["sl"])
    desk.prices(85.0)
    desk.system.advance(2 * TICK)

    assert legs(desk, order)["sl"].state is OrderState.LAPSED
    assert sales(desk, order) == []


def test_a_stop_that_came_to_be_watched_amid_a_persons_cancel_is_over(home: Home) -> None:
    for seed in range(30):
        place = Home(home.path / str(seed))
        place.path.mkdir(parents=True)
        desk, order = bought(place, exchange=Exchange())
        desk.reconcile()
        stop = legs(desk, order)["sl"]
        desk.exchange.end(stop.id, Stage.EXPIRED)
        desk.system._random.seed(seed)  # pyright: ignore[reportPrivateUsage]
        desk.ref.tell(Run(Lease(2, 1), Reconcile(), ROUND, Probe[Finished | Refused]()))
        for _ in range(seed):
            desk.system.turn()
        cancel(desk, stop)
        desk.system.advance(2 * TICK)

        assert legs(desk, order)["sl"].state in orders.ENDED, seed


@pytest.mark.parametrize("halted_before", [False, True])
def test_a_stop_that_a_person_could_not_cancel_is_watched_after_a_halt(home: Home, halted_before: bool) -> None:
    desk, order = bought(home, exchange=Exchange())
    desk.reconcile()
    stop, probe = legs(desk, order)["sl"], Probe[Said | Refused]()
    if halted_before:
        desk.exchange.faults = ["deaf", "deaf"]
        for state in (TradingState.HALTED, TradingState.ACTIVE):
            set_state(desk, state)
        desk.system.advance(UNKNOWN)
    desk.exchange.faults = ["deaf"]
    desk.ref.tell(Withdraw(stop.id, probe))
    desk.system.advance(UNKNOWN)
    assert [type(answer) for answer in probe.received] == [Refused]

    if halted_before:  # which its broker does at last
        desk.exchange.end(stop.id, Stage.CANCELLED)
        desk.reconcile()
    else:
        set_state(desk, TradingState.HALTED)
        set_state(desk, TradingState.ACTIVE)

    assert legs(desk, order)["sl"].is_here


def test_a_halt_and_a_sale_do_not_take_up_what_a_person_has_cancelled(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    desk.reconcile()
    stop = legs(desk, order)["sl"]
    desk.exchange.faults = ["slow"]
    cancel(desk, stop)
    set_state(desk, TradingState.HALTED)
    desk.system.advance(UNKNOWN)
    set_state(desk, TradingState.ACTIVE)
    desk.system.advance(TICK)

    assert legs(desk, order)["sl"].state is OrderState.CANCELLED
    assert legs(desk, order)["tp"].is_here


def test_what_a_person_cancels_is_over_though_a_halt_had_tried_to_withdraw_it_before(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    desk.reconcile()  # the legs work at the broker
    desk.exchange.faults = ["deaf"] * 2
    for state in (TradingState.HALTED, TradingState.ACTIVE):
        desk.ref.tell(SetState("all", state, "a person said so", Probe[Said | Refused]()))
        desk.system.settle()
    desk.system.advance(UNKNOWN)  # nobody has heard of it
    stop = legs(desk, order)["sl"]
    assert (stop.state, stop.is_here) == (OrderState.WORKING, False)

    desk.ref.tell(Withdraw(stop.id, Probe[Said | Refused]()))
    desk.system.settle()

    assert legs(desk, order)["sl"].state is OrderState.CANCELLED


@pytest.mark.parametrize("others", [5, 3])
def test_a_stop_here_sells_its_part_and_not_what_legs_at_the_broker_protect(home: Home, others: int) -> None:
    desk, order = bought(home, None, None, Holding(AAPL, Decimal(others), Decimal(100), None))
    other = replace(order, decision="other", watched=False, ticket=replace(order.ticket, client_id=ClientId("e" * 24)))
    held_there = Ticket(ClientId(f"{'e' * 24}-sl"), AAPL, Side.SELL, Decimal(5), Kind.STOP, stop=Decimal(10))
    guard = replace(other, ticket=held_there, state=OrderState.WORKING, filled=Decimal(0))
    desk.exchange.orders[guard.id] = Seen(guard.id, Stage.WORKING, Decimal(0))
    desk.keep(*orders.insert(guard))
    desk.prices(85.0)

    desk.reconcile()

    assert [sale.ticket.quantity for sale in sales(desk, order)] == [desk.exchange.held[AAPL] - 5]


def end(desk: Desk, order: Order, how: Stage, part: int) -> None:
    """Have the broker fill so much of it, and say that there will be no more."""
    if part:
        desk.ref.tell(desk.exchange.fill(order.id, Decimal(part)))
    desk.exchange.end(order.id, how)
    desk.reconcile()


@pytest.mark.parametrize("unfit", [no_legs, Exchange.unfit], ids=["watched here", "at the broker"])
@pytest.mark.parametrize(("how", "part"), [(Stage.EXPIRED, 0), (Stage.REJECTED, 0), (Stage.EXPIRED, 10)])
def test_what_a_sale_has_not_sold_keeps_its_stop(
    home: Home, unfit: Callable[[Ticket], str | None], how: Stage, part: int
) -> None:
    desk, order = bought(home, exchange=Exchange(unfit=unfit))
    sale = desk.stage(Action.SELL, CorrelationId("d" * 32))
    desk.approve(sale.id)
    desk.system.settle()
    end(desk, sale, how, part)
    desk.prices(80.0)

    desk.system.advance(2 * TICK)

    [exit_] = sales(desk, order)
    assert (exit_.approved_by, exit_.ticket.quantity) == ("stop", order.filled - part)
    desk.ref.tell(desk.exchange.fill(exit_.id))
    desk.system.advance(2 * TICK)
    assert ledger.held(desk.read) == []
    assert {leg.state for leg in legs(desk, order).values()} == {OrderState.CANCELLED}
    assert desk.exchange.sent == [order.id, sale.id, exit_.id]
    desk.agree()


def test_legs_of_which_the_broker_cancels_one_with_the_other_are_both_kept_for_what_a_sale_leaves(home: Home) -> None:
    desk, order = bought(home, exchange=Exchange())
    sale = desk.stage(Action.SELL, CorrelationId("d" * 32))
    desk.approve(sale.id)
    desk.exchange.faults = ["deaf"]
    desk.system.settle()
    for leg in legs(desk, order):
        desk.exchange.end(ClientId(f"{order.id}-{leg}"), Stage.CANCELLED)

    desk.system.advance(2 * UNKNOWN)
    end(desk, sale, Stage.EXPIRED, 0)

    assert {(leg.state, leg.is_here) for leg in legs(desk, order).values()} == {(OrderState.WORKING, True)}


def test_a_watched_leg_that_cannot_be_ended_for_want_of_room_is_free_again(home: Home) -> None:
    desk, order = bought(home)
    stop, probe = legs(desk, order)["sl"], Probe[Said | Refused]()
    desk.keep(Statement("CREATE TRIGGER against BEFORE UPDATE ON trading_orders BEGIN SELECT RAISE(ABORT, 'no'); END"))
    desk.ref.tell(Withdraw(stop.id, probe))
    desk.system.settle()
    desk.keep(Statement("DROP TRIGGER against"))
    again = Probe[Said | Refused]()

    desk.ref.tell(Withdraw(stop.id, again))
    desk.system.settle()

    assert [type(answer) for answer in probe.received] == [Refused]
    assert [type(answer) for answer in again.received] == [Said]
