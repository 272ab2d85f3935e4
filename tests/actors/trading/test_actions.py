"""Splits and dividends on paper: booked once for what was held before, and working orders go on in new shares."""

import datetime as dt
import random
from decimal import Decimal

import pytest

from actors.trading.coordinator import _Tick  # pyright: ignore[reportPrivateUsage]
from messages.addresses import Refused
from messages.broker import InForce, Kind, Side
from messages.lots import Lot
from messages.tasks import Finished
from messages.trading import Holding, OrderState, Said, TradingState
from storage import ledger, orders, states
from storage.home import Home
from tests.actors.domain.playing import ticket
from tests.actors.trading.papered import ACME, CASH, MONDAY, Desk, dividend, split

BUY, SELL, GTC = Side.BUY, Side.SELL, InForce.GTC
TEN = Holding(ACME, Decimal(10), Decimal(80), dt.date(2012, 5, 1))
FLAT = (100.0,) * 5
"""Up to 2013-03-01, which is today."""


@pytest.fixture
def desk(home: Home) -> Desk:
    """Ten shares that are worth 100 each."""
    made = Desk(home)
    made.closes(*FLAT)
    made.open(TEN)
    return made


def test_a_split_gives_new_shares_for_old_ones_once_and_keeps_what_they_cost(desk: Desk) -> None:
    desk.agree()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.agree()
    desk.tick()
    desk.died().agree()

    assert ledger.lots(desk.read, "paper", ACME) == [Lot("opening 1", TEN.acquired, Decimal(20), Decimal(800))]
    assert ledger.cash(desk.read) == CASH


def test_a_dividend_is_paid_for_what_was_held_before_its_session_and_once(desk: Desk) -> None:
    desk.closes(*FLAT, 99.0, listed=(dividend("1.25", 5),))
    desk.agree()
    desk.order(ticket(BUY, "5"))
    desk.agree()
    desk.tick()
    desk.died().agree()

    assert [desk.held(), ledger.cash(desk.read)] == [15, CASH + Decimal("12.5") - 5 * 99]


def test_it_is_booked_by_trading_itself_when_its_bar_is_there(desk: Desk) -> None:
    desk.closes(*FLAT, listed=(split("2:1", 5),))  # announced
    desk.tick()
    announced = desk.held()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.tick()

    assert [announced, desk.held()] == [10, 20]


def test_before_it_is_booked_nothing_looks_lost_and_nothing_is_judged(desk: Desk) -> None:
    """Half of the value seems gone until then, more than a day may lose."""
    desk.order(ticket(BUY, "800", in_force=InForce.IOC))
    desk.tick()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.tick()

    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")
    assert desk.held() == 1620


def test_a_decision_is_sized_and_approved_when_it_is_booked(desk: Desk) -> None:
    """Of 100 shares, the whole position."""
    desk.order(ticket(BUY, "90"))
    decision, other = desk.decide(), desk.decide()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))

    early, late = desk.stage(decision), desk.stage(decision)
    [order] = orders.of_decision(desk.read, decision)
    desk.closes(*FLAT, 50.0, 25.0, listed=(split("2:1", 5), split("2:1", 6)))
    too_early, yes = desk.approve(order.id), desk.approve(order.id)

    assert isinstance(early, Refused)
    assert (early.code, early.retry_at is not None) == ("gated", True)
    assert early.sentence == "the split of ACME on 2013-03-02 is being booked; try again in a moment"
    assert isinstance(late, Finished)
    assert order.ticket.quantity == 200
    assert isinstance(too_early, Refused)
    assert too_early.code == "gated"
    assert isinstance(yes, Said)
    assert desk.kept(order.id).filled == 400
    assert isinstance(desk.stage(other), Finished)
    desk.agree()


