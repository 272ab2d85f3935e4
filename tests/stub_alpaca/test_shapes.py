"""The stub speaks in the shapes that Alpaca publishes: alpaca-py's own classes parse each kind of its replies."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from alpaca.trading import enums, models

from tests.stub_alpaca import shapes
from tests.stub_alpaca.exchange import Exchange

AFTER = "2000-01-01T00:00:00Z"
MOVES = {"category": "non_trade_activity", "page_size": "100", "direction": "asc"}


def sent(**more: Any) -> shapes.Json:
    """An order as it is posted."""
    order = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "gtc"}
    return {**order, "client_order_id": "a" * 24, **more}


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def reply(exchange: Exchange, method: str, path: str, told: shapes.Json | None = None, status: int = 200) -> Any:
    answer = exchange.carry_out(method, path, told or {})
    assert answer.status == status, answer
    return json.loads(answer.body)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"type": "limit", "limit_price": "99.5"},
        {"type": "stop", "stop_price": "90"},
        {"type": "stop_limit", "stop_price": "90", "limit_price": "89"},
        {"type": "trailing_stop", "trail_price": "2"},
        {"order_class": "oto", "stop_loss": {"stop_price": "90"}},
        {"order_class": "bracket", "stop_loss": {"stop_price": "90"}, "take_profit": {"limit_price": "110"}},
    ],
)
def test_orders_of_each_kind_at_each_stage(exchange: Exchange, more: shapes.Json) -> None:
    said = [reply(exchange, "POST", "/orders", sent(**more))]
    asked = {"status": "all", "limit": 500, "direction": "asc", "nested": "true", "after": AFTER}
    for end in ("", "canceled", "expired", "rejected", "replaced"):
        exchange.fill("a" * 24, "4", "99.5", dt.timedelta())
        if end:
            exchange.end("a" * 24, end)
        said += reply(exchange, "GET", "/orders", asked)
        said.append(reply(exchange, "GET", "/orders:by_client_order_id", {"client_order_id": "a" * 24}))
        said.append(reply(exchange, "GET", f"/orders/{said[0]['id']}", {"nested": "true"}))

    for one in said:
        order = models.Order.model_validate({**one, "order_class": one["order_class"] or "simple"})
        assert models.Order(**one).client_order_id == order.client_order_id == "a" * 24
        assert len(order.legs or ()) in {0, len([name for name in more if name in {"stop_loss", "take_profit"}])}


def test_executions_positions_account_and_updates(exchange: Exchange) -> None:
    reply(exchange, "POST", "/orders", sent())
    activity, order = exchange.fill("a" * 24, "4", "99.5", dt.timedelta())
    exchange.positions["IBM"] = Decimal(-3)
    (listed,) = reply(
        exchange, "GET", "/account/activities/FILL", {"after": AFTER, "page_size": "100", "direction": "asc"}
    )

    assert listed == activity
    # Their class is the brokers' interface's, which has the account in each activity; traders' has it not.
    trade = models.TradeActivity.model_validate({**listed, "account_id": shapes.ACCOUNT_ID})
    assert (str(trade.order_id), trade.qty, trade.cum_qty) == (order["id"], 4, 4)
    held = [models.Position.model_validate(one) for one in reply(exchange, "GET", "/positions")]
    assert [(one.symbol, one.qty, one.side.value) for one in held] == [("AAPL", "4", "long"), ("IBM", "-3", "short")]
    assert models.TradeAccount.model_validate(reply(exchange, "GET", "/account")).cash == "99602.0"
    order["order_class"] = "simple"
    message = shapes.update("partial_fill", order, exchange.now, price="99.5", qty="4", position_qty="4")
    update = models.TradeUpdate.model_validate(message["data"])
    assert (update.event, update.order.filled_qty) == (enums.TradeEvent.PARTIAL_FILL, "4")


def test_what_moves_an_account_without_an_order(exchange: Exchange) -> None:
    exchange.move("FEE", "-0.01", activity_sub_type="TAF")
    exchange.move("DIV", "1.02", symbol="AAPL", qty="2", per_share_amount="0.51")
    exchange.move("CSD", "100")

    listed = reply(exchange, "GET", "/account/activities", {**MOVES, "after": AFTER})

    read = [models.NonTradeActivity.model_validate({**one, "account_id": shapes.ACCOUNT_ID}) for one in listed]
    assert [(one.activity_type.value, one.net_amount) for one in read] == [("FEE", -0.01), ("DIV", 1.02), ("CSD", 100)]
    assert read[1].per_share_amount == 0.51


def test_what_is_refused_says_so_as_alpaca_does(exchange: Exchange) -> None:
    reply(exchange, "POST", "/orders", sent())

    assert reply(exchange, "POST", "/orders", sent(), 422)["message"] == "client_order_id must be unique"
    assert reply(exchange, "POST", "/orders", sent(symbol="NOPE"), 422)["code"] == 40010001
    assert reply(exchange, "POST", "/orders", sent(qty="5000"), 403)["code"] == 40310000
    assert reply(exchange, "GET", "/orders:by_client_order_id", {"client_order_id": "b"}, 404)["code"] == 40410000
    assert reply(exchange, "DELETE", "/orders/7", {}, 404)["code"] == 40410000
