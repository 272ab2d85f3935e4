"""What moves an account at Alpaca without an order, as the stub lists it and as it should not."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from messages.addresses import Refused
from messages.broker import Activity, Cause, Viewed
from messages.values import Symbol
from tests.actors.brokers.broker import Broker
from tests.stub_alpaca import faults, shapes
from tests.stub_alpaca.server import Stub

LIST = "GET /account/activities"
NONE = Decimal(0)


def changed(**more: Any) -> faults.Fault:
    """Each activity is listed with these fields in the place of its own."""
    return faults.changed(lambda said: [{**one, **more} for one in said])


def test_a_fee_is_told_exactly_with_its_id_its_day_and_when_it_was_booked(broker: Broker, stub: Stub) -> None:
    listed = stub.exchange.move("FEE", "-3.82", activity_sub_type="REG")

    view = broker.view()

    at = int(stub.exchange.now.timestamp()) * 1_000_000
    day = dt.date(2013, 3, 1)
    assert view.activities == (Activity(Cause.FEE, listed["id"], "FEE REG", None, Decimal("-3.82"), NONE, day, at),)
    assert view.cash == Decimal("99996.18")


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        *((name, Cause.FEE) for name in ("FEE", "PTC")),
        *((name, Cause.DIVIDEND) for name in ("DIV", "DIVCGL", "DIVNRA", "DIVROC", "DIVWH", "CIL")),
        *((name, Cause.INTEREST) for name in ("INT", "INTNRA")),
        *((name, Cause.TRANSFER) for name in ("CSD", "CSW", "JNLC")),
        *((name, Cause.UNKNOWN) for name in ("MA", "REORG", "CFEE", "JNLS", "TOMORROWS")),
    ],
)
def test_each_type_is_what_it_means_and_an_unknown_one_is_said_to_be(
    broker: Broker, stub: Stub, name: str, cause: Cause
) -> None:
    stub.exchange.move(name, "1.5", symbol="AAPL", qty="3")

    [activity] = broker.view().activities

    shares = Decimal(3) if cause is Cause.UNKNOWN else NONE  # of a dividend it is what it was paid for
    assert (activity.cause, activity.amount, activity.shares, activity.symbol) == (
        cause,
        Decimal("1.5"),
        shares,
        "AAPL",
    )


def test_a_split_moves_shares_alone(broker: Broker, stub: Stub) -> None:
    stub.exchange.positions["AAPL"] = Decimal(10)
    stub.exchange.move("SPLIT", symbol="AAPL", qty="-10")
    stub.exchange.move("SPLIT", symbol="AAPL", qty="40")

    view = broker.view()

    moved = [(each.cause, each.symbol, each.shares, each.amount) for each in view.activities]
    assert sorted(moved) == [
        (Cause.SPLIT, Symbol("AAPL"), Decimal(-10), NONE),
        (Cause.SPLIT, Symbol("AAPL"), Decimal(40), NONE),
    ]


@pytest.mark.parametrize(
    "more",
    [{"activity_sub_type": "SDIV"}, {"currency": "EUR"}, {"activity_type": "SPLIT"}, {"activity_type": "NC"}],
)
def test_what_looks_like_a_known_one_and_is_not_is_not_understood(
    broker: Broker, stub: Stub, more: dict[str, str]
) -> None:
    stub.exchange.move("DIV", "1.5", symbol="AAPL", qty="3")
    stub.always(changed(**more), on=LIST)

    assert [each.cause for each in broker.view().activities] == [Cause.UNKNOWN]


@pytest.mark.parametrize("status", ["pending", "canceled", "rejected"])
def test_what_has_not_happened_or_was_taken_back_is_none(broker: Broker, stub: Stub, status: str) -> None:
    stub.exchange.move("DIV", "1.5")
    stub.always(changed(status=status), on=LIST)

    assert broker.view().activities == ()


def test_what_moves_nothing_and_executions_among_them_are_none(broker: Broker, stub: Stub) -> None:
    stub.exchange.move("FEE", "0")
    stub.exchange.moves.append({"activity_type": "FILL", "id": "x", "date": "2013-03-01"})

    assert broker.view().activities == ()


def test_one_that_does_not_say_when_it_was_booked_counts_as_booked_when_its_day_was_over(
    broker: Broker, stub: Stub
) -> None:
    stub.exchange.move("DIV", "1.5")
    stub.always(
        faults.changed(lambda said: [_without(one, "created_at", "status", "currency") for one in said]), on=LIST
    )

    [activity] = broker.view().activities

    assert dt.datetime.fromtimestamp(activity.at / 1e6, dt.UTC) == dt.datetime(2013, 3, 2, 5, tzinfo=dt.UTC)


def _without(said: shapes.Json, *names: str) -> shapes.Json:
    return {name: value for name, value in said.items() if name not in names}


def test_all_pages_are_read_and_those_of_days_before_that_were_booked_late(broker: Broker, stub: Stub) -> None:
    since = int(stub.exchange.now.timestamp()) * 1_000_000
    for number in range(250):
        stub.exchange.move("FEE", "-0.01", days_late=number % 40)

    assert len(broker.view(since).activities) == 250


def test_one_that_is_listed_twice_is_one(broker: Broker, stub: Stub) -> None:
    stub.exchange.move("FEE", "-0.01")
    stub.always(faults.changed(lambda said: said * 2), on=LIST)

    assert len(broker.view().activities) == 1


@pytest.mark.parametrize("on", ["GET /positions", "GET /account"])
def test_a_look_during_which_cash_moves_is_taken_again(broker: Broker, stub: Stub, on: str) -> None:
    def meanwhile(carry: faults.Carry, _: object) -> faults.Answer:
        answer = carry()
        stub.exchange.move("FEE", "-1")
        return answer

    stub.will(meanwhile, on=on)

    view = broker.view()

    assert (len(view.activities), view.cash) == (1, Decimal(99_999))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (faults.changed(lambda _: {"a": 1}), "is not a list"),
        (faults.changed(lambda _: [7]), "int is where an object should be"),
        (faults.changed(lambda said: [*said, {**said[0], "net_amount": "-2"}]), "is told twice, and differently"),
        (changed(net_amount="NaN"), "net_amount: NaN cannot be"),
        (changed(net_amount="1e300"), "net_amount: 1e300 cannot be"),
        (changed(net_amount=["1"]), "net_amount: ['1'] is not an amount"),
        (changed(qty="lots"), "qty: lots is not an amount"),
        (changed(status="maybe"), "status 'maybe' is none"),
        (changed(status={"a": 1}), "is none that Alpaca documents"),
        (changed(date="yesterday"), "date: 'yesterday' is not a day"),
        (changed(date=5), "date: 5 is not the text"),
        (changed(created_at="soon"), "created_at: 'soon' is not a time"),
        (changed(id=None), "id: None is not the text"),
        (changed(activity_type=7), "activity_type: 7 is not the text"),
        (changed(symbol=7), "symbol: 7 is not the text"),
        (faults.says(b"<html>sorry</html>"), "is none of Alpaca's"),
        (faults.status(503), "failed there (503)"),
    ],
)
def test_a_list_that_cannot_be_is_refused_and_nothing_is_taken_from_it(
    broker: Broker, stub: Stub, change: faults.Fault, says: str
) -> None:
    stub.exchange.move("FEE", "-1")
    stub.always(change, on=LIST)

    answer = broker.look()

    assert isinstance(answer, Refused)
    assert says in answer.sentence
    stub.always(None, on=LIST)
    assert isinstance(broker.look(), Viewed)