def test_an_order_that_is_not_at_the_broker_is_looked_at_again_when_it_is_booked(desk: Desk) -> None:
    """It was approved and not sent, to sell 100; of those 10 are left, and by the books of before it would be sent."""
    desk.order(ticket(BUY, "90"))
    decision = desk.decide()
    desk.stage(decision)
    [order] = orders.of_decision(desk.read, decision)
    desk.write(*orders.approve(order, 1))
    desk.closes(*FLAT, 1000.0, listed=(split("1:10", 5),))
    desk = desk.died()
    desk.tick()

    denied = desk.kept(order.id)
    assert (denied.state, denied.why.partition(":")[0]) == (OrderState.DENIED, "short")
    assert desk.held() == 10


def test_what_all_is_worth_at_the_beginning_of_a_day_is_looked_at_when_it_is_booked(desk: Desk) -> None:
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.tick()
    unknown = states.day(desk.read, MONDAY + dt.timedelta(5))
    desk.tick()

    assert unknown is None
    assert states.day(desk.read, MONDAY + dt.timedelta(5)) == (CASH + 1_000, CASH + 1_000)


def test_prices_that_come_between_a_look_at_the_day_and_the_one_at_the_loss_halt_nothing(desk: Desk) -> None:
    desk.order(ticket(BUY, "800", in_force=InForce.IOC))
    desk.tick()
    desk.closes(*FLAT, 100.0)
    desk.tick()  # 800 of 1,010 are shares now
    desk.ref.tell(_Tick())
    desk.system.turn()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))

    assert states.state(desk.read, "paper") == (TradingState.ACTIVE, "")


@pytest.mark.parametrize("seed", range(40))
def test_whenever_bars_and_a_split_come_between_looks_all_that_was_before_is_booked_before(
    home: Home, seed: int
) -> None:
    """Two sessions at once: in the first 3 are bought, in the second each share is two, and 4 new ones are bought."""
    chance, desk = random.Random(seed), Desk(home, seed)
    desk.closes(*FLAT)
    desk.open(TEN)
    desk.order(ticket(BUY, "3", Kind.LIMIT, limit="98"))
    desk.order(ticket(BUY, "2", Kind.LIMIT, limit="92"))

    def turns() -> None:
        for _ in range(chance.randrange(6)):
            desk.system.turn()

    for _ in range(chance.randrange(1, 3)):
        desk.ref.tell(_Tick())
        turns()
    desk.comes(*FLAT, 97.0, 45.0, listed=(split("2:1", 6),))
    for _ in range(chance.randrange(4)):
        turns()
        desk.ref.tell(_Tick())
    desk.agree()

    assert [desk.held(), ledger.cash(desk.read)] == [(10 + 3) * 2 + 4, CASH - 3 * 97 - 4 * 45]


def test_what_was_imported_has_earlier_splits_and_dividends_in_it_already(home: Home) -> None:
    desk = Desk(home)
    desk.closes(*FLAT, listed=(split("2:1", 2), dividend("1", 4)))  # the import is of that day
    desk.open(TEN)
    desk.agree()

    assert [desk.held(), ledger.cash(desk.read)] == [10, CASH]


def test_where_prices_are_of_long_ago_the_books_are_opened_with_the_first_session_that_is_looked_at(home: Home) -> None:
    desk = Desk(home, at=400 * 86_400.0)
    desk.closes(*FLAT, listed=(split("2:1", 3),))
    desk.open(TEN)
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 3), split("2:1", 5)))
    desk.tick()

    assert desk.held() == 20


def test_of_a_split_and_a_dividend_of_one_day_the_dividend_is_for_the_old_shares(desk: Desk) -> None:
    desk.closes(*FLAT, 49.0, listed=(split("2:1", 5), dividend("1", 5)))
    desk.agree()

    assert [desk.held(), ledger.cash(desk.read)] == [20, CASH + 10]


def test_parts_of_shares_stay_and_a_reverse_split_makes_fewer(desk: Desk) -> None:
    desk.closes(*FLAT, 300.0, listed=(split("1:3", 5),))
    desk.agree()

    assert desk.held() == Decimal("3.333333333")
    assert ledger.held(desk.read)[0].cost == 800


