"""Fills worked out by hand on recorded sessions; and what no sequence of bars and orders may ever bring about."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.costs import PRESETS
from actors.domain.matching import Bar, cancelled, exact, quote, work
from messages.broker import ClientId, InForce, Kind, Side, Stage, Ticket
from messages.paper import Order
from messages.values import Symbol
from tests.actors.domain import making
from tests.actors.domain.playing import FREE, ID, Book, played, sessions, ticket

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING = Kind
DAY, GTC, IOC = InForce

# Apple fell after its results: 2013-01-23 closed at 514.005; 01-24 opened at 460.00, went from 465.73 to 450.25 and
# closed at 450.50; 01-25 opened at 451.69. It rose after those before: 2012-04-24 closed at 560.28; 04-25 opened at
# 615.635, went from 606.00 to 618.00 and closed at 610.00.
FELL, ROSE = ("AAPL", "2013-01-23", "2013-01-24"), ("AAPL", "2012-04-24", "2012-04-25")
# IBM: 02-22 closed at 201.09. 02-25 201.67, 202.49, 197.51, 197.51. 02-26 198.63, 199.90, 197.84, 199.14. 02-27 198.89,
# 202.75, 198.60, 202.33. 02-28 closed at 200.83, volume 4,689,200. 03-01 200.65, 202.94, 199.36, 202.91, 3,308,300.
IBM, END = ("IBM", "2013-02-22", "2013-02-27"), ("IBM", "2013-02-28", "2013-03-01")
TABLE: dict[str, tuple[tuple[str, str, str], Ticket, list[str], Stage]] = {
    # At once, at the close of the session with which it came; between two ticks the worse.
    "market buy": (FELL, ticket(BUY, "100"), ["01-23 100 514.01"], Stage.FILLED),
    "market sell": (FELL, ticket(SELL, "100"), ["01-23 100 514.00"], Stage.FILLED),
    "market, fractional": (FELL, ticket(BUY, "0.123456789"), ["01-23 0.123456789 514.01"], Stage.FILLED),
    "limit above the close": (FELL, ticket(BUY, "5", LIMIT, limit="520"), ["01-23 5 514.01"], Stage.FILLED),
    "limit at the close": (END, ticket(SELL, "5", LIMIT, limit="200.83"), ["02-28 5 200.83"], Stage.FILLED),
    "stop that is reached already": (END, ticket(SELL, "5", STOP, stop="201"), ["02-28 5 200.83"], Stage.FILLED),
    # A limit: there, or at the open where that is better.
    "limit that the open betters": (FELL, ticket(BUY, "5", LIMIT, limit="500"), ["01-24 5 460.00"], Stage.FILLED),
    "limit that is touched": (FELL, ticket(BUY, "5", LIMIT, limit="455"), ["01-24 5 455.00"], Stage.FILLED),
    "limit at the low": (FELL, ticket(BUY, "5", LIMIT, limit="450.25"), ["01-24 5 450.25"], Stage.FILLED),
    "limit below the low": (FELL, ticket(BUY, "5", LIMIT, limit="450.24"), [], Stage.WORKING),
    "limit between two ticks": (FELL, ticket(BUY, "5", LIMIT, limit="450.255"), ["01-24 5 450.25"], Stage.FILLED),
    "sale that the open betters": (ROSE, ticket(SELL, "5", LIMIT, limit="600"), ["04-25 5 615.63"], Stage.FILLED),
    "sale at its limit": (ROSE, ticket(SELL, "5", LIMIT, limit="617.5"), ["04-25 5 617.50"], Stage.FILLED),
    # A stop: there, or at the open where that is worse.
    "stop jumped over": (FELL, ticket(SELL, "5", STOP, stop="500"), ["01-24 5 460.00"], Stage.FILLED),
    "stop reached": (FELL, ticket(SELL, "5", STOP, stop="455"), ["01-24 5 455.00"], Stage.FILLED),
    "stop not reached": (FELL, ticket(SELL, "5", STOP, stop="450"), [], Stage.WORKING),
    "buy stop jumped over": (ROSE, ticket(BUY, "5", STOP, stop="600"), ["04-25 5 615.64"], Stage.FILLED),
    "buy stop reached": (ROSE, ticket(BUY, "5", STOP, stop="617"), ["04-25 5 617.00"], Stage.FILLED),
    # A stop-limit: after a gap the whole bar counts; else what comes at the stop.
    "stop-limit jumped over": (FELL, ticket(SELL, "5", STOP_LIMIT, stop="500", limit="480"), [], Stage.WORKING),
    "stop-limit regained": (
        FELL, ticket(SELL, "5", STOP_LIMIT, stop="500", limit="462"), ["01-24 5 462.00"], Stage.FILLED),
    "stop-limit reached": (
        FELL, ticket(SELL, "5", STOP_LIMIT, stop="455", limit="454"), ["01-24 5 455.00"], Stage.FILLED),
    "stop-limit with its limit on the other side": (
        FELL, ticket(SELL, "5", STOP_LIMIT, stop="455", limit="458"), [], Stage.WORKING),
    # A trailing stop: from 514.005 and 560.28; from 441.40 (opens 438, low 429.98); from 201.67 and 202.49.
    "trailing, jumped over": (FELL, ticket(SELL, "5", TRAILING, trail="20"), ["01-24 5 460.00"], Stage.FILLED),
    "trailing buy": (ROSE, ticket(BUY, "5", TRAILING, trail="10"), ["04-25 5 615.64"], Stage.FILLED),
    "trailing, reached": (
        ("AAPL", "2013-02-28", "2013-03-01"), ticket(SELL, "5", TRAILING, trail="5"), ["03-01 5 436.40"], Stage.FILLED),
    "trailing, reached from the high for certain": (
        ("IBM", "2013-02-22", "2013-02-25"), ticket(SELL, "5", TRAILING, trail="4.5"), ["02-25 5 197.99"],
        Stage.FILLED),
    "trailing, where the low may have come first": (END, ticket(SELL, "5", TRAILING, trail="2"), [], Stage.WORKING),
    # How long.
    "day, one session": (FELL, ticket(BUY, "5", LIMIT, limit="450", in_force=DAY), [], Stage.EXPIRED),
    "at once or not": (FELL, ticket(BUY, "5", LIMIT, limit="500", in_force=IOC), [], Stage.EXPIRED),
    # A tenth of the volume: 468,920 of 02-28 and 330,830 of 03-01.
    "more than there is": (
        END, ticket(BUY, "500000"), ["02-28 468920 200.83", "03-01 31080 200.65"], Stage.FILLED),
    "more than there is in a day": (
        END, ticket(BUY, "1000000", in_force=DAY), ["02-28 468920 200.83", "03-01 330830 200.65"], Stage.EXPIRED),
    "what there is at once": (END, ticket(BUY, "500000", in_force=IOC), ["02-28 468920 200.83"], Stage.EXPIRED),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TABLE))
def test_a_recorded_session_fills_as_worked_out_by_hand(name: str) -> None:
    (symbol, first, last), wanted, fills, stage = TABLE[name]

    book = played(replace(wanted, symbol=Symbol(symbol)), sessions(symbol, first, last))

    assert book.fills() == fills
    assert book.orders[ID].stage is stage


@pytest.mark.parametrize(
    ("span", "wanted", "fills", "stages"),
    [
        pytest.param(
            IBM, ticket(BUY, "100", take_profit="203", stop_loss="198"), ["02-22 100 201.09", "02-25-sl 100 198.00"],
            {"": Stage.FILLED, "-sl": Stage.FILLED, "-tp": Stage.CANCELLED}, id="stop",
        ),
        pytest.param(
            IBM, ticket(BUY, "100", take_profit="202", stop_loss="198"), ["02-22 100 201.09", "02-25-sl 100 198.00"],
            {"": Stage.FILLED, "-sl": Stage.FILLED, "-tp": Stage.CANCELLED}, id="both touched: the stop",
        ),
        pytest.param(
            IBM, ticket(BUY, "100", take_profit="202.25", stop_loss="190"),
            ["02-22 100 201.09", "02-25-tp 100 202.25"],
            {"": Stage.FILLED, "-sl": Stage.CANCELLED, "-tp": Stage.FILLED}, id="profit",
        ),
        pytest.param(
            IBM, ticket(SELL, "100", take_profit="198", stop_loss="203"), ["02-22 100 201.09", "02-25-tp 100 198.00"],
            {"": Stage.FILLED, "-sl": Stage.CANCELLED, "-tp": Stage.FILLED}, id="profit of a short sale",
        ),
        pytest.param(
            FELL, ticket(BUY, "100", LIMIT, limit="455", take_profit="460", stop_loss="452"),
            ["01-24 100 455.00", "01-24-sl 100 452.00"],
            {"": Stage.FILLED, "-sl": Stage.FILLED, "-tp": Stage.CANCELLED}, id="entry and stop in one bar",
        ),
        pytest.param(
            FELL, ticket(BUY, "100", LIMIT, limit="480", take_profit="500", stop_loss="470"),
            ["01-24 100 460.00", "01-24-sl 100 460.00"],
            {"": Stage.FILLED, "-sl": Stage.FILLED, "-tp": Stage.CANCELLED}, id="a gap beyond both",
        ),
        pytest.param(
            ROSE, ticket(BUY, "100", STOP, stop="617", stop_loss="616"), ["04-25 100 617.00", "04-25-sl 100 616.00"],
            {"": Stage.FILLED, "-sl": Stage.FILLED}, id="the stop from where it was entered, not from the open",
        ),
        pytest.param(  # 202.49 was above 201 on 02-25, maybe before 200 was; 02-27 reaches it
            IBM, ticket(BUY, "100", LIMIT, limit="200", take_profit="201", stop_loss="190"),
            ["02-25 100 200.00", "02-27-tp 100 201.00"],
            {"": Stage.FILLED, "-sl": Stage.CANCELLED, "-tp": Stage.FILLED}, id="no profit in the bar of the entry",
        ),
    ],
)  # fmt: skip
def test_a_bracket_fills_as_worked_out_by_hand(
    span: tuple[str, str, str], wanted: Ticket, fills: list[str], stages: dict[str, Stage]
) -> None:
    book = played(wanted, sessions(*span))

    assert book.fills() == fills
    assert book.stages() == stages


def bar(day: int, opened: str, high: str, low: str, close: str, volume: str = "1000") -> Bar:
    return Bar(dt.date(2013, 3, day), *map(Decimal, (opened, high, low, close, volume)))


def flat(day: int, price: str, volume: str = "1000") -> Bar:
    return bar(day, price, price, price, price, volume)


def test_legs_are_as_large_as_what_was_filled_and_one_reduces_the_other() -> None:
    book = played(ticket(BUY, "150", take_profit="105", stop_loss="95"), [flat(1, "100"), flat(4, "100")])
    assert [order.ticket.quantity for order in book.orders.values()] == [150, 150, 150]
    assert book.fills() == ["03-01 100 100.00", "03-04 50 100.00"]

    book.meet(bar(5, "104", "106", "104", "104", "600"))  # 60 of the profit
    assert [order.ticket.quantity - order.filled for order in book.orders.values()] == [0, 90, 90]
    book.meet(bar(6, "94", "94", "90", "92", "500"))  # 50 of the stop, which then goes on alone
    assert book.stages() == {"": Stage.FILLED, "-sl": Stage.WORKING, "-tp": Stage.CANCELLED}
    book.meet(bar(7, "110", "110", "110", "110", "5000"))

    assert book.fills()[2:] == ["03-05-tp 60 105.00", "03-06-sl 50 94.00", "03-07-sl 40 110.00"]
    assert book.stages() == {"": Stage.FILLED, "-sl": Stage.FILLED, "-tp": Stage.CANCELLED}


def test_nothing_more_is_entered_once_the_profit_has_begun() -> None:
    entry = ticket(BUY, "150", LIMIT, limit="100", take_profit="105", stop_loss="95")
    book = played(entry, [flat(1, "100"), flat(4, "106", "200"), flat(5, "99")])

    assert book.fills() == ["03-01 100 100.00", "03-04-tp 20 106.00"]
    assert (book.orders[ID].stage, book.orders[ID].why) == (Stage.CANCELLED, "its exit has begun")
    assert book.stages() == {"": Stage.CANCELLED, "-sl": Stage.WORKING, "-tp": Stage.WORKING}


def test_nothing_more_is_entered_once_the_stop_was_reached_though_nothing_could_be_sold_yet() -> None:
    entry = ticket(BUY, "900", LIMIT, limit="100", take_profit="105", stop_loss="95")
    book = played(entry, [flat(1, "100"), flat(4, "94"), flat(5, "99", "9999")])

    assert book.fills() == ["03-01 100 100.00", "03-04 100 94.00", "03-05-sl 200 99.00"]
    assert (book.orders[ID].stage, book.orders[ID].why) == (Stage.CANCELLED, "its stop was reached")
    assert book.stages() == {"": Stage.CANCELLED, "-sl": Stage.FILLED, "-tp": Stage.CANCELLED}


def test_a_leg_that_was_withdrawn_leaves_the_other_and_does_not_come_again() -> None:
    book = Book()
    book.come(ticket(BUY, "150", take_profit="105", stop_loss="95"), flat(1, "100"))
    profit = ClientId(ID + "-tp")
    book.orders[profit] = cancelled(book.orders[profit], "it was withdrawn")

    book.meet(flat(4, "100"))
    book.meet(bar(5, "106", "106", "106", "106"))

    assert book.fills() == ["03-01 100 100.00", "03-04 50 100.00"]
    assert [(order.stage, order.ticket.quantity) for order in book.orders.values()] == [
        (Stage.FILLED, Decimal(150)),
        (Stage.WORKING, Decimal(150)),
        (Stage.CANCELLED, Decimal(100)),
    ]


def test_who_came_first_has_the_volume_first() -> None:
    book, present = Book(), bar(1, "100", "100", "100", "100", "1005")
    for name in "xyz":
        book.come(ticket(BUY, "60", client_id=name), present)

    assert book.fills() == ["03-01x 60 100.00", "03-01y 40 100.00"]  # whole shares of 100.5
    book.meet(bar(4, "90", "90", "90", "90", "300"))
    assert book.fills()[2:] == ["03-04y 20 90.00", "03-04z 10 90.00"]


def test_fractions_take_what_there_is_to_nine_decimals() -> None:
    book = played(ticket(BUY, "60.5"), [bar(1, "3", "3", "3", "3", "100.12345678987")])

    assert book.fills() == ["03-01 10.012345678 3.00"]


@pytest.mark.parametrize(
    ("costs", "wanted", "price", "fee"),
    [
        ("us_retail", ticket(BUY, "100"), "200.94", "0"),  # 200.930415
        ("us_retail", ticket(SELL, "100"), "200.72", "0.58"),  # 200.729585; 0.0166 + 0.5580016
        ("us_retail", ticket(BUY, "100", LIMIT, limit="200.90"), "200.90", "0"),
        ("us_retail", ticket(SELL, "100", LIMIT, limit="200.80"), "200.80", "0.58"),
        ("us_per_share", ticket(BUY, "100"), "200.94", "1"),
        ("us_per_share", ticket(BUY, "1000"), "200.94", "5"),
        ("us_per_share", ticket(SELL, "1000"), "200.72", "10.75"),  # 5.166 + 5.580016
        ("per_cent", ticket(BUY, "100"), "201.04", "50.26"),  # 201.03083; 50.26
        ("per_cent", ticket(SELL, "1"), "200.62", "5"),  # 200.62917
        ("none", ticket(BUY, "100"), "200.83", "0"),
    ],
)
def test_slippage_and_fees_are_those_of_the_preset(costs: str, wanted: Ticket, price: str, fee: str) -> None:
    [execution] = played(wanted, sessions("IBM", "2013-02-28", "2013-02-28"), PRESETS[costs]).executions

    assert (execution.price, execution.fee) == (Decimal(price), Decimal(fee))


@pytest.mark.parametrize(
    ("price", "bought", "sold"),
    [("0.12345", "0.1235", "0.1234"), ("0.99995", "1.0000", "0.9999"), ("0.00004", "0.0001", "0.0001")],
)
def test_below_one_a_tick_is_a_hundredth_of_a_cent(price: str, bought: str, sold: str) -> None:
    present = flat(1, price)

    assert played(ticket(BUY, "1"), [present]).executions[0].price == Decimal(bought)
    assert played(ticket(SELL, "1"), [present]).executions[0].price == Decimal(sold)


def test_a_bar_of_the_database_is_taken_figure_by_figure_and_encloses_its_open_and_close() -> None:
    found = exact(replace(making.bars([100.1, 460.35]), low=np.array([1.0, 460.36])), 1)

    assert (found.open, found.low, found.volume) == (Decimal("460.35"), Decimal("460.35"), Decimal("1000000.0"))
    assert found.session == making.LAST


# Whatever comes

PRICES = st.decimals(Decimal("0.0002"), Decimal(400), places=4)
QUANTITIES = st.one_of(
    st.integers(1, 3000).map(Decimal), st.decimals(Decimal("0.000000001"), Decimal(3000), places=9)
)  # fmt: skip


@st.composite
def bars(draw: st.DrawFn) -> list[Bar]:
    found = list[Bar]()
    for day in range(1, draw(st.integers(2, 7))):
        four = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
        opened, close = draw(st.permutations(four[1:3]))
        volume = draw(st.decimals(Decimal(0), Decimal(20000), places=2))
        found.append(Bar(dt.date(2013, 3, day), opened, four[3], four[0], close, volume))
    return found


@st.composite
def tickets(draw: st.DrawFn, number: int) -> Ticket:
    kind, side = draw(st.sampled_from(Kind)), draw(st.sampled_from(Side))
    low, high = sorted(draw(st.lists(PRICES, min_size=2, max_size=2)))
    bracket = draw(st.booleans())
    profit, loss = (high, low) if side is BUY else (low, high)
    return Ticket(
        ClientId(f"{number:024x}"), making.ACME, side, draw(QUANTITIES), kind, draw(st.sampled_from(InForce)),
        draw(PRICES) if kind in (LIMIT, STOP_LIMIT) else None, draw(PRICES) if kind in (STOP, STOP_LIMIT) else None,
        draw(PRICES) if kind is TRAILING else None, profit if bracket else None,
        loss if bracket and draw(st.booleans()) else None,
    )  # fmt: skip


@st.composite
def stories(draw: st.DrawFn) -> "Story":
    """Bars, the tickets that come with each, and what they cost."""
    days, coming, number = draw(bars()), list[list[Ticket]](), 0
    for _ in days:
        coming.append([draw(tickets(number + n)) for n in range(draw(st.integers(0, 4)))])
        number += len(coming[-1])
    return days, coming, draw(st.sampled_from(list(PRESETS)))


def told(days: Sequence[Bar], coming: Sequence[Sequence[Ticket]], costs: str) -> Book:
    book = Book(PRESETS[costs])
    for day, new in zip(days, coming, strict=True):
        book.meet(day)
        for each in new:
            book.come(each, day)
    return book


Story = tuple[list[Bar], list[list[Ticket]], str]


@settings(max_examples=50)
@given(stories())
def test_whatever_comes_nothing_is_overfilled_or_beyond_a_limit_or_more_than_the_volume(story: Story) -> None:
    days, coming, costs = story
    book = told(days, coming, costs)
    sent = {each.client_id: each for new in coming for each in new}

    assert_fills_are_fair(book, {day.session: day for day in days}, PRESETS[costs].volume_share)
    assert_orders_are_what_was_filled(book, sent)
    assert_each_lasted_as_long_as_it_should(book, days[-1].session)


@settings(max_examples=20)
@given(stories())
def test_the_same_story_told_again_has_the_same_end(story: Story) -> None:
    one, other = told(*story), told(*story)

    assert (one.orders, one.executions) == (other.orders, other.executions)


def assert_fills_are_fair(book: Book, days: Mapping[dt.date, Bar], share: Decimal) -> None:
    had = defaultdict[dt.date, Decimal](Decimal)
    for each in book.executions:
        wanted, day = book.orders[each.client_id].ticket, days[each.session]
        had[each.session] += each.quantity
        assert each.quantity > 0
        assert each.price >= day.low if each.side is BUY else each.price <= max(day.high, Decimal("0.0001"))
        if wanted.limit is not None:
            assert each.price <= wanted.limit if each.side is BUY else each.price >= wanted.limit
        if wanted.quantity % 1 == 0:
            assert each.quantity % 1 == 0
    assert all(had[session] <= share * day.volume for session, day in days.items())
    assert len({each.execution_id for each in book.executions}) == len(book.executions)


def assert_orders_are_what_was_filled(book: Book, sent: Mapping[ClientId, Ticket]) -> None:
    filled = defaultdict[str, Decimal](Decimal)
    for each in book.executions:
        filled[each.client_id] += each.quantity
    for client_id, order in book.orders.items():
        assert order.filled == filled[client_id] <= order.ticket.quantity
        assert (order.stage is Stage.FILLED) == (order.filled == order.ticket.quantity)
        if order.parent is None:
            assert order.ticket == sent[client_id]
            exits = filled[f"{client_id}-sl"] + filled[f"{client_id}-tp"]
            assert exits <= order.filled
            legs = [leg for leg in book.orders.values() if leg.parent == client_id and leg.stage is Stage.WORKING]
            assert all(leg.ticket.quantity - leg.filled == order.filled - exits for leg in legs)


def assert_each_lasted_as_long_as_it_should(book: Book, last: dt.date) -> None:
    longest = {DAY: 1, IOC: 0, GTC: 99}
    own = {id_: order for id_, order in book.orders.items() if order.parent is None}
    for each in book.executions:
        if (order := own.get(each.client_id)) is not None and order.came is not None:
            assert 0 <= (each.session - order.came).days <= longest[order.ticket.in_force]
    for order in own.values():
        if order.stage is Stage.WORKING and order.came is not None:
            assert (last - order.came).days < longest[order.ticket.in_force]


def test_the_quote_is_the_close_with_the_sessions_volume() -> None:
    present = quote(bar(1, "5", "9", "4", "7"))

    assert present == bar(1, "7", "7", "7", "7")


def test_an_order_that_has_ended_meets_nothing() -> None:
    ended = cancelled(Order(ticket(BUY, "5"), dt.date(2013, 3, 1)), "it was withdrawn")

    assert work([ended], flat(4, "5"), Decimal(0), FREE, 7).executions == ()
