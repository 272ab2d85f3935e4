"""Other prices for an order at Alpaca, which makes another order of it; here it goes by the same name."""

from decimal import Decimal

import pytest

from actors.brokers.alpaca_stream import Update
from messages.addresses import Refused
from messages.broker import Absent, Found, InForce, Kind, Seen, Side, Stage
from tests.actors.brokers.broker import ID, Broker, ticket
from tests.actors.brokers.conftest import Make, Silence
from tests.stub_alpaca import faults, shapes
from tests.stub_alpaca.server import Stub

STOP = f"{ID}-sl"


@pytest.fixture(params=[True, False], ids=["nested", "beside"])
def bought(broker: Broker, stub: Stub, request: pytest.FixtureRequest) -> Broker:
    """A bracket whose entry is filled; what replaces a leg is listed with it, or by itself."""
    stub.exchange.nests = request.param
    broker.send(ticket(take_profit="110", stop_loss="95"))
    stub.fill(ID, "10", "100", tell=False)
    return broker


def replaced(broker: Broker, id_: str = STOP, number: int = 1, **prices: str) -> Found | Absent | Refused:
    return broker.replace(id_, number, **prices)


def working(change: int, id_: str = STOP, about: str = "replace") -> Found:
    return Found(about, Seen(id_, Stage.WORKING, Decimal(0), "", change))  # type: ignore[arg-type]


def leg(stub: Stub) -> str:
    """Alpaca's id of the stop."""
    return str(stub.exchange.orders[0]["legs"][1]["id"])


def test_a_stop_is_moved_by_one_request_and_keeps_its_name(bought: Broker, stub: Stub) -> None:
    assert replaced(bought, stop="97.50") == working(1)

    assert [(path, told) for method, path, told in stub.asked if method == "PATCH"] == [
        (f"/orders/{leg(stub)}", {"client_order_id": f"{STOP}-r1", "stop_price": "97.5"})
    ]
    assert bought.look_up(STOP) == working(1, about="look up")
    assert [(one.client_id, one.stage, one.change) for one in bought.view().orders] == [
        (ID, Stage.FILLED, 0),
        (f"{ID}-tp", Stage.WORKING, 0),
        (STOP, Stage.WORKING, 1),
    ]


def test_it_is_moved_again_and_filled_under_its_name_for_an_actor_that_knows_nothing_yet(
    bought: Broker, stub: Stub, another: Make
) -> None:
    replaced(bought, stop="97")
    assert replaced(bought, number=2, stop="98") == working(2)
    stub.fill(f"{STOP}-r2", "10", "98", tell=False)

    view = another().view()

    assert [(one.client_id, one.side, one.price) for one in view.executions] == [
        (ID, Side.BUY, Decimal(100)),
        (STOP, Side.SELL, Decimal(98)),
    ]
    assert {one.client_id: one.stage for one in view.orders}[STOP] is Stage.FILLED  # type: ignore[index]


def test_a_fill_of_what_was_moved_is_told_under_its_name(bought: Broker, stub: Stub, silence: Silence) -> None:
    replaced(bought, stop="97")
    stub.fill(f"{STOP}-r1", "4", "97", tell=False)
    order = next(one for one in stub.exchange.all() if one["client_order_id"] == f"{STOP}-r1")
    silence.hear(Update(shapes.update("partial_fill", {**order}, stub.exchange.now, qty="4", price="97")))
    bought.system.settle()

    last = bought.executed()[-1].execution
    assert [str(last.client_id), str(last.quantity)] == [STOP, "4"]


@pytest.mark.parametrize("fault", [faults.lost, faults.says(b"<html>"), faults.status(500), faults.unheard])
def test_what_was_not_heard_is_asked_for_again_under_its_number_and_made_once(
    bought: Broker, stub: Stub, fault: faults.Fault
) -> None:
    stub.will(fault, on=f"PATCH /orders/{leg(stub)}")

    first = replaced(bought, stop="97")
    assert isinstance(first, Refused)
    assert first.code in {"unknown", "rubbish"}

    assert replaced(bought, stop="97") == working(1)
    names = [one["client_order_id"] for one in stub.exchange.all()]
    assert names.count(f"{STOP}-r1") == 1