def test_what_cannot_be_stored_halts_trading_with_the_reason(desk: Desk) -> None:
    desk.closes(*FLAT, 100.0, listed=(split("9000000000:1", 5),))
    desk.tick()

    state, why = states.state(desk.read, "paper")
    assert [state, desk.held()] == [TradingState.HALTED, 10]
    assert why.startswith("split of ACME on 2013-03-02: cannot be booked: ")
    assert not desk.system.failed.done()


# Known late


def test_a_split_that_is_known_late_is_of_what_was_held_then(desk: Desk) -> None:
    """10 held, 4 bought in new shares on that day, 6 sold on the next: of the first lot 4 are left, and 10 come."""
    desk.closes(*FLAT, 50.0)
    desk.order(ticket(BUY, "4"))
    desk.closes(*FLAT, 50.0, 51.0)
    desk.order(ticket(SELL, "6"))
    desk.agree()
    desk.closes(*FLAT, 50.0, 51.0, listed=(split("2:1", 5),))
    desk.agree()

    first, second = ledger.lots(desk.read, "paper", ACME)
    assert [first.quantity, first.cost, second.quantity, second.cost] == [14, 320, 4, 200]


def test_shares_that_come_late_to_a_lot_that_was_sold_are_a_lot_that_has_cost_nothing(desk: Desk) -> None:
    desk.closes(*FLAT, 50.0)
    desk.order(ticket(SELL, "10"))
    desk.agree()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.agree()

    assert ledger.lots(desk.read, "paper", ACME) == [Lot("ACME 2013-03-02", TEN.acquired, Decimal(10), Decimal(0))]


def test_a_late_dividend_is_for_what_was_held_then(desk: Desk) -> None:
    desk.closes(*FLAT, 99.0)
    desk.order(ticket(SELL, "8"))
    desk.agree()
    desk.closes(*FLAT, 99.0, listed=(dividend("1", 5),))
    desk.agree()

    assert ledger.cash(desk.read) == CASH + 8 * 99 + 10


def test_shares_that_come_late_were_split_by_later_splits_too(desk: Desk) -> None:
    desk.closes(*FLAT, 50.0, 10.0, listed=(split("5:1", 6),))
    desk.agree()
    before = desk.held()
    desk.closes(*FLAT, 50.0, 10.0, listed=(split("2:1", 5), split("5:1", 6)))
    desk.agree()

    assert [before, desk.held()] == [50, 100]


def test_what_was_booked_stays_when_the_file_says_something_else_afterwards(desk: Desk) -> None:
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.agree()
    for listed in ((split("3:1", 5),), ()):
        desk.closes(*FLAT, 50.0, listed=listed)
        desk.agree()

    assert desk.held() == 20


# Orders


# The order, what the bar of 2013-03-02 closes at, what happens then, and the order as both sides keep it afterwards.
@pytest.mark.parametrize(
    ("order", "close", "action", "after"),
    [
        (ticket(BUY, "10", Kind.LIMIT, limit="90"), 50.0, split("2:1", 5), ("20", "45", None)),
        (ticket(SELL, "7", Kind.STOP, stop="80"), 66.0, split("3:2", 5), ("10", None, "53.333333333")),
        (ticket(BUY, "10", Kind.LIMIT, limit="90"), 99.0, dividend("1.25", 5), ("10", "88.75", None)),
        (ticket(SELL, "10", Kind.STOP, stop="80"), 99.0, dividend("1.25", 5), ("10", None, "78.75")),
        (ticket(SELL, "10", Kind.LIMIT, limit="120"), 99.0, dividend("1.25", 5), ("10", "120", None)),
    ],
)  # fmt: skip
def test_a_working_order_is_the_same_on_both_sides_afterwards(
    desk: Desk, order: object, close: float, action: object, after: tuple[str, str | None, str | None]
) -> None:
    id_ = desk.order(order)  # type: ignore[arg-type]
    desk.agree()
    desk.closes(*FLAT, close, listed=(action,))  # type: ignore[arg-type]
    desk.agree()
    desk = desk.died()
    desk.agree()

    quantity, limit, stop = (None if text is None else Decimal(text) for text in after)
    kept = desk.kept(id_)
    assert (kept.ticket.quantity, kept.ticket.limit, kept.ticket.stop) == (quantity, limit, stop)
    assert kept.state is OrderState.WORKING


