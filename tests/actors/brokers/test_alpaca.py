"""The Alpaca actor against a stub that speaks as Alpaca does, and then as it should not."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from actors.brokers.alpaca_account import Account, Keys
from messages.addresses import Refused
from messages.broker import Absent, Found, InForce, Kind, Seen, Shares, Side, Stage, Ticket, Viewed
from messages.values import Symbol
from tests.actors.brokers.broker import AAPL, ID, OTHER, Broker, ticket
from tests.actors.brokers.conftest import Make
from tests.stub_alpaca import faults, shapes
from tests.stub_alpaca.server import Stub

LIST = "GET /account/activities/FILL"
WORKS = Found("send", Seen(ID, Stage.WORKING, Decimal(0)))


def refused(answer: object, code: str) -> str:
    """The sentence of a refusal with this code, which shows no key."""
    assert isinstance(answer, Refused), answer
    assert answer.code == code, answer
    assert "stub-" not in answer.sentence
    assert "\n" not in answer.sentence
    return answer.sentence


class TestOrders:
    @pytest.mark.parametrize(
        ("order", "sent"),
        [
            (ticket(), {"type": "market", "time_in_force": "day"}),
            (ticket(in_force=InForce.IOC, side=Side.SELL), {"type": "market", "time_in_force": "ioc", "side": "sell"}),
            (ticket(Kind.LIMIT, in_force=InForce.GTC, limit="99.50"), {"time_in_force": "gtc", "limit_price": "99.5"}),
            (ticket(Kind.STOP, stop="120"), {"type": "stop", "stop_price": "120"}),
            (ticket(Kind.STOP_LIMIT, stop="90", limit="89.99"), {"stop_price": "90", "limit_price": "89.99"}),
            (ticket(Kind.TRAILING_STOP, trail="2.25"), {"type": "trailing_stop", "trail_price": "2.25"}),
            (ticket(quantity="0.123456789"), {"qty": "0.123456789", "time_in_force": "day"}),
            (ticket(quantity="200", side=Side.SELL), {"qty": "200"}),
            (
                ticket(take_profit="110", stop_loss="95"),
                {
                    "order_class": "bracket",
                    "time_in_force": "gtc",
                    "take_profit": {"limit_price": "110"},
                    "stop_loss": {"stop_price": "95"},
                },
            ),
            (
                ticket(Kind.LIMIT, in_force=InForce.GTC, limit="99", stop_loss="95"),
                {"order_class": "oto", "stop_loss": {"stop_price": "95"}},
            ),
        ],
    )
    def test_each_kind_is_one_post_with_exact_amounts_as_text(
        self, broker: Broker, order: Ticket, sent: dict[str, Any]
    ) -> None:
        assert broker.send(order) == WORKS

        ((method, path, told),) = broker.stub.asked
        assert (method, path) == ("POST", "/orders")
        assert told["client_order_id"] == ID
        assert sent.items() <= told.items()
        assert broker.look_up() == Found("look up", WORKS.order)

    @pytest.mark.parametrize(
        ("order", "says"),
        [
            (ticket(quantity="0"), "quantity = 0"),
            (ticket(quantity="-1"), "quantity = -1"),
            (ticket(quantity="NaN"), "quantity = NaN"),
            (ticket(quantity="1e300"), "quantity = 1E+300"),
            (ticket(quantity="1.0000000001"), "quantity = 1.0000000001"),
            (ticket(Kind.LIMIT, limit="0"), "limit = 0"),
            (ticket(Kind.LIMIT), "a limit order needs limit"),
            (ticket(limit="5"), "a market order has no limit"),
            (ticket(quantity="1.5", in_force=InForce.GTC), "parts of a share in a plain DAY order only"),
            (ticket(Kind.TRAILING_STOP, "1.5", trail="1"), "parts of a share in a plain DAY order only"),
            (ticket(quantity="1.5", take_profit="110"), "parts of a share in a plain DAY order only"),
            (ticket(Kind.STOP, stop="100", stop_loss="90"), "not around stop"),
            (ticket(Kind.LIMIT, limit="100", stop_loss="90"), "unprotected"),
            (ticket(in_force=InForce.IOC, stop_loss="90"), "unprotected"),
            (ticket(take_profit="90", stop_loss="110"), "on the wrong sides"),
            (ticket(side=Side.SELL, take_profit="110", stop_loss="90"), "on the wrong sides"),
        ],
    )
    def test_what_would_not_be_held_as_meant_is_rejected_before_it_is_sent(
        self, broker: Broker, order: Ticket, says: str
    ) -> None:
        answer = broker.send(order)

        assert isinstance(answer, Found)
        assert (answer.order.stage, answer.order.filled) == (Stage.REJECTED, Decimal(0))
        assert says in answer.order.why
        assert broker.stub.asked == []

    def test_the_legs_of_a_bracket_are_known_by_their_parent(self, broker: Broker, stub: Stub) -> None:
        broker.send(ticket(take_profit="110", stop_loss="95"))

        assert broker.look_up(f"{ID}-tp") == Found("look up", Seen(f"{ID}-tp", Stage.WORKING, Decimal(0)))  # type: ignore[arg-type]
        assert broker.withdraw(f"{ID}-sl") == Found(
            "withdraw",
            Seen(f"{ID}-sl", Stage.CANCELLED, Decimal(0), "Alpaca says canceled"),  # type: ignore[arg-type]
        )
        assert broker.look_up(f"{OTHER}-tp") == Absent("look up")
        legs = stub.exchange.orders[0]["legs"]
        stub.fill(ID, "10", "100", tell=False)
        stub.fill(legs[0]["client_order_id"], "10", "110", tell=False)

        view = broker.view()
        assert [one.client_id for one in view.orders] == [ID, f"{ID}-tp", f"{ID}-sl"]
        assert [(one.client_id, one.side) for one in view.executions] == [(ID, Side.BUY), (f"{ID}-tp", Side.SELL)]

    def test_a_leg_that_is_filled_is_named_by_an_actor_that_knows_nothing_yet(
        self, stub: Stub, broker: Broker, another: Make
    ) -> None:
        broker.send(ticket(take_profit="110"))
        again = another()
        leg = stub.exchange.orders[0]["legs"][0]["client_order_id"]
        stub.fill(ID, "10", "100", tell=False)
        stub.fill(leg, "10", "110", tell=False)

        assert [one.client_id for one in again.view().executions] == [ID, f"{ID}-tp"]


class TestAsked:
    def test_an_order_that_nobody_sent_is_absent(self, broker: Broker) -> None:
        assert broker.look_up() == Absent("look up")
        assert broker.withdraw() == Absent("withdraw")
        assert broker.stub.count("DELETE") == 0

    def test_what_is_withdrawn_keeps_what_was_filled(self, broker: Broker, stub: Stub) -> None:
        broker.send()
        stub.fill(ID, "4", "100", tell=False)

        assert broker.withdraw() == Found("withdraw", Seen(ID, Stage.CANCELLED, Decimal(4), "Alpaca says canceled"))

    def test_what_is_filled_cannot_be_withdrawn_and_is_shown_as_it_is(self, broker: Broker, stub: Stub) -> None:
        broker.send()
        stub.fill(ID, "10", "100", tell=False)
        filled = Found("withdraw", Seen(ID, Stage.FILLED, Decimal(10)))

        assert broker.withdraw() == filled
        assert broker.stub.count("DELETE") == 0

    def test_what_is_filled_while_it_is_being_withdrawn_is_shown_as_it_is(self, broker: Broker, stub: Stub) -> None:
        broker.send()
        order = stub.exchange.orders[0]

        def filled(carry: faults.Carry, _: object) -> faults.Answer:
            stub.fill(ID, "10", "100", tell=False)
            return carry()

        stub.will(filled, on=f"DELETE /orders/{order['id']}")

        assert broker.withdraw() == Found("withdraw", Seen(ID, Stage.FILLED, Decimal(10)))

    def test_a_look_shows_orders_executions_positions_and_cash_exactly(self, broker: Broker, stub: Stub) -> None:
        broker.send(ticket(quantity="0.3"))
        broker.send(ticket(Kind.LIMIT, side=Side.SELL, limit="200", client_id=OTHER))
        stub.fill(ID, "0.1", "100.1", tell=False)
        stub.fill(ID, "0.2", "100.2", tell=False)
        stub.exchange.positions[Symbol("IBM")] = Decimal(-3)

        view = broker.view()

        assert view.orders == (Seen(ID, Stage.FILLED, Decimal("0.3")), Seen(OTHER, Stage.WORKING, Decimal(0)))
        assert [(one.quantity, one.price, one.fee) for one in view.executions] == [
            (Decimal("0.1"), Decimal("100.1"), Decimal(0)),
            (Decimal("0.2"), Decimal("100.2"), Decimal(0)),
        ]
        assert view.executions[0].session == dt.date(2013, 3, 1)
        assert view.executions[0].execution_id == stub.exchange.activities[0]["id"]
        assert view.positions == (Shares(AAPL, Decimal("0.3")), Shares(Symbol("IBM"), Decimal(-3)))
        assert view.cash == Decimal(100_000) - Decimal("10.01") - Decimal("20.04")

    def test_a_look_since_then_leaves_out_what_was_before(self, broker: Broker, stub: Stub) -> None:
        broker.send()
        old = stub.fill(ID, "10", "100", tell=False)
        stub.exchange.now += dt.timedelta(hours=1)
        since = int(stub.exchange.now.timestamp()) * 1_000_000
        broker.send(ticket(client_id=OTHER))
        new = stub.fill(OTHER, "10", "100", tell=False)

        view = broker.view(since)

        assert [one.client_id for one in view.orders] == [OTHER]
        assert [one.execution_id for one in view.executions] == [new["id"]]
        assert old["id"] not in {one.execution_id for one in view.executions}

    def test_all_pages_are_read(self, broker: Broker, stub: Stub) -> None:
        now = stub.exchange.now
        for number in range(1_203):  # many of the same moment
            sent = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
            sent["client_order_id"] = f"{number:024x}"
            at = now + dt.timedelta(seconds=number // 100)
            stub.exchange.orders.append(shapes.order(number + 1, sent, at))
        for number in range(250):
            stub.fill(f"{number:024x}", "1", "100", tell=False)

        view = broker.view()

        assert len(view.orders) == 1_203
        assert len({one.execution_id for one in view.executions}) == len(view.executions) == 250
        assert stub.count("GET") == 3 + 1 + 3 + 1 + 1 + 3 + 1

    @pytest.mark.parametrize("counted", [True, False])
    def test_all_legs_are_read_whether_or_not_they_count_towards_a_page(
        self, broker: Broker, stub: Stub, counted: bool
    ) -> None:
        stub.exchange.counts_legs = counted
        stub.exchange.cash = Decimal("1e9")
        for number in range(350):
            sent = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "gtc"}
            legs = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}
            told = {**sent, **legs, "order_class": "bracket", "client_order_id": f"{number:024x}"}
            stub.exchange.carry_out("POST", "/orders", told)

        orders = {one.client_id for one in broker.view().orders}

        assert orders == {f"{number:024x}{leg}" for number in range(350) for leg in ("", "-tp", "-sl")}

    def test_a_look_during_which_something_is_executed_is_taken_again(self, broker: Broker, stub: Stub) -> None:
        broker.send()

        def meanwhile(carry: faults.Carry, _: object) -> faults.Answer:
            answer = carry()
            stub.fill(ID, "1", "100", tell=False)
            return answer

        stub.will(meanwhile, on="GET /positions")

        view = broker.view()

        assert [one.quantity for one in view.positions] == [1]
        assert view.cash == Decimal(99_900)
        stub.will(meanwhile, meanwhile, meanwhile, on="GET /positions")
        assert "were executed each of 3 times" in refused(broker.look(), "unknown")


class TestFaults:
    def test_an_answer_that_is_late_leaves_it_unknown_and_a_look_up_finds_it(self, stub: Stub, another: Make) -> None:
        broker = another(within=0.3)
        stub.will(faults.late(30))

        assert "no answer within 0.3 s" in refused(broker.send(), "unknown")

        assert stub.count("POST") == 1
        assert broker.look_up() == Found("look up", WORKS.order)

    def test_an_answer_that_drips_is_not_waited_for(self, stub: Stub, another: Make) -> None:
        broker = another(within=0.3)
        stub.will(faults.drips)  # a minute's worth

        assert "no answer within 0.3 s" in refused(broker.send(), "unknown")

        assert broker.look_up() == Found("look up", WORKS.order)

    def test_a_list_that_takes_too_long_is_given_up(self, broker: Broker, stub: Stub) -> None:
        def slowly(carry: faults.Carry, _: object) -> faults.Answer:
            broker.system.manual.manual.now += 61
            return carry()

        stub.will(slowly, on="GET /positions")

        assert "longer than 60 s" in refused(broker.look(), "unknown")
        assert isinstance(broker.look(), Viewed)

    def test_a_connection_that_drops_after_it_was_taken_leaves_it_unknown_and_a_look_up_finds_it(
        self, broker: Broker, stub: Stub
    ) -> None:
        stub.will(faults.lost)

        refused(broker.send(), "unknown")

        assert stub.count("POST") == 1
        assert broker.look_up() == Found("look up", WORKS.order)

    def test_a_connection_that_drops_before_leaves_it_unknown_and_a_look_up_does_not_find_it(
        self, broker: Broker, stub: Stub
    ) -> None:
        stub.will(faults.unheard)

        refused(broker.send(), "unknown")

        assert broker.look_up() == Absent("look up")
        assert broker.send() == WORKS
        assert stub.count("POST") == 2

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
    def test_a_failure_there_leaves_it_unknown_and_is_one_post(self, broker: Broker, stub: Stub, status: int) -> None:
        stub.will(faults.status(status))

        assert f"({status})" in refused(broker.send(), "unknown")
        assert stub.count("POST") == 1

    def test_the_same_order_twice_is_the_one_that_is_there(self, broker: Broker, stub: Stub) -> None:
        broker.send()
        stub.fill(ID, "4", "100", tell=False)

        assert broker.send() == Found("send", Seen(ID, Stage.WORKING, Decimal(4)))
        assert len(stub.exchange.orders) == 1

    def test_an_order_that_itself_used_up_the_buying_power_is_not_called_rejected(
        self, broker: Broker, stub: Stub
    ) -> None:
        stub.will(faults.lost)
        refused(broker.send(ticket(quantity="600")), "unknown")
        stub.exchange.cash -= 60_000  # as Alpaca reserves it

        assert broker.send(ticket(quantity="600")) == Found("send", WORKS.order)

    def test_too_little_buying_power_is_a_rejection_with_its_sentence(self, broker: Broker, stub: Stub) -> None:
        answer = broker.send(ticket(quantity="5000"))

        why = "Alpaca says: insufficient buying power (403, 40310000)"
        assert answer == Found("send", Seen(ID, Stage.REJECTED, Decimal(0), why))
        assert stub.exchange.orders == []

    def test_an_unknown_symbol_is_a_rejection_with_its_sentence(self, broker: Broker) -> None:
        answer = broker.send(ticket(symbol="NOPE"))

        assert isinstance(answer, Found)
        assert (answer.order.stage, answer.order.why) == (
            Stage.REJECTED,
            'Alpaca says: asset "NOPE" not found (422, 40010001)',
        )

    def test_an_id_that_is_taken_by_an_order_that_is_not_there_is_unknown(self, broker: Broker, stub: Stub) -> None:
        stub.will(faults.status(422, shapes.no(40010001, "client_order_id must be unique")))

        assert "and yet there is no order" in refused(broker.send(), "unknown")

    def test_a_rejection_that_cannot_be_made_sure_of_is_not_one(self, broker: Broker, stub: Stub) -> None:
        stub.will(faults.status(422, shapes.no(40010001, "no")))
        stub.will(faults.status(500), on="GET /orders:by_client_order_id")

        refused(broker.send(), "unknown")

    def test_after_too_many_requests_nothing_is_asked_until_the_time_said(self, broker: Broker, stub: Stub) -> None:
        stub.will(faults.status(429, headers={"Retry-After": "7"}))
        now = broker.system.clock.utc()

        answer = broker.send()

        refused(answer, "limited")
        assert isinstance(answer, Refused)
        assert answer.retry_at == now + 7_000_000
        refused(broker.send(), "limited")
        refused(broker.look(), "limited")
        assert len(stub.asked) == 1
        broker.system.advance(7)
        assert broker.send() == WORKS
        assert stub.count("POST") == 2

    @pytest.mark.parametrize(
        ("headers", "pause"), [({}, 60), ({"Retry-After": "soon"}, 60), ({"Retry-After": "99999"}, 300)]
    )
    def test_a_pause_that_is_not_said_or_too_long_is_bounded(
        self, broker: Broker, stub: Stub, headers: dict[str, str], pause: int
    ) -> None:
        stub.will(faults.status(429, headers=headers))

        answer = broker.send()

        assert isinstance(answer, Refused)
        assert answer.retry_at == broker.system.clock.utc() + pause * 1_000_000

    def test_wrong_keys_are_said_and_not_shown(self, another: Make) -> None:
        broker = another(keys=Keys("stub-wrong", "stub-secret"))

        for answer in (broker.send(), broker.look_up(), broker.look(), broker.withdraw()):
            assert "the keys are not accepted (401)" in refused(answer, "authentication")

    def test_a_refusal_of_all_that_is_asked_is_no_rejection_of_an_order(self, broker: Broker, stub: Stub) -> None:
        stub.will(faults.status(403, {"message": "forbidden."}))

        refused(broker.send(), "authentication")

    def test_a_redirection_is_not_followed(self, broker: Broker, stub: Stub) -> None:
        stub.will(faults.status(307, headers={"Location": "http://127.0.0.1:1/"}))

        refused(broker.send(), "rubbish")


def _without(field: str) -> faults.Change:
    return lambda said: {name: value for name, value in said.items() if name != field}


def _with(**more: Any) -> faults.Change:
    return lambda said: {**said, **more}


def _each(change: faults.Change) -> faults.Change:
    return lambda said: [change(one) for one in said]


def _and_again(change: faults.Change) -> faults.Change:
    return lambda said: [*said, *map(change, said)]


def _times(number: int) -> faults.Change:
    return lambda said: said * number


def _instead(other: object) -> faults.Change:
    return lambda said: other


class TestRubbish:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.says(b""),
            faults.says(b"<html>sorry</html>"),
            faults.says(b"\xff\xfe\x00"),
            faults.says(b"["),
            faults.says(b"[" * 100_000),
            faults.says(b"null"),
            faults.says(b"[]"),
            faults.says(b'"order"'),
            faults.changed(lambda _: {}),
            faults.changed(_without("status")),
            faults.changed(_without("id")),
            faults.changed(_without("submitted_at")),
            faults.changed(_with(status="teleported")),
            faults.changed(_with(type="iceberg")),
            faults.changed(_with(order_class="octopus")),
            faults.changed(_with(id="7")),
            faults.changed(_with(client_order_id="f" * 24)),
            faults.changed(_with(client_order_id="")),
            faults.changed(_with(qty="NaN")),
            faults.changed(_with(qty="-10")),
            faults.changed(_with(qty="ten")),
            faults.changed(_with(qty="1e300")),
            faults.changed(_with(filled_qty="-1")),
            faults.changed(_with(filled_qty="11")),
            faults.changed(_with(filled_qty="Infinity")),
            faults.changed(_with(filled_qty=float("nan"))),
            faults.changed(_with(filled_qty=True)),
            faults.changed(_with(updated_at="yesterday")),
            faults.changed(_with(updated_at="2013-03-01T10:00:00")),
            faults.changed(_with(updated_at=5)),
            faults.changed(_with(legs=[{"id": 1}])),
            faults.changed(_with(legs="none")),
            faults.status(404, {"message": "Not Found"}),
            faults.status(418, ["teapot"]),
        ],
    )
    def test_an_answer_that_cannot_be_is_refused_and_the_order_is_found_by_its_id(
        self, broker: Broker, stub: Stub, fault: faults.Fault
    ) -> None:
        stub.will(fault)

        assert refused(broker.send(), "rubbish")

        assert stub.count("POST") == 1
        there = broker.look_up()
        assert there == (Found("look up", WORKS.order) if stub.exchange.orders else Absent("look up"))

    def test_a_page_that_is_not_there_is_not_taken_for_an_order_that_is_not(self, broker: Broker, stub: Stub) -> None:
        stub.will(faults.status(404, {"message": "Not Found"}), on="GET /orders:by_client_order_id")

        refused(broker.look_up(), "rubbish")

    @pytest.mark.parametrize(
        ("on", "change", "says"),
        [
            (LIST, _instead({"a": 1}), "is not a list"),
            (LIST, _instead([7]), "int is where an object should be"),
            (LIST, _each(_with(qty="-1")), "qty: -1 cannot be"),
            (LIST, _each(_with(price="NaN")), "price: NaN cannot be"),
            (LIST, _each(_with(price="0")), "price: 0 cannot be"),
            (LIST, _each(_with(side="hold")), "is not the execution"),
            (LIST, _each(_with(side=["buy"])), "side: "),
            (LIST, _each(_with(order_status="gone")), "'gone' is none"),
            (LIST, _each(_without("id")), "id: None"),
            (LIST, _each(_without("transaction_time")), "transaction_time: None"),
            (LIST, _each(_with(qty="9999", cum_qty="9999")), "more than was ordered"),
            (LIST, _and_again(_with(price="1")), "twice, and differently"),
            (LIST, _each(_with(order_id="x")), "which is not there"),
            ("GET /positions", _each(_with(qty="NaN")), "qty: NaN cannot be"),
            ("GET /positions", _each(_with(qty="-5")), "and yet not short"),
            ("GET /positions", _each(_with(side="flat")), "Position.side"),
            ("GET /positions", _each(_without("symbol")), "Position.symbol"),
            ("GET /account", _with(cash="lots"), "cash: lots is not an amount"),
            ("GET /account", _with(cash=None), "cash: None is not an amount"),
            ("GET /account", _with(status="HAPPY"), "TradeAccount.status"),
            ("GET /orders", _each(_with(status="odd")), "Order.status"),
            ("GET /orders", _times(500), "does not end"),
        ],
    )
    def test_a_look_at_what_cannot_be_is_refused_with_what_it_is(
        self, broker: Broker, stub: Stub, on: str, change: faults.Change, says: str
    ) -> None:
        broker.send()
        broker.send(ticket(client_id=OTHER))
        stub.fill(ID, "10", "100", tell=False)
        stub.fill(OTHER, "10", "100", tell=False)
        stub.always(faults.changed(change), on=on)

        assert says in refused(broker.look(), "rubbish")

        stub.always(None, on=on)
        assert len(broker.view().executions) == 2

    def test_an_execution_that_is_listed_twice_is_one(self, broker: Broker, stub: Stub) -> None:
        broker.send()
        stub.fill(ID, "10", "100", tell=False)
        stub.always(faults.changed(_times(2)), on=LIST)

        assert len(broker.view().executions) == 1

    def test_numbers_that_are_not_text_are_exact_all_the_same(self, broker: Broker, stub: Stub) -> None:
        broker.send(ticket(quantity="0.3"))
        stub.fill(ID, "0.1", "100.1", tell=False)
        carried = json.dumps([{**stub.exchange.activities[0], "qty": 0.1, "price": 100.1}]).encode()
        stub.always(lambda carry, over: faults.Answer(200, carried), on=LIST)

        (execution,) = broker.view().executions

        assert (execution.quantity, execution.price) == (Decimal("0.1"), Decimal("100.1"))


class TestHalt:
    def test_it_is_looked_at_last_and_nothing_is_posted(self, broker: Broker, stub: Stub) -> None:
        broker.halt = "the file HALT is there"

        assert "the file HALT is there" in refused(broker.send(), "halted")

        assert stub.asked == []
        assert broker.looked == [0]

    def test_what_touches_it_between_two_orders_stops_the_second(self, broker: Broker, stub: Stub) -> None:
        assert broker.send() == WORKS
        broker.halt = "the file HALT is there"

        refused(broker.send(ticket(client_id=OTHER)), "halted")

        assert stub.count("POST") == 1
        assert isinstance(broker.withdraw(), Found)

    @pytest.mark.parametrize("flattens", [True, False])
    def test_what_closes_a_position_goes_out_only_where_the_file_means_it(
        self, stub: Stub, another: Make, flattens: bool
    ) -> None:
        broker = another(flattens=flattens)
        broker.halt = "the file HALT is there"

        refused(broker.send(), "halted")
        closed = broker.flatten()

        assert isinstance(closed, Found) is flattens
        assert stub.count("POST") == flattens


class TestRealMoney:
    @pytest.fixture
    def confirmed(self, stub: Stub) -> Account:
        return Account(stub.account.url, stub.account.stream, "12345")

    def test_only_the_account_that_was_confirmed_is_traded(self, stub: Stub, another: Make, confirmed: Account) -> None:
        broker = another(account=confirmed)

        assert "are not those of account 12345" in refused(broker.send(), "authentication")
        assert stub.count("POST") == 0

        stub.exchange.number = "12345"
        assert broker.send() == WORKS
        assert broker.looked == [0]
        assert [path for _, path, _ in stub.asked] == ["/account", "/account", "/orders"]
