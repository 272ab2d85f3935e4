"""What the actor makes of Alpaca's updates: staged ones on the test's thread, then real ones over a websocket."""

import datetime as dt
import logging
from collections.abc import Iterator
from decimal import Decimal
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest

from actors.brokers.alpaca import PAUSES, AlpacaBroker, Message
from actors.brokers.alpaca_line import HttpLine
from actors.brokers.alpaca_stream import Broken, Connected, Stream, Update
from actors.kernel.system import System
from actors.kernel.testing import Recorder
from messages.addresses import Ref
from messages.broker import Executed, LookDue, Seen, Side, Stage
from tests.actors.brokers.broker import ID, OTHER, Broker, ticket
from tests.actors.brokers.conftest import Silence
from tests.stub_alpaca import faults, shapes
from tests.stub_alpaca.server import Stub


def told(stub: Stub, event: str, **more: str) -> Update:
    """An update on the last order."""
    order = {**stub.exchange.orders[-1]}
    return Update(shapes.update(event, order, stub.exchange.now, **more))


class TestStaged:
    def hear(self, broker: Broker, silence: Silence, *updates: Any) -> None:
        silence.hear(*updates)
        broker.system.settle()

    def test_a_fill_is_told_once_by_the_id_that_a_look_gives_it(
        self, broker: Broker, stub: Stub, silence: Silence
    ) -> None:
        broker.send()
        stub.fill(ID, "4", "100", tell=False)
        part = told(stub, "partial_fill", qty="4", price="100")
        stub.fill(ID, "6", "101", tell=False)
        rest = told(stub, "fill", qty="6", price="101")

        self.hear(broker, silence, rest, part, rest, part)  # twice, and in the wrong order

        assert [one.execution for one in broker.executed()] == list(broker.view().executions)
        assert [one.order for one in broker.executed()] == [
            Seen(ID, Stage.WORKING, Decimal(4)),
            Seen(ID, Stage.FILLED, Decimal(10)),
        ]
        assert broker.due() == []

    def test_a_fill_that_is_listed_later_is_looked_for_again(
        self, broker: Broker, stub: Stub, silence: Silence
    ) -> None:
        broker.send()
        stub.fill(ID, "10", "100", tell=False)
        stub.exchange.unlisted = 1

        self.hear(broker, silence, told(stub, "fill", qty="10", price="100"))
        assert broker.executed() == []
        stub.exchange.unlisted = 0
        broker.system.advance(PAUSES[0])

        assert [one.execution.quantity for one in broker.executed()] == [10]
        asked = len(stub.asked)
        broker.system.advance(60)
        assert len(stub.asked) == asked
        assert broker.due() == []

    def test_a_fill_that_is_never_listed_makes_a_look_due(self, broker: Broker, stub: Stub, silence: Silence) -> None:
        broker.send()
        stub.fill(ID, "10", "100", tell=False)
        stub.exchange.unlisted = 1

        self.hear(broker, silence, told(stub, "fill", qty="10", price="100"))
        broker.system.advance(60)

        assert broker.due() == ["an execution was announced, but it is not listed"]
        assert len(stub.asked) == 1 + 1 + len(PAUSES)

    def test_while_the_list_cannot_be_had_it_is_asked_for_again(
        self, broker: Broker, stub: Stub, silence: Silence
    ) -> None:
        broker.send()
        stub.fill(ID, "10", "100", tell=False)
        stub.will(faults.status(500), faults.lost, faults.says(b"?"), on="GET /account/activities/FILL")

        self.hear(broker, silence, told(stub, "fill", qty="10", price="100"))
        broker.system.advance(60)

        assert [one.execution.quantity for one in broker.executed()] == [10]

    def test_the_fill_of_a_leg_is_named_by_its_parent(self, broker: Broker, stub: Stub, silence: Silence) -> None:
        broker.send(ticket(take_profit="110", stop_loss="90"))
        again = Broker(stub, quiet := Silence())  # which has met neither
        leg = stub.exchange.orders[0]["legs"][0]["client_order_id"]
        stub.fill(ID, "10", "100", tell=False)
        stub.fill(leg, "10", "110", tell=False)
        leg_as_told = stub.exchange.orders[0]["legs"][0]

        quiet.hear(Update(shapes.update("fill", leg_as_told, stub.exchange.now, qty="10", price="110")))
        again.system.settle()

        assert [(one.order.client_id, one.execution.side) for one in again.executed()] == [
            (ID, Side.BUY),
            (f"{ID}-tp", Side.SELL),
        ]
        again.stop()

    @pytest.mark.parametrize("status", ["canceled", "expired", "rejected"])
    def test_an_order_that_ends_unfilled_makes_a_look_due(
        self, broker: Broker, stub: Stub, silence: Silence, status: str
    ) -> None:
        broker.send()
        stub.exchange.end(ID, status)

        self.hear(broker, silence, told(stub, status))

        (why,) = broker.due()
        assert ID in why
        assert broker.executed() == []

    @pytest.mark.parametrize("event", ["new", "pending_new", "restated", "something_new"])
    def test_what_changes_nothing_is_told_to_nobody(
        self, broker: Broker, stub: Stub, silence: Silence, event: str
    ) -> None:
        broker.send()

        self.hear(broker, silence, told(stub, event), Update({"stream": "listening", "data": {}}))

        assert broker.trading.received == []
        assert stub.count("GET") == 0

    @pytest.mark.parametrize(
        "change",
        [
            {"order": {}},
            {"order": None},
            {"event": None},
            {"qty": "11"},
            {"qty": "NaN"},
            {"qty": "-1"},
            {"qty": None},
            {"timestamp": "then"},
        ],
    )
    def test_an_update_that_cannot_be_makes_a_look_due_and_books_nothing(
        self, broker: Broker, stub: Stub, silence: Silence, change: dict[str, Any]
    ) -> None:
        broker.send()
        stub.fill(ID, "10", "100", tell=False)
        update = told(stub, "fill", qty="10", price="100").said

        self.hear(broker, silence, Update({**update, "data": {**update["data"], **change}}))

        assert len(broker.due()) == 1
        assert broker.executed() == []

    @pytest.mark.parametrize("said", [None, [], 7, "text", {"stream": "trade_updates"}])
    def test_what_is_no_update_at_all_makes_a_look_due(self, broker: Broker, silence: Silence, said: object) -> None:
        self.hear(broker, silence, Update(said))

        assert len(broker.due()) == 1

    def test_a_fill_of_an_order_that_is_not_there_makes_a_look_due(
        self, broker: Broker, stub: Stub, silence: Silence
    ) -> None:
        broker.send()
        stub.fill(ID, "10", "100", tell=False)
        stub.exchange.activities[0]["order_id"] = "00000000-0000-0000-0000-0000000000ff"

        self.hear(broker, silence, told(stub, "fill", qty="10", price="100"))
        broker.system.advance(60)

        assert "which is not there" in broker.due()[0]
        assert broker.executed() == []

    def test_each_connection_makes_a_look_due(self, broker: Broker, silence: Silence) -> None:
        self.hear(broker, silence, Connected(None), Connected("the connection was lost (OSError)"))

        assert broker.due() == [
            "Alpaca's updates are heard",
            "Alpaca's updates are heard again: the connection was lost (OSError)",
        ]

    def test_a_thread_that_has_ended_is_begun_anew_with_the_actor(self, stub: Stub, silence: Silence) -> None:
        broker = Broker(stub, silence)

        silence.hear(Broken("a bug"))
        broker.system.advance(10)

        assert [str(error) for _, error, _ in broker.system.recorder.crashes] == [
            "the thread of Alpaca's updates has ended: a bug"
        ]
        assert silence.started == 1
        broker.system.stop(grace=1.0)


