"""Orders and the exchange's calendar: what waits for the market, what goes, and that nothing of it is lost."""

from dataclasses import replace
from decimal import Decimal

import pytest

from actors.domain import mandates as allowing
from actors.domain.mandates import Mandate
from actors.domain.orders import Limits
from actors.kernel.testing import Probe
from messages.addresses import Refused
from messages.broker import Side
from messages.research import Action
from messages.trading import GiveMandate, Holding, Order, OrderState, Said, SetState, TradingState
from messages.values import CorrelationId, Symbol
from storage import bars, calendars, orders, sectors
from storage.home import Home
from tests.actors.domain import making
from tests.actors.domain.days import utc, weekdays
from tests.actors.trading.staged import AAPL, Desk, Exchange

MARCH = weekdays("2013-02-11", 30)
"""To Tuesday the 12th of March; the bars end on Friday the 1st."""
BEGIN = utc("2013-03-01 00:00")
TICK = 5 * 60.0
OTHER = CorrelationId("d" * 32)


def seconds(text: str) -> float:
    """From when the clock begins to this moment."""
    return (utc(text) - BEGIN) / 1e6


def opened(
    home: Home, at: str, *holdings: Holding, days: list[object] | None = None, exchange: Exchange | None = None
) -> Desk:
    """A desk at this moment that goes by these sessions."""
    desk = Desk(home, exchange or Exchange(), calendar="XNYS", at=seconds(at))
    desk.keep(*calendars.replace("XNYS", MARCH if days is None else days))  # type: ignore[arg-type]
    desk.open(*holdings)
    return desk


def go_to(desk: Desk, at: str) -> None:
    desk.system.advance(seconds(at) - desk.system.clock.monotonic())


def bring_mondays_price(desk: Desk) -> None:
    walk = making.walk(300)
    found = making.bars(walk * (100 / walk[-1]))
    desk.keep(*bars.replace(desk.read, AAPL, replace(found, sessions=found.sessions + 3)))


def refused(desk: Desk, order: Order) -> str:
    """Why a person's yes is refused."""
    probe = desk.approve(order.id)
    desk.system.settle()
    [answer] = probe.received
    assert isinstance(answer, Refused), answer
    assert answer.code == "denied"
    return answer.sentence


def give(desk: Desk, *, orders_a_day: int = 5) -> str:
    """A mandate for whatever arises here; its hash."""
    sides = frozenset(Side)
    mandate = Mandate(Decimal(100_000), orders_a_day, None, sides, 0.6, utc("2013-03-20 00:00"))
    probe = Probe[Said | Refused]()
    desk.ref.tell(GiveMandate(allowing.text(mandate), allowing.digest(mandate), probe))
    desk.system.settle()
    assert isinstance(probe.received[0], Said)
    return allowing.digest(mandate)