def test_asked_for_twice_it_is_made_once(bought: Broker, stub: Stub) -> None:
    replaced(bought, stop="97")
    replaced(bought, stop="97")

    assert stub.count("PATCH") == 1


def test_a_fill_that_is_faster_wins(bought: Broker, stub: Stub) -> None:
    name = stub.exchange.orders[0]["legs"][1]["client_order_id"]

    def meanwhile(carry: faults.Carry, _: object) -> faults.Answer:
        stub.fill(name, "10", "95", tell=False)
        return carry()

    stub.will(meanwhile, on=f"PATCH /orders/{leg(stub)}")

    assert replaced(bought, stop="97") == Found("replace", Seen(STOP, Stage.FILLED, Decimal(10)))  # type: ignore[arg-type]


def test_what_alpaca_does_not_take_is_declined_with_its_sentence(broker: Broker, stub: Stub) -> None:
    broker.send(ticket(Kind.STOP, in_force=InForce.GTC, side=Side.SELL, stop="95"))

    answer = replaced(broker, ID, stop="97")  # accepted, and not at its venue yet

    assert isinstance(answer, Refused)
    assert (answer.code, 'cannot replace order in "accepted" state' in answer.sentence) == ("declined", True)
    assert broker.look_up() == Found("look up", Seen(ID, Stage.WORKING, Decimal(0)))


def test_what_is_partly_filled_is_declined_before_it_is_asked_for(broker: Broker, stub: Stub) -> None:
    broker.send(ticket(Kind.LIMIT, in_force=InForce.GTC, limit="99"))
    stub.fill(ID, "4", "99", tell=False)

    answer = replaced(broker, ID, limit="98")

    assert isinstance(answer, Refused)
    assert (answer.code, answer.sentence) == ("declined", f"4 of order {ID} are filled already")
    assert stub.count("PATCH") == 0


def test_an_order_that_is_not_there_is_absent_and_one_that_has_ended_is_shown_as_it_is(
    bought: Broker, stub: Stub
) -> None:
    assert replaced(bought, f"{'f' * 24}-sl", stop="97") == Absent("replace")
    bought.withdraw(STOP)

    answer = replaced(bought, stop="97")

    assert isinstance(answer, Found)
    assert (answer.order.stage, answer.order.change) == (Stage.CANCELLED, 0)
    assert stub.count("PATCH") == 0


def test_halted_it_is_not_asked_for(bought: Broker, stub: Stub) -> None:
    bought.halt = "the file HALT is there"

    answer = replaced(bought, stop="97")

    assert isinstance(answer, Refused)
    assert (answer.code, "the file HALT is there" in answer.sentence) == ("halted", True)
    assert stub.count("PATCH") == 0


def test_what_a_person_moves_on_alpacas_pages_is_followed(bought: Broker, stub: Stub) -> None:
    stub.exchange.carry_out("PATCH", f"/orders/{leg(stub)}", {"client_order_id": "by hand", "stop_price": "99"})

    assert bought.look_up(STOP) == working(0, about="look up")
    stub.fill("by hand", "10", "99", tell=False)

    view = bought.view()
    assert view.executions[-1].client_id == STOP
    assert {one.client_id: one.stage for one in view.orders}[STOP] is Stage.FILLED  # type: ignore[index]


def test_a_target_that_a_stop_took_the_place_of_has_ended(bought: Broker, stub: Stub) -> None:
    """As Alpaca says it of a bracket whose stop was reached."""
    target, stop = stub.exchange.orders[0]["legs"]
    target |= {"status": "replaced", "replaced_by": stop["id"]}
    stub.fill(stop["client_order_id"], "10", "95", tell=False)

    stages = {one.client_id: one.stage for one in bought.view().orders}

    assert stages == {ID: Stage.FILLED, f"{ID}-tp": Stage.CANCELLED, STOP: Stage.FILLED}


def test_an_order_that_is_replaced_without_end_is_refused(bought: Broker, stub: Stub) -> None:
    stop = stub.exchange.orders[0]["legs"][1]
    stop |= {"status": "replaced", "replaced_by": stop["id"]}

    answer = bought.look_up(STOP)

    assert isinstance(answer, Refused)
    assert (answer.code, "more than 100 times" in answer.sentence) == ("rubbish", True)