class Live:
    """The actor in a thread, with the real stream; `trading` is an actor that keeps what it is told."""

    def __init__(self, stub: Stub) -> None:
        self.heard = Told()
        self.system, trading, ref = System(hooks=Recorder()), Ref[Executed | LookDue]("trading"), Ref[Message]("broker")
        edges = HttpLine(stub.account, stub.keys, 5.0), Stream(stub.account, stub.keys, (0.01, 0.02))
        account, open_ = stub.account, lambda: None
        self.system.add(trading, lambda me: self.heard)
        self.system.add(ref, lambda me: AlpacaBroker(me, ref, trading, account, edges, open_, shut=open_))
        self.system.start(within=30.0)


class Told:
    """Trading, as far as a broker knows it."""

    def __init__(self) -> None:
        self.all: SimpleQueue[Executed | LookDue] = SimpleQueue()

    def on_receive(self, message: Executed | LookDue) -> None:
        self.all.put(message)

    def next(self) -> Executed | LookDue:
        return self.all.get(timeout=10)


class TestReal:
    @pytest.fixture
    def live(self, stub: Stub) -> Iterator[Live]:
        made = Live(stub)
        yield made
        assert made.system.stop(grace=10.0) == []

    def test_fills_are_heard_and_after_a_cut_it_listens_again(self, stub: Stub, live: Live) -> None:
        stub.exchange.carry_out("POST", "/orders", sent(ID))
        stub.exchange.carry_out("POST", "/orders", sent(OTHER))
        stub.exchange.now = now(live)

        assert live.heard.next() == LookDue("Alpaca's updates are heard")
        assert stub.wait_for_listeners()
        stub.announce(b"\xff\x00 rubbish")
        assert isinstance(live.heard.next(), LookDue)
        stub.fill(ID, "10", "100")
        executed = live.heard.next()
        assert isinstance(executed, Executed)
        assert executed.execution.execution_id == stub.exchange.activities[0]["id"]
        stub.cut()

        again = live.heard.next()
        assert isinstance(again, LookDue)
        assert "again: the connection was lost" in again.why
        assert stub.wait_for_listeners()
        stub.fill(OTHER, "10", "100")
        executed = live.heard.next()
        assert isinstance(executed, Executed)
        assert executed.order == Seen(OTHER, Stage.FILLED, Decimal(10))