def test_an_order_is_adjusted_before_the_bar_of_that_session_may_fill_it(desk: Desk) -> None:
    """A stop at 60 would be far below a price of 100 and is far above one of 50; adjusted it is at 30."""
    stop = desk.order(ticket(SELL, "10", Kind.STOP, stop="60"))
    limit = desk.order(ticket(BUY, "3", Kind.LIMIT, limit="98"))
    desk.closes(*FLAT, 49.0, listed=(split("2:1", 5),))
    desk.agree()

    assert [desk.kept(stop).filled, desk.kept(limit).filled] == [0, 6]
    assert [desk.held(), ledger.cash(desk.read)] == [26, CASH - 6 * 49]
    desk.closes(*FLAT, 49.0, 29.0, listed=(split("2:1", 5),))
    desk.agree()
    assert [desk.kept(stop).filled, desk.held()] == [20, 6]


def test_what_is_left_of_an_order_that_was_filled_in_part_is_new_shares(desk: Desk) -> None:
    """A tenth of the volume, 100, is bought at 100; the other 50 are 100 new shares, bought at 50 on the next day."""
    desk.closes(*FLAT, volume=1_000)
    id_ = desk.order(ticket(BUY, "150", Kind.LIMIT, limit="100"))
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),), volume=1_000)
    desk.agree()

    order = desk.kept(id_)
    assert [order.filled, order.ticket.quantity, order.state] == [200, 200, OrderState.FILLED]
    assert [desk.held(), ledger.cash(desk.read)] == [2 * 110 + 100, CASH - 100 * 100 - 100 * 50]


def test_the_legs_of_a_bracket_go_along_and_so_does_what_is_not_entered_yet(desk: Desk) -> None:
    id_ = desk.order(ticket(BUY, "10", take_profit="120", stop_loss="80"))
    waits = desk.order(ticket(BUY, "10", Kind.LIMIT, limit="90", take_profit="120", stop_loss="80"))
    desk.agree()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.agree()

    stop, profit, entry = (desk.kept(each).ticket for each in (f"{id_}-sl", f"{id_}-tp", waits))
    assert [stop.quantity, stop.stop, profit.quantity, profit.limit] == [20, 40, 20, 60]
    assert [entry.quantity, entry.limit, entry.take_profit, entry.stop_loss] == [20, 45, 60, 40]
    desk.closes(*FLAT, 50.0, 44.0, 39.0, listed=(split("2:1", 5),))
    desk.agree()
    assert desk.held() == 20  # the imported ones
    assert [desk.kept(f"{each}-sl").state for each in (id_, waits)] == [OrderState.FILLED] * 2


def test_legs_that_are_watched_here_are_of_new_shares_too_and_nothing_is_sold(desk: Desk) -> None:
    id_ = desk.order(ticket(BUY, "10", take_profit="120", stop_loss="80"))
    desk.agree()
    desk.say(TradingState.HALTED)
    desk.system.advance(2)
    desk.say(TradingState.ACTIVE)
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.reconcile()
    desk.tick()

    stop, profit = (desk.kept(f"{id_}-{each}") for each in ("sl", "tp"))
    assert [stop.is_here, stop.ticket.quantity, stop.ticket.stop] == [True, 20, 40]
    assert [profit.is_here, profit.ticket.quantity, profit.ticket.limit] == [True, 20, 60]
    assert desk.held() == 40