def test_an_order_on_a_saturday_is_staged_refused_at_the_yes_and_goes_on_monday(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00")
    order = desk.stage()

    why = refused(desk, order)
    still = desk.order(order.id)
    go_to(desk, "2013-03-04 05:00")
    desk.approve(order.id)
    desk.system.settle()

    assert "; BUY 50 AAPL: the market is closed until session 2013-03-04, which opens at 2013-03-04 14:30" in order.why
    assert why.startswith(f"order {order.id} is staged: market_closed: BUY 50 AAPL: the market is closed until session")
    assert (still.state, desk.exchange.sent) == (OrderState.STAGED, [order.id])
    assert desk.order(order.id).state is OrderState.WORKING


def test_an_order_on_a_holiday_names_the_session_after_it(home: Home) -> None:
    days = weekdays("2013-02-11", 30, "2013-03-01")
    desk = opened(home, "2013-03-01 15:00", days=list(days))
    order = desk.stage()

    assert "market_closed: BUY 50 AAPL: the market is closed until session 2013-03-04" in refused(desk, order)
    assert desk.order(order.id).state is OrderState.STAGED


@pytest.mark.parametrize(
    ("staged", "until"),
    [
        ("2013-02-28 12:00", "2013-03-01 12:00"),
        ("2013-03-01 15:00", "2013-03-05 05:00"),  # on a Friday: to the end of Monday in New York
        ("2013-03-02 12:00", "2013-03-05 05:00"),
        ("2013-03-03 12:00", "2013-03-04 12:00"),
    ],
)
def test_an_approval_does_not_expire_over_a_weekend(home: Home, staged: str, until: str) -> None:
    assert opened(home, staged).stage().expires_at == utc(until)


def test_a_price_that_lacks_a_session_is_stale_until_it_is_there(home: Home) -> None:
    desk = opened(home, "2013-03-04 21:00")  # Monday's session has just ended
    order = desk.stage()

    why = refused(desk, order)
    bring_mondays_price(desk)
    desk.approve(order.id)
    desk.system.settle()

    assert "stale_price: BUY 50 AAPL: the last price is of 2013-03-01, and session 2013-03-04 is over" in why
    assert desk.order(order.id).state is OrderState.WORKING


@pytest.mark.parametrize("days", [[], [each for each in MARCH if each.session <= making.LAST]])
def test_where_the_calendar_is_not_there_or_has_ended_nothing_is_sent_and_nothing_lost(
    home: Home, days: list[object]
) -> None:
    desk = opened(home, "2013-03-02 12:00", days=days)
    order = desk.stage()

    why = refused(desk, order)
    waits = desk.order(order.id).state
    desk.keep(*calendars.replace("XNYS", MARCH))
    go_to(desk, "2013-03-03 11:00")
    weekend = refused(desk, order)

    assert "calendar_unknown: BUY 50 AAPL: calendar XNYS does not say whether the market is open" in why
    assert (waits, order.expires_at) == (OrderState.STAGED, utc("2013-03-03 12:00"))
    assert "market_closed" in weekend
    assert desk.exchange.sent == []


def test_under_a_mandate_an_order_waits_for_the_market_and_then_goes_once(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00")
    mandate = give(desk)

    order = desk.stage()
    go_to(desk, "2013-03-04 04:59")
    before = list(desk.exchange.sent)
    go_to(desk, "2013-03-04 05:30")

    assert (order.state, order.approved_by, order.mandate) == (OrderState.STAGED, None, mandate)
    assert "the market is closed until session 2013-03-04" in order.why
    assert (before, desk.exchange.sent) == ([], [order.id])
    gone = desk.order(order.id)
    assert (gone.state, gone.approved_by, gone.mandate) == (OrderState.WORKING, "mandate", mandate)


def test_what_waits_under_a_mandate_outlives_the_desk(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00")
    give(desk)
    order = desk.stage()

    after = Desk(home, desk.exchange, calendar="XNYS", at=seconds("2013-03-04 15:00"))
    after.system.advance(1)

    assert after.order(order.id).state is OrderState.WORKING
    assert desk.exchange.sent == [order.id]


def test_what_waits_goes_with_a_round_that_has_brought_new_prices(home: Home) -> None:
    desk = opened(home, "2013-03-04 21:00")
    give(desk)
    order = desk.stage()
    bring_mondays_price(desk)

    desk.reconcile()

    assert desk.exchange.sent == [order.id]


def test_of_those_that_wait_no_more_go_in_a_day_than_the_mandate_allows(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00", Holding(AAPL, Decimal(20), Decimal(100), None))
    give(desk, orders_a_day=1)
    first, second = desk.stage(), desk.stage(Action.SELL, OTHER)

    go_to(desk, "2013-03-04 05:30")

    assert (first.mandate is None, second.mandate is None) == (False, True)  # the first has the day's one order
    assert desk.exchange.sent == [first.id]
    assert desk.order(second.id).state is OrderState.STAGED


def test_of_those_that_wait_each_counts_those_sent_before_it(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00", Holding(AAPL, Decimal(20), Decimal(100), None))
    give(desk)
    first, second = desk.stage(), desk.stage(Action.SELL, OTHER)

    after = Desk(
        home, desk.exchange, calendar="XNYS", at=seconds("2013-03-04 15:00"), limits=Limits(max_orders_a_minute=1)
    )
    after.system.advance(1)
    sent, why = list(desk.exchange.sent), after.order(second.id).why
    after.system.advance(TICK)

    assert (sent, desk.exchange.sent) == ([first.id], [first.id, second.id])
    assert why.startswith("orders_a_minute: ")


def test_what_waits_is_not_sent_while_trading_is_halted_and_says_so(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00")
    give(desk)
    order = desk.stage()
    desk.ref.tell(SetState("all", TradingState.HALTED, "enough", Probe[Said | Refused]()))

    go_to(desk, "2013-03-04 05:30")
    halted = desk.order(order.id)
    desk.ref.tell(SetState("all", TradingState.ACTIVE, "again", Probe[Said | Refused]()))
    go_to(desk, "2013-03-04 05:40")

    assert halted.state is OrderState.STAGED
    assert halted.why.startswith("trading_state: ")
    assert desk.order(order.id).state is OrderState.WORKING


def test_what_waits_under_a_mandate_that_is_taken_back_waits_for_a_person(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00")
    give(desk)
    order = desk.stage()
    desk.ref.tell(GiveMandate(None, "", Probe[Said | Refused]()))

    go_to(desk, "2013-03-04 05:30")
    waits, sent = desk.order(order.id).state, list(desk.exchange.sent)
    desk.approve(order.id)
    desk.system.settle()

    assert (waits, sent) == (OrderState.STAGED, [])
    gone = desk.order(order.id)
    assert (gone.state, gone.approved_by, gone.mandate) == (OrderState.WORKING, "person", None)


def test_what_was_approved_and_is_not_at_the_broker_waits_for_the_market(home: Home) -> None:
    exchange = Exchange(faults=["deaf"])
    desk = opened(home, "2013-03-01 22:00", exchange=exchange)
    order = desk.stage()
    desk.approve(order.id)
    desk.system.settle()

    after = Desk(home, exchange, calendar="XNYS", at=seconds("2013-03-02 12:00"))
    after.system.advance(2 * TICK)
    weekend, sent = after.order(order.id).state, list(exchange.sent)
    go_to(after, "2013-03-04 05:30")

    assert (weekend, sent) == (OrderState.APPROVED, [])
    assert exchange.sent == [order.id]
    assert after.order(order.id).state is OrderState.WORKING


def test_a_sector_that_is_known_bounds_what_is_bought(home: Home) -> None:
    ibm = Symbol("IBM")
    desk = opened(home, "2013-03-01 15:00", Holding(ibm, Decimal(500), Decimal(100), None))
    desk.keep(*bars.replace(desk.read, ibm, making.bars(making.walk(300))))
    desk.keep(*sectors.replace(desk.read, AAPL, "Tools"), *sectors.replace(desk.read, ibm, "Tools"))
    known = desk.stage()
    desk.keep(*sectors.replace(desk.read, ibm, None))

    unknown = desk.stage(round_=OTHER)

    assert (known.state, unknown.state) == (OrderState.DENIED, OrderState.STAGED)
    assert known.why.startswith(f"sector: BUY {known.ticket.quantity} AAPL: the sector Tools would be ")


def test_limits_of_a_day_count_when_orders_were_approved_not_when_they_were_staged(home: Home) -> None:
    desk = opened(home, "2013-03-02 12:00")
    order = desk.stage()
    go_to(desk, "2013-03-04 05:00")
    desk.approve(order.id)
    desk.system.settle()

    assert orders.approvals(desk.read, 0, 0) == [(utc("2013-03-04 05:00"), None)]