def sent(client_id: str) -> shapes.Json:
    """As it is posted."""
    order = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    return {**order, "client_order_id": client_id}


def now(live: Live) -> Any:
    return dt.datetime.fromtimestamp(live.system.clock.utc() / 1e6, dt.UTC)


def test_keys_that_the_stream_does_not_take_are_said_and_not_shown(
    stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.authorised = False
    heard, refused = SimpleQueue[Any](), Event()

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            refused.set()

    def room_for_all(one: Any) -> bool:
        heard.put(one)
        return True

    noticing = Noticing()
    logging.getLogger("troupe.brokers").addHandler(noticing)
    stream = Stream(stub.account, stub.keys, (0.01, 0.02))

    stream.start(room_for_all)
    assert refused.wait(10)
    stream.stop()
    logging.getLogger("troupe.brokers").removeHandler(noticing)

    assert heard.empty()
    assert "the keys are not accepted" in caplog.text
    assert "stub-" not in caplog.text


def test_the_keys_are_in_no_log_however_much_is_logged(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    heard: SimpleQueue[Any] = SimpleQueue()

    def room_for_all(one: Any) -> bool:
        heard.put(one)
        return True

    stream = Stream(stub.account, stub.keys)
    with caplog.at_level(logging.DEBUG):
        stream.start(room_for_all)
        assert heard.get(timeout=10) == Connected(None)
        stream.stop()

    mine = [record for record in caplog.records if record.name != "websockets.server"]  # which is the stub's
    assert not [record for record in mine if "stub-" in record.getMessage()]


def test_an_update_for_which_there_is_no_room_makes_the_stream_begin_again(stub: Stub) -> None:
    heard: SimpleQueue[Any] = SimpleQueue()

    def no_room_for_updates(one: Any) -> bool:
        heard.put(one)
        return isinstance(one, Connected)

    stream = Stream(stub.account, stub.keys, (0.01, 0.02))
    stream.start(no_room_for_updates)
    assert heard.get(timeout=10) == Connected(None)
    assert stub.wait_for_listeners()
    stub.announce({"stream": "trade_updates", "data": {}})

    assert isinstance(heard.get(timeout=10), Update)
    assert heard.get(timeout=10) == Connected("the desk had no room for an update")
    stream.stop()