def test_a_change_that_was_made_before_a_split_is_not_made_again_after_it(desk: Desk) -> None:
    id_ = desk.order(ticket(BUY, "10", take_profit="120", stop_loss="80"))
    desk.agree()
    said = desk.amend(f"{id_}-sl", Decimal(90))
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.agree()
    desk.agree()

    assert isinstance(said, Said), said
    assert desk.kept(f"{id_}-sl").ticket.stop == 45


def test_a_trailing_stop_trails_in_new_shares(desk: Desk) -> None:
    """The best price was 110, so it sells at 104; in new shares the best is 55, and it sells at 52."""
    id_ = desk.order(ticket(SELL, "10", Kind.TRAILING_STOP, trail="6"))
    desk.closes(*FLAT, 110.0, 53.0, listed=(split("2:1", 6),))
    desk.agree()
    still = desk.kept(id_).state
    desk.closes(*FLAT, 110.0, 53.0, 52.0, listed=(split("2:1", 6),))
    desk.agree()

    assert [still, desk.kept(id_).state, desk.kept(id_).filled] == [OrderState.WORKING, OrderState.FILLED, 20]


def test_a_reverse_split_cancels_what_is_open_and_says_why(desk: Desk) -> None:
    id_ = desk.order(ticket(SELL, "10", Kind.STOP, stop="60"))
    desk.closes(*FLAT, 1000.0, listed=(split("1:10", 5),))
    desk.agree()

    order = desk.kept(id_)
    assert [order.state, order.ticket.quantity, desk.held()] == [OrderState.CANCELLED, 10, 1]
    assert order.why == "ACME was split 1:10, and a reverse split ends what is open"


def test_a_day_order_that_expires_with_that_session_has_its_fills_booked(desk: Desk) -> None:
    """Of 60 left after the close, 120 in new shares, a tenth of the volume is filled; then the day is over."""
    desk.closes(*FLAT, volume=1_000)
    id_ = desk.order(ticket(BUY, "160", Kind.LIMIT, limit="100", in_force=InForce.DAY))
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),), volume=1_000)
    desk.agree()

    order = desk.kept(id_)
    assert [order.ticket.quantity, order.filled, order.state] == [220, 200, OrderState.LAPSED]
    assert desk.held() == 2 * 110 + 100


def test_an_order_that_comes_on_that_day_is_in_new_shares_already(desk: Desk) -> None:
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    id_ = desk.order(ticket(BUY, "10", Kind.LIMIT, limit="45"))
    desk.agree()

    assert [desk.kept(id_).ticket.quantity, desk.kept(id_).ticket.limit] == [10, 45]


def test_what_a_late_action_finds_working_stays_as_it_is(desk: Desk) -> None:
    id_ = desk.order(ticket(BUY, "10", Kind.LIMIT, limit="20"))
    desk.closes(*FLAT, 50.0)
    desk.agree()
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.agree()

    assert [desk.kept(id_).ticket.quantity, desk.held()] == [10, 20]


def test_an_action_of_the_day_of_the_import_changes_orders_all_the_same(home: Home) -> None:
    """The last bar is of the day before; what was imported today is in new shares, the order is not."""
    desk = Desk(home)
    desk.closes(*FLAT[:4])
    desk.open(TEN)
    id_ = desk.order(ticket(BUY, "10", Kind.LIMIT, limit="90"))
    desk.closes(*FLAT[:4], 44.0, listed=(split("2:1", 4),))
    desk.agree()

    assert [desk.kept(id_).filled, desk.held()] == [20, 30]


def test_the_cash_that_is_kept_for_what_is_left_of_an_order_stays_the_same(desk: Desk) -> None:
    desk.order(ticket(BUY, "10", Kind.LIMIT, limit="90"))
    before = sum(each.cash for each in orders.outstanding(desk.read))
    desk.closes(*FLAT, 50.0, listed=(split("2:1", 5),))
    desk.agree()

    assert sum(each.cash for each in orders.outstanding(desk.read)) == before == 1_000
    assert MONDAY + dt.timedelta(5) == dt.date(2013, 3, 2)
