"""The paper broker's rows: what was kept comes back, whatever its size."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.broker import ClientId, Execution, InForce, Kind, Side, Stage, Ticket
from messages.paper import Order
from messages.values import Symbol
from storage import paper
from storage.connections import Reader, fetch
from storage.home import Home
from storage.migrations import open_for_writing
from storage.paper import Known, Traded
from storage.writing import WriteConnection
from tests.storage.conftest import FIXED

ACME, DAY = Symbol("ACME"), dt.date(2013, 3, 1)
AMOUNTS = st.decimals(Decimal("1e-9"), Decimal("9e9"), places=9)
MAYBE = st.none() | AMOUNTS
ORDER = Order(Ticket(ClientId("a"), ACME, Side.BUY, Decimal(5)), DAY)


def keep(connection: WriteConnection, *orders: Order, now: int = 7) -> None:
    [result] = connection.commit([paper.write(orders, (), {}, now)])
    assert isinstance(result, tuple), result


@st.composite
def orders(draw: st.DrawFn) -> Order:
    ticket = Ticket(
        ClientId("a"), ACME, draw(st.sampled_from(Side)), draw(AMOUNTS), draw(st.sampled_from(Kind)),
        draw(st.sampled_from(InForce)), *(draw(MAYBE) for _ in range(5)),
    )  # fmt: skip
    return Order(ticket, DAY, triggered=draw(st.booleans()), best=draw(MAYBE))


def test_what_works_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = Home(tmp_path_factory.mktemp("paper") / "desk")
    home.take()
    connection, kept = open_for_writing(home, FIXED, 0), list[Order]()

    @settings(max_examples=40)
    @given(orders())
    def comes_back(order: Order) -> None:
        order = replace(order, ticket=replace(order.ticket, client_id=ClientId(f"a{len(kept)}")))
        kept.append(order)
        keep(connection, order)
        assert paper.working(Reader(home.database))[-1] == order

    comes_back()
    assert paper.working(Reader(home.database)) == kept
    connection.close()
    home.release()


def test_a_leg_knows_its_order_and_what_changes_keeps_its_place(connection: WriteConnection, read: Reader) -> None:
    leg = replace(ORDER, ticket=replace(ORDER.ticket, client_id=ClientId("a-sl")), parent=ClientId("a"))
    keep(connection, ORDER, leg)
    keep(connection, partly := replace(ORDER, filled=Decimal("2.5"), triggered=True, best=Decimal("1.25")))

    assert paper.working(read) == [partly, leg]
    assert paper.lately(read, 0) == (partly.seen, leg.seen)


def test_lately_is_what_works_and_what_ended_since(connection: WriteConnection, read: Reader) -> None:
    for name, now in (("x", 5), ("y", 6), ("z", 7)):
        ended = replace(ORDER, ticket=replace(ORDER.ticket, client_id=ClientId(name)), stage=Stage.EXPIRED, why="over")
        keep(connection, ended, now=now)
    keep(connection, ORDER)

    assert [seen.client_id for seen in paper.lately(read, 6)] == ["y", "z", "a"]
    assert [seen.client_id for seen in paper.lately(read, 8)] == ["a"]


def test_orders_are_found_by_their_ids(connection: WriteConnection, read: Reader) -> None:
    rejected = replace(
        ORDER, ticket=replace(ORDER.ticket, client_id=ClientId('"q'), quantity=Decimal("NaN")), came=None,
        stage=Stage.REJECTED, why="quantity NaN is not a number",
    )  # fmt: skip
    keep(connection, ORDER, rejected)

    found = paper.find(read, [ClientId('"q'), ClientId("a"), ClientId("b")])

    assert found == {"a": Known(ACME, ORDER.seen), '"q': Known(ACME, rejected.seen)}


def test_executions_are_summed_beyond_what_an_integer_holds(connection: WriteConnection, read: Reader) -> None:
    keep(connection, ORDER)
    many = [
        Execution(ClientId("a"), f"e{n}", ACME, Side.SELL, Decimal("9e8") + n, Decimal("10.25"), Decimal("1.5"), DAY, n)
        for n in range(12)
    ]
    moved = Decimal("9199999999.999999999")
    connection.commit([paper.write((), [(each, moved) for each in many], {ACME: DAY}, 7)])

    assert paper.executions(read, 2) == tuple(many[2:])
    assert paper.traded(read) == [Traded(ACME, Side.SELL, 12 * Decimal("9e8") + 66, 12 * moved, Decimal(18))]
    assert paper.matched(read) == {ACME: DAY}


def test_what_a_session_was_used_for(connection: WriteConnection, read: Reader) -> None:
    keep(connection, ORDER)
    each = Execution(ClientId("a"), "e", ACME, Side.BUY, Decimal("2.5"), Decimal(1), Decimal(0), DAY, 7)
    other = replace(each, execution_id="f", session=dt.date(2013, 3, 4))
    connection.commit([paper.write((), [(each, Decimal(1)), (other, Decimal(1))], {}, 7)])

    assert (paper.used(read, ACME, DAY), paper.used(read, Symbol("IBM"), DAY)) == (Decimal("2.5"), Decimal(0))


def test_the_same_execution_is_kept_once(connection: WriteConnection, read: Reader) -> None:
    keep(connection, ORDER)
    each = Execution(ClientId("a"), "e", ACME, Side.BUY, Decimal(2), Decimal(1), Decimal(0), DAY, 7)
    once, twice = (connection.commit([paper.write((), [(each, Decimal(2))], {}, 7)]) for _ in range(2))

    assert "UNIQUE" not in str(once)
    assert "UNIQUE" in str(twice)
    assert fetch(connection.raw, "SELECT count(*) FROM paper_executions") == [(1,)]
