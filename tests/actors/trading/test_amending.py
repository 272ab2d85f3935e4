"""A person moves the stop or the target of an order at work: checked, committed, made once, whatever comes back."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from actors.kernel.testing import Probe
from actors.trading.account import ANSWER_WITHIN, RESOLVE_AFTER
from messages.addresses import Refused
from messages.broker import ClientId, Kind, Stage
from messages.research import Action
from messages.trading import Amend, Order, OrderState, Said, SetState, TradingState
from messages.values import CorrelationId
from storage import amendments, orders, states
from storage.home import Home
from tests.actors.trading.staged import Desk, Exchange

LONG = 3 * (ANSWER_WITHIN + RESOLVE_AFTER)


@pytest.fixture
def desk(home: Home) -> Desk:
    """AAPL at 100 was bought, with a target at 120 and a stop at 90."""
    desk = Desk(home, Exchange())
    desk.open()
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()
    desk.ref.tell(desk.exchange.fill(order.id))
    desk.system.settle()
    assert desk.order(order.id).state is OrderState.FILLED
    return desk


def leg(desk: Desk, ending: str) -> Order:
    return next(each for each in orders.newest(desk.read, 10) if each.id.endswith(ending))


def amend(desk: Desk, order: ClientId, *, stop: str | None = None, limit: str | None = None) -> Probe[Said | Refused]:
    probe = Probe[Said | Refused]()
    limit_price, stop_price = (None if price is None else Decimal(price) for price in (limit, stop))
    desk.ref.tell(Amend(order, limit_price, stop_price, probe))
    return probe


def refusal(probe: Probe[Said | Refused], code: str) -> str:
    [answer] = probe.received
    assert isinstance(answer, Refused), answer
    assert answer.code == code
    return answer.sentence


def test_a_stop_and_a_target_are_moved_and_the_order_keeps_its_id(desk: Desk) -> None:
    stop, target = leg(desk, "-sl"), leg(desk, "-tp")

    moved, raised = amend(desk, stop.id, stop="95.5"), amend(desk, target.id, limit="130")
    desk.system.settle()

    assert moved.received == [Said(f"order {stop.id} is amended: it works at stop 95.5")]
    assert raised.received == [Said(f"order {target.id} is amended: it works at limit 130")]
    assert desk.exchange.changed == [(stop.id, None, Decimal("95.5")), (target.id, Decimal(130), None)]
    assert (leg(desk, "-sl").ticket.stop, leg(desk, "-tp").ticket.limit) == (Decimal("95.5"), Decimal(130))
    assert leg(desk, "-sl").state is OrderState.WORKING
    assert [note.what for note in orders.journal(desk.read, stop.id)] == ["working", "amending", "amended"]
    desk.reconcile()
    desk.agree()


def test_it_is_moved_again_under_another_number(desk: Desk) -> None:
    stop = leg(desk, "-sl")
    for price in ("91", "92", "93"):
        amend(desk, stop.id, stop=price)
        desk.system.settle()

    assert amendments.last(desk.read, stop.id) == 3
    assert [price for _, _, price in desk.exchange.changed] == [Decimal(91), Decimal(92), Decimal(93)]


@pytest.mark.parametrize(
    ("ending", "prices", "code", "says"),
    [
        ("-sl", {"stop": "100"}, "denied", "the stop 100 is not below the last price 100"),
        ("-sl", {"stop": "NaN"}, "invalid", "the stop NaN is no price above 0"),
        ("-sl", {"stop": "-1"}, "invalid", "the stop -1 is no price above 0"),
        ("-sl", {"stop": "0"}, "invalid", "the stop 0 is no price above 0"),
        ("-sl", {"stop": "1e300"}, "denied", "is above 9.2e9"),
        ("-sl", {"stop": "95.0000000001"}, "denied", "more than nine decimals"),
        ("-sl", {"stop": "90"}, "invalid", "it works at that price already"),
        ("-sl", {"limit": "95"}, "invalid", "a stop order has no limit to be changed"),
        ("-tp", {"stop": "95"}, "invalid", "a limit order has no stop to be changed"),
        ("-tp", {"limit": "100"}, "denied", "the target 100 is not above the last price 100"),
        ("-tp", {"limit": "90"}, "denied", "price_collar"),
        ("-tp", {}, "invalid", "say which price is to change"),
    ],
)
def test_what_cannot_be_meant_or_may_not_be_is_refused_and_nothing_is_sent(
    desk: Desk, ending: str, prices: dict[str, str], code: str, says: str
) -> None:
    before = leg(desk, ending)

    probe = amend(desk, before.id, **prices)
    desk.system.settle()

    assert says in refusal(probe, code)
    assert desk.exchange.changed == []
    assert leg(desk, ending) == before


def test_an_order_that_is_not_at_work_is_not_amended(desk: Desk) -> None:
    order = leg(desk, "-sl")
    bought = next(each for each in orders.newest(desk.read, 10) if not each.is_leg)
    desk.ref.tell(desk.exchange.fill_leg(order.id))
    desk.system.settle()

    assert "is filled, not working" in refusal(_settled(desk, amend(desk, order.id, stop="95")), "invalid")
    assert "is filled, not working" in refusal(_settled(desk, amend(desk, bought.id, stop="95")), "invalid")
    assert "there is no order" in refusal(_settled(desk, amend(desk, ClientId("f" * 24), stop="95")), "invalid")


def _settled(desk: Desk, probe: Probe[Said | Refused]) -> Probe[Said | Refused]:
    desk.system.settle()
    return probe


def test_halted_nothing_is_amended_by_command_file_or_in_between(desk: Desk) -> None:
    stop = leg(desk, "-sl")
    desk.home.halt.touch()
    by_file = _settled(desk, amend(desk, stop.id, stop="95"))
    desk.home.halt.unlink()
    between = amend(desk, stop.id, stop="96")
    while not amendments.last(desk.read, stop.id):
        desk.system.turn()
    desk.home.halt.touch()
    desk.system.settle()
    desk.home.halt.unlink()

    assert "trading is HALTED" in refusal(by_file, "denied")
    assert "HALT is there" in refusal(between, "invalid")
    assert desk.exchange.changed == []
    assert leg(desk, "-sl").state is OrderState.WORKING
    assert leg(desk, "-sl").ticket.stop == 90


@pytest.mark.parametrize("fault", ["deaf", "mute"])
def test_an_answer_that_does_not_come_is_looked_up_and_it_is_changed_once(desk: Desk, fault: str) -> None:
    stop = leg(desk, "-sl")
    desk.exchange.faults = [fault]

    probe = amend(desk, stop.id, stop="95")
    desk.system.advance(LONG)

    assert "nobody knows yet whether it was changed" in refusal(probe, "unknown")
    assert desk.exchange.changed == [(stop.id, None, Decimal(95))]
    assert leg(desk, "-sl").ticket.stop == 95
    assert amendments.open_ones(desk.read) == []


def test_a_broker_that_declines_leaves_it_as_it_is(desk: Desk) -> None:
    stop = leg(desk, "-sl")
    desk.exchange.faults = ["reject"]

    probe = _settled(desk, amend(desk, stop.id, stop="95"))

    assert "is not amended: not today" in refusal(probe, "invalid")
    assert leg(desk, "-sl").ticket.stop == 90
    assert amendments.open_ones(desk.read) == []


def test_a_fill_that_was_faster_wins(desk: Desk) -> None:
    stop = leg(desk, "-sl")
    executed = desk.exchange.fill_leg(stop.id)

    probe = _settled(desk, amend(desk, stop.id, stop="95"))
    desk.ref.tell(executed)
    desk.system.settle()

    assert "it was filled before that" in refusal(probe, "invalid")
    assert leg(desk, "-sl").state is OrderState.FILLED
    desk.agree()


def test_an_order_that_is_gone_there_halts_and_whoever_asked_is_told(desk: Desk) -> None:
    stop = leg(desk, "-sl")
    del desk.exchange.orders[stop.id]

    probe = _settled(desk, amend(desk, stop.id, stop="95"))

    assert "which does not know it now" in refusal(probe, "invalid")
    assert states.state(desk.read, "paper")[0] is TradingState.HALTED


def test_a_halt_while_it_is_being_changed_cancels_it_all_the_same(desk: Desk) -> None:
    stop, said = leg(desk, "-sl"), Probe[Said | Refused]()

    amend(desk, stop.id, stop="95")
    desk.ref.tell(SetState("all", TradingState.HALTED, "enough", said))
    desk.system.advance(1)

    assert desk.exchange.orders[stop.id].stage is Stage.CANCELLED


def test_a_stop_that_is_being_changed_is_cancelled_before_what_it_protects_is_sold(desk: Desk) -> None:
    stop = leg(desk, "-sl")
    sale = desk.stage(Action.SELL, CorrelationId("d" * 32))
    desk.exchange.faults = ["mute"]
    amend(desk, stop.id, stop="95")
    desk.system.settle()

    desk.approve(sale.id)
    seconds = iter(range(300))  # so long it may take until nobody waits for the mute answer any more
    while desk.exchange.sent[-1] != sale.id:
        next(seconds)
        desk.system.advance(1)

    assert desk.exchange.orders[stop.id].stage is Stage.CANCELLED


def test_a_change_that_was_given_up_and_made_after_all_is_seen(desk: Desk) -> None:
    stop = leg(desk, "-sl")
    desk.exchange.faults = ["reject"]
    _settled(desk, amend(desk, stop.id, stop="95"))
    desk.exchange.orders[stop.id] = replace(desk.exchange.orders[stop.id], change=1)

    desk.reconcile()

    assert leg(desk, "-sl").ticket.stop == 95


@pytest.mark.parametrize("seed", range(25))
def test_crashes_and_lost_answers_anywhere_leave_it_changed_once_or_not_at_all(desk: Desk, seed: int) -> None:
    chance, exchange, home = random.Random(seed), desk.exchange, desk.home
    stop, wanted = leg(desk, "-sl"), amend(desk, leg(desk, "-sl").id, stop="95")
    for life in range(4):
        for _ in range(chance.randrange(30)):
            desk.system.turn()
        if chance.random() < 0.3:
            desk.system.advance(chance.choice([0.0, 1.0, ANSWER_WITHIN]))
        exchange.faults = [chance.choice(["kind", "deaf", "mute"]) for _ in range(chance.randrange(3))]
        desk = Desk(home, exchange, seed=seed * 10 + life)
    desk.system.advance(LONG)

    made = leg(desk, "-sl").ticket.stop
    assert exchange.changed in ([], [(stop.id, None, Decimal(95))])
    assert made == (Decimal(95) if exchange.changed else Decimal(90))
    assert amendments.open_ones(desk.read) == []
    assert leg(desk, "-sl").ticket.kind is Kind.STOP
    assert len(wanted.received) <= 1
